import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.spool.conftest import in_file
from tokenboard.durability import Append
from tokenboard.spool import Spool, SpoolUnavailable
from tokenboard.spool.committer import Appends, Committer, Write

OpenSpool = Callable[..., Spool]


def on_uvloop(coroutine: Any) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


def test_an_append_is_on_disk_once_it_is_awaited(spool: Spool, tmp_path: Path) -> None:
    async def append() -> None:
        for body in (b"a", b"bb"):
            await spool.append(body, 2)
            assert in_file(tmp_path) == spool.state()
            assert spool.arrived.is_set()

    on_uvloop(append())
    assert (4, 3) == (spool.state().pending, spool.state().bytes)


def test_many_appends_at_once_share_transactions_and_none_is_lost(spool: Spool) -> None:
    async def append() -> None:
        await asyncio.gather(*(spool.append(b"%d" % number) for number in range(5_000)))

    on_uvloop(append())
    bodies = [parcel.body for parcel in spool.peek(10_000, 10**9)]
    assert [b"%d" % number for number in range(5_000)] == bodies


def test_an_append_is_taken_even_when_the_spool_is_full_as_its_answer_has_begun(open_spool: OpenSpool) -> None:
    spool = open_spool(max_bytes=1)

    async def append() -> None:
        await spool.append(b"abc")
        await spool.append(b"abc")

    on_uvloop(append())
    assert not spool.has_room()
    assert 2 == spool.state().pending


def test_an_append_whose_task_is_cancelled_is_written_and_harms_nobody(spool: Spool) -> None:
    async def append() -> None:
        tasks = [asyncio.ensure_future(spool.append(b"%d" % number)) for number in range(50)]
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [None] * 25 == outcomes[1::2]

    on_uvloop(append())
    spool.close()
    assert 50 == spool.state().pending


def test_a_loop_that_closes_before_its_append_is_committed_harms_nobody(spool: Spool, tmp_path: Path) -> None:
    with held(tmp_path):

        async def append() -> None:
            _ = spool.append(b"nobody waits for me")

        on_uvloop(append())
    spool.append_new(lambda _: b"next", [b"id"]).result()
    assert [b"nobody waits for me", b"next"] == [parcel.body for parcel in spool.peek(10, 100)]


def test_closing_commits_what_waits(spool: Spool, tmp_path: Path) -> None:
    with held(tmp_path):
        waiting = [spool.append_new(lambda _: b"x", [b"%d" % number]) for number in range(100)]
        closing = threading.Thread(target=spool.close)
        closing.start()
    closing.join()
    assert 100 == sum(receipt.result().accepted for receipt in waiting)
    assert 100 == in_file(tmp_path).pending


def test_a_spool_is_reopened_with_fsync_or_without_and_keeps_its_identity(open_spool: OpenSpool) -> None:
    identity = open_spool(fsync=True).id
    assert identity == open_spool(fsync=False).id


class held:  # noqa: N801 - reads as a phrase
    """Hold the file's write lock, so that what is appended waits."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "test.sqlite", isolation_level=None)

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


# --- the committer by itself ----------------------------------------------------------------------------------------


class Table:
    """A committer on a table of numbers; ``gate`` keeps the thread busy so that a group gathers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
        connection.execute("PRAGMA synchronous = NORMAL")
        self.statements: list[int] = []
        self.told: list[tuple[int, int, int]] = []
        appends = Appends(self._append, lambda events, size, last: self.told.append((events, size, last)))
        self.committer = Committer(connection, "test", fsync=False, appends=appends)
        self.gate = threading.Event()
        self.levels: list[int] = []
        self.done: list[int] = []
        self.committer.start()
        self.held = self.committer.submit(Write(lambda _: self.gate.wait(), lambda _: None))

    def _append(self, connection: sqlite3.Connection, parcels: Sequence[Append]) -> int:
        self.statements.append(len(parcels))
        connection.executemany("INSERT INTO numbers VALUES (?)", [(int(parcel.body),) for parcel in parcels])
        return int(parcels[-1].body)

    def insert(self, number: int, *, durable: bool = False) -> "Future[Any]":
        def run(connection: sqlite3.Connection) -> int:
            (level,) = connection.execute("PRAGMA synchronous").fetchone()
            self.levels.append(level)
            connection.execute("INSERT INTO numbers VALUES (?)", (number,))
            return number

        return self.committer.submit(Write(run, self.done.append, durable))

    def fail(self, error: Exception) -> "Future[Any]":
        def run(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO numbers VALUES (-1)")
            raise error

        return self.committer.submit(Write(run, self.done.append))

    def finish(self) -> list[int]:
        self.gate.set()
        self.committer.stop()
        connection = sqlite3.connect(self.path)
        try:
            return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY number")]
        finally:
            connection.close()


@pytest.mark.parametrize(
    "error",
    [ValueError("mine"), sqlite3.DataError("too big"), sqlite3.IntegrityError("twice"), sqlite3.ProgrammingError("?")],
)
def test_a_write_that_fails_harms_only_itself(tmp_path: Path, error: Exception) -> None:
    table = Table(tmp_path / "numbers")
    before, bad, after = table.insert(1), table.fail(error), table.insert(2)
    assert [1, 2] == table.finish()
    assert [1, 2] == table.done
    assert (1, 2) == (before.result(), after.result())
    failure = bad.exception()
    if isinstance(error, sqlite3.Error):
        assert isinstance(failure, SpoolUnavailable)
        assert error is failure.__cause__
    else:
        assert error is failure


def test_when_the_file_cannot_be_written_the_whole_group_is_told_each_by_an_error_of_its_own(tmp_path: Path) -> None:
    table = Table(tmp_path / "numbers")
    group = [table.insert(1), table.fail(sqlite3.OperationalError("database or disk is full")), table.insert(2)]
    table.gate.set()
    failures = [one.exception() for one in group]
    later = table.insert(3)
    assert [3] == table.finish()
    assert 3 == later.result()
    assert [3] == table.done
    assert all(isinstance(failure, SpoolUnavailable) for failure in failures)
    assert 3 == len({id(failure) for failure in failures})


def test_a_waiter_cannot_take_back_what_is_queued(tmp_path: Path) -> None:
    table = Table(tmp_path / "numbers")
    queued = table.insert(1)
    assert not queued.cancel()
    assert [1] == table.finish()


def test_a_durable_write_makes_its_whole_group_durable_and_only_that(tmp_path: Path) -> None:
    table = Table(tmp_path / "numbers")
    normal, full = 1, 2
    together = [table.insert(1), table.insert(2, durable=True)]
    table.gate.set()
    for one in together:
        one.result()
    table.insert(3).result()
    assert [1, 2, 3] == table.finish()
    assert [full, full, normal] == table.levels


def test_what_one_turn_of_the_loop_appends_goes_into_one_statement(tmp_path: Path) -> None:
    table = Table(tmp_path / "numbers.sqlite")
    table.gate.set()

    async def append() -> None:
        await asyncio.gather(*[table.committer.append(2, str(number).encode()) for number in range(10)])

    asyncio.run(append())
    assert ([10], (20, 10, 9)) == (table.statements, table.told[-1])
    assert list(range(10)) == table.finish()


def test_what_was_appended_in_the_very_turn_of_the_end_is_committed(tmp_path: Path) -> None:
    table = Table(tmp_path / "numbers.sqlite")

    async def append_and_stop() -> list[int]:
        appended = [table.committer.append(1, str(number).encode()) for number in range(3)]
        table.gate.set()
        await asyncio.to_thread(table.committer.stop)
        await asyncio.gather(*appended)
        return table.finish()

    assert [0, 1, 2] == asyncio.run(append_and_stop())


def test_a_bad_write_of_the_same_group_harms_no_parcel(tmp_path: Path) -> None:
    table = Table(tmp_path / "numbers.sqlite")

    async def append() -> None:
        failed = table.fail(ValueError("bad"))
        appended = [table.committer.append(1, str(number).encode()) for number in range(3)]
        await asyncio.sleep(0)
        table.gate.set()
        await asyncio.gather(*appended)
        assert isinstance(failed.exception(), ValueError)

    asyncio.run(append())
    assert [0, 1, 2] == table.finish()
