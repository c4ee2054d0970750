"""Stores that are lost, emptied, set back or another board's: told at the start, and no id is given out twice."""

import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.board import BoardProcess, now_text, running_board
from tests.events import event, parcel
from tests.ledger.oracle import ask
from tokenboard.app.record import FILE, MARKS, Record, StoreMissing
from tokenboard.app.stores import Stores, open_stores
from tokenboard.catalog import Catalog, CatalogFault, Marks
from tokenboard.cli.main import main
from tokenboard.config import Settings


@dataclass(frozen=True)
class Made:
    """A board with apps 1 and 2 and keys 1 and 2 of accounts 1 and 2; and each store before there were the second."""

    data: Path
    earlier: Path


def report(board: BoardProcess, key: str, name: str) -> None:
    used = {
        "id": name,
        "ts": now_text(),
        "referer": f"https://{name}.example",
        "model": "m/x",
        "prompt_tokens": 5,
        "completion_tokens": 2,
    }
    sent = httpx.post(f"{board.url}/api/v1/usage", json=[used], headers={"Authorization": f"Bearer {key}"})
    assert 202 == sent.status_code, sent.text
    board.wait_until_counted()


def create_key(data: Path, account: str) -> dict[str, Any]:
    scopes = ["--scopes", "inference,data,ingest,admin", "--account", account]
    return dict(json.loads(done(data, "keys", "create", "--label", account, *scopes, "--json")))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("stores")
    data, earlier = folder / "data", folder / "earlier"
    board = BoardProcess(data, module="tests.brisk")
    first = create_key(data, "one")
    board.start()
    report(board, first["key"], "a")
    assert 0 == board.stop()
    shutil.copytree(data, earlier, symlinks=True)
    second = create_key(data, "two")
    assert (1, 2) == (first["id"], second["id"])
    # Another process, on a port of its own: others may have taken the first one's meanwhile.
    board = BoardProcess(data, module="tests.brisk").start()
    report(board, second["key"], "b")
    assert 0 == board.stop()
    return Made(data, earlier)


@pytest.fixture
def data(made: Made, tmp_path: Path) -> Path:
    """A copy of the board's folder, of the test's own."""
    shutil.copytree(made.data, tmp_path / "data", symlinks=True)
    return tmp_path / "data"


def command(data: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process; return its exit code, and what it printed on standard output and error."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["tokenboard", "--data", str(data), *arguments])
        try:
            main()
        except SystemExit as end:
            code = end.code
        else:
            code = 0
    assert code is None or isinstance(code, int)
    return code or 0, out.getvalue(), err.getvalue()


def done(data: Path, *arguments: str) -> str:
    """Run a command that must succeed, and return what it prints."""
    code, out, err = command(data, *arguments)
    assert code == 0, (out, err)
    return out


def failed(data: Path, *arguments: str) -> list[str]:
    """Run a command that must fail, and return what it says."""
    code, out, err = command(data, *arguments)
    assert 1 == code, (out, err)
    return [line for line in err.splitlines() if line.startswith(("error: ", "hint: "))]


@contextmanager
def opened(data: Path) -> Iterator[Stores]:
    stores = open_stores(Settings(), data)
    try:
        yield stores
    finally:
        for store in (stores.spool, stores.ledger, stores.catalog):
            store.close()


def set_back(made: Made, data: Path, name: str) -> None:
    """Put a store back to what it was earlier, as from a backup."""
    for path in data.glob(f"{name}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in made.earlier.glob(f"{name}*"):
        target = data / path.name
        shutil.copytree(path, target, symlinks=True) if path.is_dir() else shutil.copy(path, target)


def next_ids(data: Path) -> Marks:
    """Return the ids that a new key, of a new account, gets; without a server."""
    key = create_key(data, "new")
    with closing(sqlite3.connect(data / "catalog.sqlite")) as connection:
        (account,) = connection.execute("SELECT account_id FROM keys WHERE id = ?", (key["id"],)).fetchone()
        (app,) = connection.execute("SELECT value FROM revisions WHERE name = 'app_id'").fetchone()
    return Marks(app + 1, key["id"], account)


def test_a_catalog_restored_from_before_gives_out_no_id_again_and_is_told_of(made: Made, data: Path) -> None:
    set_back(made, data, "catalog.sqlite")
    assert Marks(3, 3, 3) == next_ids(data)

    with running_board(data, module="tests.brisk") as board:
        key = create_key(data, "third")
        report(board, key["key"], "c")
        told = done(data, "doctor")
        apps = json.loads(done(data, "apps", "list", "--json"))

    assert "the catalog is older than the ledger" in board.log()
    assert "warning: the catalog is older than the ledger: 1 apps and 1 keys with usage are unknown to it" in told
    assert [1, 3] == [app["id"] for app in apps["apps"]]
    assert 4 == key["id"]
    stopped = done(data, "doctor")
    assert "ledger\twarning: the catalog is older than the ledger: 1 apps" in stopped


@pytest.mark.parametrize("gone", [(MARKS,), (MARKS, FILE)])
def test_without_its_marks_ledger_and_spool_tell_which_ids_there_were(
    made: Made, data: Path, gone: tuple[str, ...]
) -> None:
    set_back(made, data, "catalog.sqlite")
    for name in gone:
        (data / name).unlink()

    assert Marks(3, 3, 3) == next_ids(data)


def test_ids_that_only_wait_in_the_spool_are_not_given_out_again(made: Made, data: Path) -> None:
    set_back(made, data, "")
    with opened(data) as stores:
        waiting = parcel(event(key_id=40, account_id=50))
        stores.spool.append_new(lambda _: waiting, [b"x"]).result()
    (data / MARKS).unlink()

    assert Marks(2, 41, 51) == next_ids(data)


def test_a_catalog_that_is_gone_or_emptied_is_not_made_anew_until_an_operator_says_so(data: Path) -> None:
    for path in data.glob("catalog.sqlite*"):
        path.unlink()

    for command in (
        ["serve", "--single", "--port", "0"],
        ["keys", "create", "--label", "x"],
        ["keys", "list"],
        ["migrate"],
    ):
        error, hint = failed(data, *command)
        assert f"error: the catalog is missing: there is nothing in {data / 'catalog.sqlite'}" == error
        assert "`tokenboard stores accept catalog`" in hint
    assert [] == list(data.glob("catalog.sqlite*"))
    Catalog.open(f"sqlite:///{data / 'catalog.sqlite'}").migrate()
    assert failed(data, "serve", "--single", "--port", "0")[0].endswith(
        "has been emptied: it knows nothing of its board"
    )
    done(data, "stores", "accept", "catalog")
    assert Marks(3, 3, 3) == next_ids(data)
    with opened(data) as stores:
        assert (2, 2) == (stores.unknown_apps, stores.unknown_keys)
    assert () == (Record.read(data) or Record("", (), ("?",))).accepted


@pytest.mark.parametrize("text", ["{", '{"app_id": "x"}', "[]"])
def test_a_damaged_file_of_the_highest_ids_stops_the_start_and_doctor_says_so(data: Path, text: str) -> None:
    (data / MARKS).write_text(text)
    with pytest.raises(CatalogFault, match=r"ids\.json") as refused:
        open_stores(Settings(), data)
    assert "Restore it, or remove it and start the server" in refused.value.hint
    if text == "{":
        code, out, _ = command(data, "doctor")
        assert (1, True) == (code, str(data / MARKS) in out)


def test_a_damaged_catalog_is_named_and_moved_away_on_an_operators_word(data: Path) -> None:
    for path in data.glob("catalog.sqlite-*"):
        path.unlink()
    (data / "catalog.sqlite").write_bytes(b"not what it was" * 1_000)
    with pytest.raises(CatalogFault, match=r"catalog\.sqlite"):
        open_stores(Settings(), data)
    done(data, "stores", "accept", "catalog")
    assert [b"not what it was" * 1_000] == [path.read_bytes() for path in data.glob("catalog.sqlite.damaged-*")]
    assert Marks(3, 3, 3) == next_ids(data)


def test_a_ledger_whose_volume_is_not_mounted_stops_the_start(data: Path, tmp_path: Path) -> None:
    (data / "ledger").rename(tmp_path / "away")
    (data / "ledger").mkdir()

    error, hint = failed(data, "serve", "--single", "--port", "0")

    assert f"error: the ledger is missing: there is nothing in {data / 'ledger' / 'store'}" == error
    assert hint.startswith("hint: Bring it back: mount its volume")
    assert [] == list((data / "ledger").iterdir())
    assert "checks failed: ledger" in failed(data, "doctor")[0]
    assert "ledger\tmissing\t" in done(data, "stores", "list")
    (data / "ledger").rmdir()
    (tmp_path / "away").rename(data / "ledger")
    with opened(data) as stores:
        assert 0 < stores.ledger.last_batch(stores.spool.writer)


def test_a_ledger_that_is_lost_for_good_is_begun_anew_on_an_operators_word(data: Path) -> None:
    shutil.rmtree(data / "ledger")
    done(data, "stores", "accept", "ledger")

    for _ in range(2):
        with opened(data) as stores:
            assert (0, 2) == (stores.ledger.last_batch(stores.spool.writer), stores.catalog.apps(limit=9).total)


def test_a_spool_that_is_gone_stops_the_start(data: Path) -> None:
    shutil.rmtree(data / "spool")

    assert failed(data, "serve", "--single", "--port", "0")[0].startswith(
        "error: the spool is missing: there is nothing in "
    )
    assert failed(data, "spool", "list")[0].startswith("error: the spool is missing: there is nothing in ")
    done(data, "stores", "accept", "spool")
    for _ in range(2):
        with opened(data) as stores:
            assert 0 == stores.spool.state().pending


def test_a_spool_whose_log_lost_its_end_stops_the_start(data: Path) -> None:
    (data / "spool" / "board.sqlite").write_bytes(b"nonsense" * 1_000)

    error, hint = failed(data, "serve", "--single", "--port", "0")

    assert f"error: the spool {data}/spool/board.sqlite is damaged: file is not a database" == error
    assert "`tokenboard stores accept spool`" in hint
    done(data, "stores", "accept", "spool")
    with opened(data) as stores:
        assert not stores.spool.used()


@pytest.mark.parametrize(("store", "said"), [("spool", "older than the ledger"), ("ledger", "older than the spool")])
def test_a_store_of_an_earlier_time_is_told_and_taken_on_an_operators_word(
    made: Made, data: Path, store: str, said: str
) -> None:
    set_back(made, data, store)

    for _ in range(2):
        with pytest.raises(StoreMissing, match=said), opened(data):
            pass
    done(data, "stores", "accept", store)
    for _ in range(2):
        with opened(data):
            pass


def test_stores_of_another_board_are_not_mixed_up(made: Made, data: Path) -> None:
    record = Record.read(data)
    assert record is not None
    Record("another", record.stores).write(data)

    with pytest.raises(StoreMissing, match="belongs to another board"), opened(data):
        pass


def test_a_folder_whose_record_is_lost_takes_the_board_its_stores_agree_on(made: Made, data: Path) -> None:
    before = Record.read(data)
    (data / FILE).unlink()

    with opened(data):
        pass

    assert before == Record.read(data)


@pytest.mark.parametrize("gone", ["", "ledger", "catalog.sqlite"])
def test_a_folder_of_an_older_program_is_taken_over_unless_a_store_is_lost(data: Path, gone: str) -> None:
    (data / FILE).unlink()
    (data / MARKS).unlink()
    with opened(data) as stores:
        # As if there had never been ids of boards.
        ask(stores.ledger, "TRUNCATE TABLE board")
    for file, statement in (
        ("catalog.sqlite", "DELETE FROM board"),
        ("spool/board.sqlite", "DELETE FROM meta WHERE name IN ('board', 'delivered')"),
    ):
        with closing(sqlite3.connect(data / file, isolation_level=None)) as connection:
            connection.execute(statement)
    (data / FILE).unlink()
    (data / MARKS).unlink(missing_ok=True)
    for path in data.glob(f"{gone}*") if gone else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    if not gone:
        with opened(data) as stores:
            assert Marks(2, 2, 2) == stores.catalog.marks()
        assert Record.read(data) is not None
        return
    for _ in range(2):
        with pytest.raises(StoreMissing, match="is empty, though the board's other stores were used"), opened(data):
            pass
