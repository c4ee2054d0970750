"""PostgreSQL away, silent, slow, cut off, too old, without rights: each is told, none holds a caller for ever."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tests.catalog.seen import make
from tests.wire import Wire, wire_to
from tokenboard.catalog import (
    Catalog,
    CatalogRefused,
    CatalogUnavailable,
    InvalidCatalogUrl,
    ServerOptions,
    UnfitServer,
    postgres,
)

IN_TIME_S = 8.0
"""What waits for a second here, a few times, has ended by then, on a slow machine too."""


@pytest.fixture
def engine() -> str:
    """The one kind of database that these tests are about."""
    return "postgresql"


def changed(url: str, **parts: object) -> str:
    return sa.make_url(url).set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type]


@pytest.fixture
def wire(url: str) -> Iterator[Wire]:
    """A proxy to the database server that its URL names by the folder of its socket."""
    folder = sa.make_url(url).query["host"]
    with wire_to(f"{folder}/.s.PGSQL.5432") as opened:
        yield opened


@pytest.fixture
def over(url: str, wire: Wire) -> Iterator[Callable[..., Catalog]]:
    """Open the catalog over the proxy; all are closed at the end."""
    opened = []

    def open_one(**settings: object) -> Catalog:
        through = sa.make_url(url).set(host="127.0.0.1", port=wire.port, query={"sslmode": "disable"})
        opened.append(Catalog.open(through.render_as_string(), **settings))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for catalog in opened:
        catalog.close()


def test_a_statement_to_a_server_gone_silent_is_given_up_and_the_next_goes_well(
    over: Callable[..., Catalog], wire: Wire
) -> None:
    catalog = over(timeout_s=1.0)
    make(catalog, "https://a.dev")

    def ask(connection: sa.Connection) -> None:
        wire.go_silent()
        connection.exec_driver_sql("SELECT 1")

    began = time.monotonic()
    with pytest.raises(CatalogUnavailable, match="silent for 2 s") as raised:
        catalog._database.read(ask)
    assert 1.0 <= time.monotonic() - began < IN_TIME_S
    assert (1.0, False) == (raised.value.within_s, raised.value.passing)
    wire.speak()
    assert 1 == catalog.apps().total


def test_idle_connections_and_new_ones_to_a_silent_server_hold_no_call_for_long(
    over: Callable[..., Catalog], wire: Wire
) -> None:
    catalog = over(timeout_s=1.0)
    make(catalog, "https://a.dev")
    wire.go_silent()
    for ask in (catalog.revision, lambda: make(catalog, "https://b.dev")):
        began = time.monotonic()
        with pytest.raises(CatalogUnavailable) as raised:
            ask()
        assert time.monotonic() - began < IN_TIME_S
        assert "127.0.0.1" in f"{raised.value} {raised.value.hint}"
    wire.speak()
    assert 1 == catalog.apps().total
    assert [2] == make(catalog, "https://b.dev")


def test_a_commit_without_an_answer_is_told_to_be_unsure_and_repeated_by_nobody(
    over: Callable[..., Catalog], wire: Wire
) -> None:
    catalog = over(timeout_s=1.0)
    catalog.migrate()
    wire.swallow_after = b"COMMIT\0"
    with pytest.raises(CatalogUnavailable, match="whether the change is stored is not known") as raised:
        catalog.create_key("once", ["data"])
    assert not raised.value.passing
    wire.swallow_after = b""
    wire.speak()
    assert ["once"] == [key.label for key in catalog.keys()]  # noqa: SIM118 - not a dict


def test_a_call_whose_connection_is_cut_is_made_again_and_stored_once(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []

    def cut_the_first(connection: sa.Connection) -> int:
        attempts.append(1)
        if len(attempts) == 1:
            own = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with catalog._database.reading() as other:
                other.exec_driver_sql(f"SELECT pg_terminate_backend({own})")
        connection.exec_driver_sql("UPDATE revisions SET value = value + 7 WHERE name = 'keys'")
        return len(attempts)

    assert 2 == catalog._database.write(cut_the_first)
    assert 7 == catalog.keys_revision()


def test_of_two_that_wait_for_each_other_the_one_given_up_is_made_again(
    catalog: Catalog, open_catalog: Callable[..., Catalog], url: str
) -> None:
    name = sa.make_url(url).database
    with catalog._database.migrating() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET deadlock_timeout = '50ms'")
    mine = open_catalog()
    both = threading.Barrier(2)
    attempts = []

    def work(connection: sa.Connection) -> None:
        attempts.append(1)
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1)")
        if len(attempts) == 1:
            both.wait(30)
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(2)")

    def opposite() -> None:
        with open_catalog()._database.reading() as connection:
            # The other one is to be the victim: it looks for deadlocks sooner.
            connection.exec_driver_sql("SET LOCAL deadlock_timeout = '60s'")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(2)")
            both.wait(30)
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1)")

    other = threading.Thread(target=opposite)
    other.start()
    mine._database.read(work)
    other.join(30)
    assert 2 == len(attempts)


def test_a_server_that_is_not_there_is_told_with_its_place(url: str) -> None:
    catalog = Catalog.open(changed(url, host="127.0.0.1", port=1, query={}))
    with pytest.raises(CatalogUnavailable, match="refused") as raised:
        catalog.revision()
    assert "127.0.0.1:1/catalog_test" in raised.value.hint
    assert "\n" not in str(raised.value)


def test_a_database_or_user_that_is_missing_is_told_with_the_sql_that_makes_it(url: str) -> None:
    for wrong, way_out in (
        ({"database": "nowhere"}, "CREATE DATABASE nowhere OWNER tests"),
        ({"username": "stranger"}, "CREATE ROLE stranger LOGIN"),
    ):
        with pytest.raises(CatalogUnavailable, match="does not exist") as raised:
            Catalog.open(changed(url, **wrong)).revision()
        assert way_out in raised.value.hint


def test_a_user_without_rights_is_told_and_the_rights_are_named(catalog: Catalog, url: str) -> None:
    name = sa.make_url(url).database
    with catalog._database.migrating() as connection:
        connection.exec_driver_sql(f"CREATE ROLE reader_{name} LOGIN")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_{name}")
    reader = Catalog.open(changed(url, username=f"reader_{name}"))
    try:
        assert 0 == reader.revision()
        with pytest.raises(CatalogRefused, match="forbids it: permission denied") as raised:
            reader.create_key("k", ["data"])
        facts = reader.server()
    finally:
        reader.close()
        with catalog._database.migrating() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY reader_{name}")
            connection.exec_driver_sql(f"DROP ROLE reader_{name}")
    assert f"reader_{name}" in raised.value.hint
    assert facts is not None
    assert {"CREATE on schema public", "UPDATE on revisions", "INSERT on apps", "DELETE on alembic_version"} <= set(
        facts.missing_rights
    )
    assert not any(right.startswith("SELECT") for right in facts.missing_rights)


def test_a_server_that_takes_no_writes_is_told(catalog: Catalog, url: str) -> None:
    read_only = Catalog.open(
        changed(url, query={**sa.make_url(url).query, "options": "-c default_transaction_read_only=on"})
    )
    with pytest.raises(CatalogRefused, match="takes no writes") as raised:
        read_only.create_key("k", ["data"])
    facts = read_only.server()
    read_only.close()
    assert "standby" in raised.value.hint
    assert facts is not None
    assert facts.read_only


def test_what_the_server_tells_of_itself(catalog: Catalog, url: str) -> None:
    facts = catalog.server()
    assert facts is not None
    assert ("UTF8", "tests", False, False, ()) == (
        facts.encoding,
        facts.user,
        facts.encrypted,
        facts.read_only,
        facts.missing_rights,
    )
    assert 0 < facts.round_trip_ms < 1000
    assert 0 < facts.connections <= facts.connections_limit
    assert str(sa.make_url(url).database) in facts.place
    assert int(facts.version.partition(".")[0]) >= postgres.OLDEST


def test_a_database_of_another_encoding_is_refused(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "CREATE DATABASE ascii_only ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0 STRATEGY file_copy"
        )
        try:
            with pytest.raises(UnfitServer, match="SQL_ASCII") as raised:
                Catalog.open(changed(postgres_url, database="ascii_only")).revision()
        finally:
            connection.exec_driver_sql("DROP DATABASE ascii_only WITH (FORCE)")
    engine.dispose()
    assert "ENCODING 'UTF8'" in raised.value.hint


def test_a_server_that_is_too_old_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "OLDEST", 1000)
    with pytest.raises(UnfitServer, match="older than 1000") as raised:
        Catalog.open(url).revision()
    assert "Upgrade" in raised.value.hint


def test_a_driver_other_than_psycopg_is_refused_and_short_forms_are_taken(url: str) -> None:
    with pytest.raises(InvalidCatalogUrl, match="psycopg2"):
        Catalog.open("postgresql+psycopg2://localhost/x")
    for scheme in ("postgresql", "postgres"):
        catalog = Catalog.open(url.replace("postgresql+psycopg", scheme))
        assert 0 == catalog.revision()
        catalog.close()


def test_the_password_is_asked_for_each_new_connection(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given, passwords = [], iter(["first", "second"])
    connect = postgres._Connection.connect

    def note(*args: Any, **parameters: Any) -> object:
        given.append(parameters.get("password"))
        return connect(*args, **parameters)

    monkeypatch.setattr(postgres._Connection, "connect", note)
    options = ServerOptions(password=lambda: next(passwords))
    for _ in range(2):
        catalog = Catalog.open(url, server=options)
        assert 0 == catalog.revision()
        catalog.close()
    assert ["first", "second"] == given
    assert "first" not in repr(options)


def test_no_more_connections_are_made_than_the_pool_may_have(open_catalog: Callable[..., Catalog], url: str) -> None:
    catalog = open_catalog(server=ServerOptions(pool_size=1, pool_timeout_s=0.2))
    with catalog._database.reading(), pytest.raises(CatalogUnavailable, match="all connections"):
        catalog.apps()
    assert 0 == catalog.apps().total


def test_a_process_that_hangs_in_a_transaction_lets_go_of_the_writers_lock(
    open_catalog: Callable[..., Catalog],
) -> None:
    hanging = open_catalog(server=ServerOptions(idle_s=0.3))
    other = open_catalog(timeout_s=20.0)

    def hang() -> None:
        with hanging._database.writing():
            make(other, "https://a.dev")

    with pytest.raises(CatalogUnavailable):
        hang()
    assert 1 == other.apps().total
