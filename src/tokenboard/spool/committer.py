"""The committer: one thread, one connection, every waiting write in one transaction.

Callers hand over a write and get a future; the future is resolved only after COMMIT returned. While one group is being
committed the next one gathers, so the group grows with the load and a lone caller waits for one commit only.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, NamedTuple

from tokenboard.spool.errors import SpoolError, SpoolUnavailable


class Write(NamedTuple):
    """One write: ``run`` inside the transaction, and ``after`` with its result once that transaction is committed.

    ``run`` is called again when another write spoiled its transaction. ``durable`` makes the transaction, and with it
    everything committed before, survive a power cut whatever the spool's setting.
    """

    run: Callable[[sqlite3.Connection], Any]
    after: Callable[[Any], None]
    durable: bool = False


class Append(NamedTuple):
    """The commonest write: one parcel more. Those of a group go into one statement."""

    events: int
    body: bytes


class Appends(NamedTuple):
    """How a group's parcels are put in, in one statement each call, and who hears of them once they are committed.

    ``committed`` gets the number of events and of bytes.
    """

    insert: Callable[[sqlite3.Connection, Sequence[Append]], None]
    committed: Callable[[int, int], None]


Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]"] | Future[Any]
Entry = tuple[Write | Append, Waiter]

MAX_STATEMENT = 500
"""Parcels in one statement at most."""

MAX_GROUP = 2_000
"""Writes at which a group gathers no more: bounds how long the first of it waits for the last."""


class Committer:
    """Runs writes on ``connection`` in groups; owns the connection from the first call of `start` on.

    ``fsync`` makes every transaction durable, not only those that ask for it.
    """

    def __init__(self, connection: sqlite3.Connection, name: str, *, fsync: bool, appends: Appends) -> None:
        self._connection = connection
        self._appends = appends
        self._fsync = fsync
        self._turns: dict[asyncio.AbstractEventLoop, list[Entry]] = {}
        # Callers alone pass the door: an event loop must never wait for the thread, which may hold a lock while it
        # waits for the interpreter.
        self._door = Lock()
        self._handed: SimpleQueue[list[Entry] | None] = SimpleQueue()
        self._stopping = False
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, write: Write) -> Future[Any]:
        """Queue ``write`` for the next transaction; the future holds its result, or the error that undid the group."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # what is queued will be written: it cannot be cancelled any more
        with self._door:
            self._check_open()
            self._handed.put([(write, future)])
        return future

    def append(self, parcel: Append) -> "asyncio.Future[None]":
        """Queue a parcel from a running event loop; the future is done once it is committed.

        What one turn of the loop appends is handed over at its end, all at once: waking the thread is the dear part.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._door:
            self._check_open()
            turn = self._turns.get(loop)
            if turn is None:
                turn = self._turns[loop] = []
                loop.call_soon(self._end_turn, loop)
            turn.append((parcel, (loop, future)))
        return future

    def stop(self) -> None:
        """Commit what is waiting, end the thread and close the connection."""
        with self._door:
            if not self._stopping:
                self._stopping = True
                while self._turns:
                    self._handed.put(self._turns.popitem()[1])
                self._handed.put(None)
        if self._thread.ident is not None:
            self._thread.join()
        self._connection.close()

    def _check_open(self) -> None:
        if self._stopping:
            raise SpoolError("the spool is closed")

    def _end_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._door:
            # Nothing is left when the committer was stopped in this very turn: it took it over.
            turn = self._turns.pop(loop, None)
            if turn is not None:
                self._handed.put(turn)

    def _run(self) -> None:
        more = True
        while more:
            group, more = self._gather()
            if group:
                self._commit(group)

    def _gather(self) -> tuple[list[Entry], bool]:
        """Wait for writes and return those that wait by then, and whether more may come."""
        group: list[Entry] = []
        handed = self._handed.get()
        while handed is not None:
            group += handed
            # Nobody else takes: what is not empty now is not empty in the next line.
            if len(group) >= MAX_GROUP or self._handed.empty():
                return group, True
            handed = self._handed.get_nowait()
        return group, False

    def _commit(self, group: list[Entry]) -> None:
        try:
            results = self._transact([write for write, _ in group])
        except sqlite3.OperationalError as error:
            # The file cannot be written now: the disk is full, gone, or somebody holds the lock.
            _settle([(waiter, None, _unavailable(error)) for _, waiter in group])
        except Exception as error:
            if len(group) > 1:
                # One write of several was at fault: give each a transaction of its own, so that it harms nobody else.
                for entry in group:
                    self._commit([entry])
                return
            failure = _unavailable(error) if isinstance(error, sqlite3.Error) else error
            _settle([(group[0][1], None, failure)])
        else:
            self._tell([write for write, _ in group], results)
            _settle([(waiter, result, None) for (_, waiter), result in zip(group, results, strict=True)])

    def _tell(self, writes: Sequence[Write | Append], results: Sequence[Any]) -> None:
        events, size = 0, 0
        for write, result in zip(writes, results, strict=True):
            if isinstance(write, Append):
                events, size = events + write.events, size + len(write.body)
            else:
                write.after(result)
        self._appends.committed(events, size)

    def _transact(self, writes: Sequence[Write | Append]) -> list[Any]:
        connection = self._connection
        parcels = [write for write in writes if isinstance(write, Append)]
        if len(parcels) == len(writes) <= MAX_STATEMENT:
            # One statement is a transaction by itself. Each one gives up the interpreter, which a busy event loop may
            # take its time to give back.
            self._appends.insert(connection, parcels)
            return [None] * len(writes)
        flush = not self._fsync and any(isinstance(write, Write) and write.durable for write in writes)
        if flush:
            set_durability(connection, fsync=True)
        try:
            connection.execute("BEGIN IMMEDIATE")
            for start in range(0, len(parcels), MAX_STATEMENT):
                self._appends.insert(connection, parcels[start : start + MAX_STATEMENT])
            results = [write.run(connection) if isinstance(write, Write) else None for write in writes]
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                # After some errors SQLite has rolled back by itself by the time we ask it to.
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            if flush:
                with contextlib.suppress(sqlite3.Error):
                    set_durability(connection, fsync=False)
        return results


def set_durability(connection: sqlite3.Connection, *, fsync: bool) -> None:
    """Choose what the connection's commits survive: with ``fsync`` a power cut, otherwise the end of this process."""
    connection.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")


def _unavailable(error: sqlite3.Error) -> SpoolUnavailable:
    unavailable = SpoolUnavailable(f"cannot write the spool: {error}")
    unavailable.__cause__ = error
    return unavailable


Outcome = tuple[Waiter, Any, BaseException | None]


def _settle(outcomes: list[Outcome]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any, BaseException | None]]] = {}
    for waiter, result, failure in outcomes:
        if isinstance(waiter, Future):
            if failure is not None:
                waiter.set_exception(failure)
            else:
                waiter.set_result(result)
        else:
            by_loop.setdefault(waiter[0], []).append((waiter[1], result, failure))
    # One wake-up of the loop for the whole group: waking it is the dear part.
    for loop, futures in by_loop.items():
        # A loop that is closed has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle_on_loop, futures)


def _settle_on_loop(outcomes: list[tuple["asyncio.Future[Any]", Any, BaseException | None]]) -> None:
    for future, result, failure in outcomes:
        if future.done():
            continue
        if failure is not None:
            future.set_exception(failure)
        else:
            future.set_result(result)
