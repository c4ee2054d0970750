"""The committer: one thread, one connection, every waiting write in one transaction.

Callers hand over a write and wait for it; they are told only after COMMIT returned. While one group is being committed
the next one gathers, so the group grows with the load and a lone caller waits for one commit only.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from threading import Thread
from typing import Any, Final, NamedTuple

from tokenboard.durability import Append, Handover, Health, Probing, SpoolUnavailable, tell
from tokenboard.spool.sqlite_errors import hint_for, is_of_the_file


class Write(NamedTuple):
    """One write: ``run`` inside the transaction, and ``after`` with its result once that transaction is committed.

    ``run`` is called again when another write spoiled its transaction. ``durable`` makes the transaction, and with it
    everything committed before, survive a power cut whatever the spool's setting.
    """

    run: Callable[[sqlite3.Connection], Any]
    after: Callable[[Any], None]
    durable: bool = False


class Appends(NamedTuple):
    """How a group's parcels are put in, in one statement each call, and who hears of them once they are committed.

    ``insert`` returns the number of the last one; ``committed`` gets the number of events, of bytes, and that of the
    last parcel, before any of the callers does.
    """

    insert: Callable[[sqlite3.Connection, Sequence[Append]], int]
    committed: Callable[[int, int, int], None]


Entry = Append | tuple[Write, Future[Any]]

MAX_STATEMENT = 500
"""Parcels in one statement at most."""

_WRITING: Final = "writing"


class Committer:
    """Runs writes on ``connection`` in groups; owns the connection from the first call of `start` on.

    ``fsync`` makes every transaction durable, not only those that ask for it. ``health`` is told of each transaction.
    Once one failed by a fault of the file, the writes of ``probe``, a transaction each, are tried now and then until
    they, or anything else, can be committed.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        name: str,
        *,
        fsync: bool,
        appends: Appends,
        health: Health | None = None,
        probe: Sequence[Callable[[sqlite3.Connection], Any]] = (),
    ) -> None:
        self._connection = connection
        self._health = health or Health(lambda: time.time_ns() // 1_000_000)
        self._probe_writes = probe
        self._probing = Probing()
        self._appends = appends
        self._fsync = fsync
        self._handover: Handover[Entry] = Handover()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, write: Write) -> Future[Any]:
        """Queue ``write`` for the next transaction; the future holds its result, or the error that undid the group."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # what is queued will be written: it cannot be cancelled any more
        self._handover.give((write, future))
        return future

    def append(self, events: int, body: bytes) -> Append:
        """Queue a parcel from a running event loop; to be awaited there.

        What one turn of the loop appends is handed over at its end, all at once: waking the thread is the dear part.
        """
        loop = asyncio.get_running_loop()
        parcel = Append(loop, body, events)
        self._handover.give_with_turn(loop, parcel)
        return parcel

    def stop(self) -> None:
        """Commit what is waiting, end the thread and close the connection."""
        self._handover.close()
        if self._thread.ident is not None:
            self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        more = True
        while more:
            group, more = self._handover.gather(self._until_probe())
            if group:
                self._commit(group)
            elif more:
                self._probe()

    def _commit(self, group: list[Entry]) -> None:
        parcels = [entry for entry in group if isinstance(entry, Append)]
        writes = [entry for entry in group if not isinstance(entry, Append)] if len(parcels) < len(group) else []
        try:
            last, results = self._transact(parcels, [write for write, _ in writes])
        except Exception as error:
            if is_of_the_file(error):
                # It cannot be written now: the disk is full, gone, or somebody holds the lock. Said before anybody is
                # told, so that nobody who hears of it begins anew.
                self._failed(error)
            elif len(group) > 1:
                # One write of several was at fault: give each a transaction of its own, so that it harms nobody else.
                for entry in group:
                    self._commit([entry])
                return
            tell(parcels, partial(_failure, error))
            for _, future in writes:
                future.set_exception(_failure(error))
        else:
            if self._probing.failing and parcels:  # other writes are smaller than what has to be written
                self._recovered()
            events, size = 0, 0
            for parcel in parcels:
                events, size = events + parcel.events, size + len(parcel.body)
            if parcels:
                self._appends.committed(events, size, last)
            tell(parcels)
            for (write, future), result in zip(writes, results, strict=True):
                write.after(result)
                future.set_result(result)

    def _until_probe(self) -> float | None:
        return self._probing.until_probe() if self._probe_writes else None

    def _probe(self) -> None:
        """See whether a commit gets to the file again, durably."""
        try:
            for write in self._probe_writes:
                self._transact((), [Write(write, lambda _: None, durable=True)])
        except sqlite3.Error as error:
            self._probing.put_off()
            self._failed(error)
        else:
            self._recovered()

    def _failed(self, error: Exception) -> None:
        self._probing.failed()
        self._health.fails(_WRITING, "written", error, hint_for(error))

    def _recovered(self) -> None:
        self._probing.worked()
        self._health.works(_WRITING)

    def _transact(self, parcels: Sequence[Append], writes: Sequence[Write]) -> tuple[int, list[Any]]:
        """Return the number of the last parcel, 0 without any, and the writes' results."""
        connection, last = self._connection, 0
        if not writes and len(parcels) <= MAX_STATEMENT:
            # One statement is a transaction by itself. Each one gives up the interpreter, which a busy event loop may
            # take its time to give back.
            return self._appends.insert(connection, parcels), []
        flush = not self._fsync and any(write.durable for write in writes)
        if flush:
            set_durability(connection, fsync=True)
        try:
            connection.execute("BEGIN IMMEDIATE")
            for start in range(0, len(parcels), MAX_STATEMENT):
                last = self._appends.insert(connection, parcels[start : start + MAX_STATEMENT])
            results = [write.run(connection) for write in writes]
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                # After some errors SQLite has rolled back by itself by the time we ask it to.
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            if flush:
                with contextlib.suppress(sqlite3.Error):
                    set_durability(connection, fsync=False)
        return last, results


def set_durability(connection: sqlite3.Connection, *, fsync: bool) -> None:
    """Choose what the connection's commits survive: with ``fsync`` a power cut, otherwise the end of this process."""
    connection.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")


def _failure(error: Exception) -> Exception:
    """Return what one caller is told: an error of its own, as raising it adds to it."""
    if not isinstance(error, sqlite3.Error):
        return error
    unavailable = SpoolUnavailable(f"cannot write the spool: {error}", hint_for(error))
    unavailable.__cause__ = error
    return unavailable
