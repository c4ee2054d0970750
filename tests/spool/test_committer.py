"""The committer by itself, on a table of numbers."""

import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.board import wait_for
from tokenboard.durability import Health
from tokenboard.spool import SpoolUnavailable
from tokenboard.spool.committer import Committer, Write


class Table:
    """A committer on a table of numbers; ``gate`` keeps the thread busy so that a group gathers.

    A probe fails until the file is ``mended``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
        connection.execute("PRAGMA synchronous = NORMAL")
        self.statements: list[str] = []
        connection.set_trace_callback(self.statements.append)
        self.health = Health(lambda: 0)
        self.mended = threading.Event()
        self.committer = Committer(connection, "test", fsync=False, health=self.health, probe=[self._probe])
        self.gate = threading.Event()
        self.levels: list[int] = []
        self.done: list[int] = []
        self.committer.start()
        self.held = self.committer.submit(Write(lambda _: self.gate.wait(), lambda _: None))

    def _probe(self, connection: sqlite3.Connection) -> None:
        if not self.mended.is_set():
            raise sqlite3.OperationalError("database or disk is full")

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


def test_what_gathers_while_a_group_is_committed_shares_one_transaction(tmp_path: Path) -> None:
    table = Table(tmp_path / "numbers")
    waiting = [table.insert(number) for number in range(200)]
    assert list(range(200)) == table.finish()
    assert list(range(200)) == [one.result() for one in waiting] == table.done
    # That of the write which kept the thread busy, and theirs; the busy one may have been taken together with some.
    assert 1 <= table.statements.count("COMMIT") <= 2


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


def test_a_small_write_that_finds_room_does_not_end_a_fault_but_a_probe_does(tmp_path: Path) -> None:
    table = Table(tmp_path / "numbers")
    table.gate.set()
    assert isinstance(table.fail(sqlite3.OperationalError("disk I/O error")).exception(), SpoolUnavailable)
    assert 1 == table.insert(1).result()
    assert not table.health.sound
    table.mended.set()
    wait_for(lambda: table.health.sound)
    assert [1] == table.finish()


def test_writes_that_keep_coming_do_not_put_off_a_probe(tmp_path: Path) -> None:
    table = Table(tmp_path / "numbers")
    enough = threading.Event()

    def again(_: sqlite3.Connection) -> None:
        if not enough.is_set():
            table.committer.submit(Write(again, lambda _: None))  # so that never nothing waits

    table.mended.set()
    table.committer.submit(Write(again, lambda _: None))
    table.fail(sqlite3.OperationalError("disk I/O error"))
    table.gate.set()
    try:
        wait_for(lambda: not table.health.sound)
        wait_for(lambda: table.health.sound)
    finally:
        enough.set()
        table.finish()
