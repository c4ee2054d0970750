"""The database: what it promises, what it refuses, and many at once."""

import multiprocessing
import sys
import threading
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from tests.catalog.seen import make, seen
from tokenboard.catalog import Catalog, CatalogFault, CatalogUnavailable, InvalidCatalogUrl


@pytest.mark.parametrize(
    "url",
    [
        "",
        "catalog.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "mysql://localhost/x",
        "nonsense://x",
    ],
)
def test_a_url_of_no_usable_database_is_refused(url: str) -> None:
    with pytest.raises(InvalidCatalogUrl) as caught:
        Catalog.open(url)
    assert caught.value.hint


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InvalidCatalogUrl, match="not installed"):
        Catalog.open("postgresql+psycopg://localhost/x")


def test_a_refused_url_does_not_give_its_password_away() -> None:
    with pytest.raises(InvalidCatalogUrl) as caught:
        Catalog.open("mysql://user:hunter2@localhost/x")
    assert "hunter2" not in str(caught.value)


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="new_app_limit"):
        Catalog.open("sqlite:///x.db", new_app_limit=-1)


def test_a_missing_folder_is_unavailable(tmp_path: Path) -> None:
    catalog = Catalog.open(f"sqlite:///{tmp_path}/nowhere/catalog.db")
    for ask in (catalog.revision, catalog.migrate):
        with pytest.raises(CatalogUnavailable, match="unable to open"):
            ask()


def test_an_unreachable_server_is_unavailable() -> None:
    catalog = Catalog.open("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(CatalogUnavailable):
        catalog.revision()


def test_a_file_that_is_no_database_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"not a database " * 1000)
    catalog = Catalog.open(f"sqlite:///{tmp_path}/catalog.db")
    with pytest.raises(CatalogFault):
        catalog.revision()


def test_sqlite_is_durable_and_keeps_its_references(tmp_path: Path) -> None:
    catalog = Catalog.open(f"sqlite:///{tmp_path}/catalog.db", timeout_s=1.234)
    catalog.migrate()
    pragmas = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
    with catalog._database.reading() as connection:
        values = [connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() for pragma in pragmas]
    assert values == ["wal", 1, 2, 1234]
    catalog.close()


def test_a_lock_held_too_long_is_unavailable_and_passes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/catalog.db"
    holder, catalog = Catalog.open(url), Catalog.open(url, timeout_s=0.02)
    holder.migrate()
    make(catalog, "https://a.dev")
    with holder._database.writing():
        with pytest.raises(CatalogUnavailable, match="locked"):
            make(catalog, "https://b.dev")
        assert (catalog.revision(), catalog.apps().total) == (1, 1)
    assert make(catalog, "https://b.dev") == [2]
    holder.close()
    catalog.close()


def test_a_full_disk_is_unavailable_and_loses_nothing(tmp_path: Path) -> None:
    catalog = Catalog.open(f"sqlite:///{tmp_path}/catalog.db", new_app_limit=0)
    catalog.migrate()
    make(catalog, "https://a.dev")
    with catalog._database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    urls = [f"https://app{n}.dev" for n in range(500)]
    with pytest.raises(CatalogUnavailable, match="full"):
        make(catalog, *urls)
    assert catalog.apps().total == 1
    with catalog._database.reading() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert make(catalog, *urls) == list(range(2, 502))
    catalog.close()


def test_a_reader_sees_one_snapshot_while_others_write(catalog: Catalog, open_catalog: Callable[..., Catalog]) -> None:
    make(catalog, "https://a.dev")
    with catalog._database.reading() as connection:
        count = "SELECT count(*) FROM apps"
        before = connection.exec_driver_sql(count).scalar()
        make(open_catalog(), "https://b.dev")
        assert connection.exec_driver_sql(count).scalar() == before == 1
    assert catalog.apps().total == 2


def _create_keys(url: str, start: Barrier, number: int) -> None:
    catalog = Catalog.open(url)
    start.wait()
    for count in range(20):
        catalog.create_key(f"key {number}.{count}", ["data"], f"account {count % 3}")
    catalog.close()


def _observe(url: str, start: Barrier, number: int) -> None:
    catalog = Catalog.open(url, new_app_limit=0)
    start.wait()
    for count in range(20):
        mine = [seen(f"https://app{number}x{count}x{n}.dev", "T") for n in range(10)]
        catalog.observe([*mine, seen("https://shared.dev", f"T{number}", at=count)])
    catalog.close()


def test_processes_that_write_at_once_wait_for_each_other(url: str, catalog: Catalog) -> None:
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(5)
    workers = [_create_keys, _observe, _create_keys, _observe]
    processes = [spawn.Process(target=work, args=(url, start, number)) for number, work in enumerate(workers)]
    for process in processes:
        process.start()
    start.wait()
    revisions = [catalog.revision()]
    while any(process.is_alive() for process in processes):
        revisions.append(catalog.revision())
        changes = catalog.changes(revisions[-2])
        assert changes.revision >= revisions[-1]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert revisions == sorted(revisions)
    assert {key.id for key in (*catalog.keys(),)} == set(range(1, 41))
    assert [account.id for account in catalog.accounts()] == [1, 2, 3]
    page = catalog.apps(limit=1000)
    assert [app.id for app in page.apps] == list(range(1, 402))
    assert {app.revision for app in page.apps} <= set(range(1, catalog.revision() + 1))


def test_a_reader_that_follows_changes_misses_none(catalog: Catalog, open_catalog: Callable[..., Catalog]) -> None:
    def work(number: int) -> None:
        own = open_catalog(new_app_limit=0)
        for count in range(15):
            own.observe([seen(f"https://app{number}.dev", f"T{count}", at=count)])
        done.release()

    done = threading.Semaphore(0)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    model: dict[int, str] = {}
    revision = 0
    while revision < 45:
        changes = catalog.changes(revision)
        assert changes.revision >= revision
        assert all(revision < app.revision <= changes.revision for app in changes.apps)
        revision = changes.revision
        model.update((app.id, app.name) for app in changes.apps)
    for thread in threads:
        thread.join(60)
    assert model == {1: "T14", 2: "T14", 3: "T14"}
    assert catalog.revision() == 45


def test_threads_share_one_catalog(catalog: Catalog) -> None:
    def work(number: int) -> None:
        for count in range(10):
            catalog.observe([seen("https://a.dev", f"T{number}", at=count), seen(f"https://b{number}.dev")])
            catalog.create_key("k", ["data"])
            catalog.revision()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (catalog.apps().total, len(catalog.keys()), len(catalog.titles(1))) == (5, 40, 4)


def test_a_lock_held_by_another_is_told_with_the_seconds_waited_on_every_engine(
    catalog: Catalog, open_catalog: Callable[..., Catalog]
) -> None:
    impatient = open_catalog(timeout_s=0.2)
    make(impatient, "https://a.dev")
    with catalog._database.writing():
        with pytest.raises(CatalogUnavailable, match=r"^the catalog did not answer within 0\.2 s") as raised:
            make(impatient, "https://b.dev")
        assert (0.2, 1) == (raised.value.within_s, impatient.apps().total)
    assert [2] == make(impatient, "https://b.dev")


def test_writers_that_wait_for_another_process_leave_readers_their_connections(
    catalog: Catalog, open_catalog: Callable[..., Catalog]
) -> None:
    mine = open_catalog(timeout_s=60.0)
    with catalog._database.writing():
        writers = [threading.Thread(target=make, args=(mine, f"https://app{number}.dev")) for number in range(30)]
        for writer in writers:
            writer.start()
        # Thirty wait, more than there are connections: who reads finds one.
        assert [0] * 20 == [mine.apps().total for _ in range(20)]
        assert all(writer.is_alive() for writer in writers)
    for writer in writers:
        writer.join(60)
    assert 30 == mine.apps().total


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_statement_that_postgresql_does_not_finish_in_time_is_given_up(open_catalog: Callable[..., Catalog]) -> None:
    impatient = open_catalog(timeout_s=0.2)
    with (
        pytest.raises(CatalogUnavailable, match=r"did not answer within 0\.2 s"),
        impatient._database.reading() as connection,
    ):
        connection.exec_driver_sql("SELECT pg_sleep(100)")
    assert 0 == impatient.revision()
