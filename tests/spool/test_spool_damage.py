"""A spool whose files were cut, changed or taken away is refused by name, or has everything that was acknowledged."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.spool.conftest import Clock
from tests.spool.test_spool_crash import start
from tokenboard.drain.plan import make_plan
from tokenboard.event import EventDecodeError
from tokenboard.event_table import decode_parcel
from tokenboard.ledger import BatchId
from tokenboard.spool import Spool, SpoolDamaged, SpoolError

FILES = ("test.sqlite", "test.sqlite-wal", "test.sqlite-shm", "test.sqlite-witness")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[int]]:
    """Return the folder of a spool that was killed, and the numbers acknowledged and not delivered."""
    folder = tmp_path_factory.mktemp("killed")
    with start("only", folder, 1) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(400)]
        child.kill()
        lines += child.stdout.readlines()
    return folder, {int(line) for line in lines if line.endswith("\n")}


def opened(folder: Path) -> set[int]:
    """Return what a spool holds; raises what it raises."""
    spool = Spool(folder, "test", max_bytes=10**9, fsync=False, clock_ms=Clock())
    try:
        parcels = spool.peek(10**6, 10**9)
        assert all(parcel.sound for parcel in parcels)
        return {int(parcel.body) for parcel in parcels}
    finally:
        spool.close()


def copy_of(folder: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to)
    return to


def test_a_killed_spool_is_whole(killed: tuple[Path, set[int]], tmp_path: Path) -> None:
    folder, acknowledged = killed
    assert acknowledged <= opened(copy_of(folder, tmp_path / "copy"))


def test_a_log_cut_anywhere_is_noticed(killed: tuple[Path, set[int]], tmp_path: Path) -> None:
    folder, acknowledged = killed
    size = (folder / "test.sqlite-wal").stat().st_size
    refused = 0
    for length in [0, 1, 31, 32, *range(512, size, max(512, size // 60 // 512 * 512)), size - 1]:
        copy = copy_of(folder, tmp_path / "copy")
        with (copy / "test.sqlite-wal").open("r+b") as log:
            log.truncate(length)
        try:
            assert acknowledged <= opened(copy), length
        except SpoolError:
            refused += 1
            # What is left of the log stays for whoever wants to mend it.
            if length:
                assert length == (copy / "test.sqlite-wal").stat().st_size
    assert refused > 50


def test_a_bit_turned_anywhere_in_the_log_is_noticed(killed: tuple[Path, set[int]], tmp_path: Path) -> None:
    folder, acknowledged = killed
    choose = random.Random(5)
    refused = 0
    for _ in range(60):
        copy = copy_of(folder, tmp_path / "copy")
        log = bytearray((copy / "test.sqlite-wal").read_bytes())
        log[choose.randrange(len(log))] ^= 1 << choose.randrange(8)
        (copy / "test.sqlite-wal").write_bytes(log)
        try:
            assert acknowledged <= opened(copy)
        except SpoolError:
            refused += 1
    assert refused > 30


@pytest.mark.parametrize(
    "gone",
    [
        FILES[1:2],
        FILES[1:3],
        FILES[3:],
        FILES[1:],
        FILES[:1],
        FILES[:3],
    ],
)
def test_files_that_are_gone_are_noticed(gone: tuple[str, ...], killed: tuple[Path, set[int]], tmp_path: Path) -> None:
    copy = copy_of(killed[0], tmp_path / "copy")
    for name in gone:
        (copy / name).unlink()
    with pytest.raises(SpoolDamaged, match=r"test\.sqlite") as refused:
        opened(copy)
    assert "tokenboard stores accept spool" in refused.value.hint
    # Asked again it says the same: looking has changed nothing.
    with pytest.raises(SpoolDamaged):
        opened(copy)


def test_an_index_of_the_log_that_is_gone_is_made_anew(killed: tuple[Path, set[int]], tmp_path: Path) -> None:
    copy = copy_of(killed[0], tmp_path / "copy")
    (copy / "test.sqlite-shm").unlink()
    assert killed[1] <= opened(copy)


def test_another_spool_in_its_place_is_noticed(killed: tuple[Path, set[int]], tmp_path: Path) -> None:
    copy = copy_of(killed[0], tmp_path / "copy")
    for name in FILES[:3]:
        (copy / name).unlink()
    Spool(tmp_path / "other", "test", max_bytes=10**9, fsync=False, clock_ms=Clock()).close()
    shutil.copy(tmp_path / "other" / "test.sqlite", copy / "test.sqlite")
    with pytest.raises(SpoolDamaged, match="another spool"):
        opened(copy)


def test_a_spool_that_ended_well_may_be_copied_alone(killed: tuple[Path, set[int]], tmp_path: Path) -> None:
    copy = copy_of(killed[0], tmp_path / "copy")
    held = opened(copy)
    for name in FILES[1:]:
        (copy / name).unlink(missing_ok=True)
    assert held == opened(copy)


def test_accepting_a_loss_goes_on_with_what_is_left(killed: tuple[Path, set[int]], tmp_path: Path) -> None:
    copy = copy_of(killed[0], tmp_path / "copy")
    size = (copy / "test.sqlite-wal").stat().st_size
    with (copy / "test.sqlite-wal").open("r+b") as log:
        log.truncate(size // 2)
    with pytest.raises(SpoolDamaged, match="parcels of acknowledged usage"):
        opened(copy)
    assert None is Spool.accept(copy, "test")
    left = opened(copy)
    assert 0 < len(left) < len(killed[1])
    assert left == opened(copy)


def test_accepting_a_file_that_is_no_database_moves_it_away(tmp_path: Path) -> None:
    Spool(tmp_path, "test", max_bytes=10**9, fsync=False, clock_ms=Clock()).close()
    (tmp_path / "test.sqlite").write_bytes(b"nonsense" * 1_000)
    with pytest.raises(SpoolDamaged, match=r"test.sqlite is damaged: file is not a database"):
        opened(tmp_path)
    moved = Spool.accept(tmp_path, "test")
    assert moved is not None
    assert b"nonsense" * 1_000 == moved.read_bytes()
    assert set() == opened(tmp_path)


def test_a_parcel_that_vanished_from_the_file_is_noticed(open_spool: Callable[..., Spool], tmp_path: Path) -> None:
    spool = open_spool()
    for number in range(9):
        spool.append_new(lambda _: b"x", [b"%d" % number]).result()
    spool.close()
    with closing(sqlite3.connect(tmp_path / "test.sqlite", isolation_level=None)) as connection:
        connection.execute("DELETE FROM parcels WHERE seq = 4")
    with pytest.raises(SpoolDamaged, match=r"of 9 parcels that wait in the spool .*, 8 are there"):
        open_spool()
    Spool.accept(tmp_path, "test")
    assert 8 == open_spool().state().pending
    spool = open_spool()
    spool.append_new(lambda _: b"x", [b"new"]).result()
    assert 9 == open_spool().state().pending


def test_a_parcel_whose_bytes_the_disk_changed_becomes_a_dead_letter_and_cannot_be_queued_again(
    open_spool: Callable[..., Spool], tmp_path: Path
) -> None:
    spool = open_spool()
    spool.append_new(lambda _: b"good", [b"1"]).result()
    spool.close()
    with closing(sqlite3.connect(tmp_path / "test.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE parcels SET body = x'676f6c64'")
    (parcel,) = open_spool().peek(1, 100)
    assert not parcel.sound
    _, _, dead_letters = make_plan([parcel], catalog=None, batch=BatchId(1, 1))  # type: ignore[arg-type] # nothing is asked of it
    ((reason, body),) = dead_letters
    assert "its bytes are not those that were stored" in reason
    with pytest.raises(EventDecodeError):
        decode_parcel(body)


def test_a_fixed_batch_whose_decisions_the_disk_changed_is_not_sent(
    open_spool: Callable[..., Spool], tmp_path: Path
) -> None:
    spool = open_spool()
    spool.append_new(lambda _: b"x", [b"1"]).result()
    spool.fix(1, b"plan")
    spool.close()
    with closing(sqlite3.connect(tmp_path / "test.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE batch SET plan = x'00'")
    with pytest.raises(SpoolDamaged, match="is not what was stored"):
        open_spool().fixed()


def test_a_spool_of_an_older_program_is_taken_over(open_spool: Callable[..., Spool], tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "test.sqlite", isolation_level=None)) as connection:
        connection.executescript(
            """
            CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
            CREATE TABLE parcels (seq INTEGER PRIMARY KEY AUTOINCREMENT, events INTEGER NOT NULL, body BLOB NOT NULL);
            CREATE TABLE batch (
                only INTEGER PRIMARY KEY CHECK (only = 1), id TEXT NOT NULL, last_seq INTEGER NOT NULL,
                plan BLOB NOT NULL
            );
            INSERT INTO meta VALUES ('id', 'abc');
            INSERT INTO parcels (events, body) VALUES (1, x'61'), (1, x'62'), (1, x'63');
            DELETE FROM parcels WHERE seq = 1;
            INSERT INTO batch VALUES (1, 'abc-2', 2, x'70');
            """
        )
    spool = open_spool()
    batch = spool.fixed()
    assert batch is not None
    assert ("abc-2", b"p", [b"b"]) == (batch.id, batch.plan, [parcel.body for parcel in batch.parcels])
    spool.ack("abc-2")
    assert 1 == open_spool().state().pending


def test_a_power_cut_without_fsync_costs_what_the_setting_says_and_is_told(
    killed: tuple[Path, set[int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    copy = copy_of(killed[0], tmp_path / "copy")
    with (copy / "test.sqlite-wal").open("r+b") as log:
        log.truncate((copy / "test.sqlite-wal").stat().st_size // 2)
    for module in ("spool.file", "durability.witness"):
        monkeypatch.setattr(f"tokenboard.{module}.boot_id", lambda: "another run of the machine")
    assert opened(copy) < killed[1]
    assert "a power cut has cost the spool" in caplog.text
    assert opened(copy) < killed[1]
