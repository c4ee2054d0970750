"""The committer: one thread, one connection, every waiting write in one transaction.

Callers hand over a write and wait for it; they are told only after COMMIT returned. While one group is being committed
the next one gathers, so the group grows with the load and a lone caller waits for one commit only.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import Any, Final, NamedTuple

from tokenboard.durability import Handover, Health, Probing, SpoolUnavailable
from tokenboard.spool.sqlite_errors import hint_for, is_of_the_file

Run = Callable[[sqlite3.Connection], Any]
"""What is done within a transaction, and its result."""

_WRITING: Final = "writing"


class Write(NamedTuple):
    """One write: ``run`` inside the transaction, and ``after`` with its result once that transaction is committed.

    ``run`` is called again when another write spoiled its transaction. ``durable`` makes the transaction, and with it
    everything committed before, survive a power cut whatever the spool's setting.
    """

    run: Run
    after: Callable[[Any], None]
    durable: bool = False


Entry = tuple[Write, Future[Any]]


class Committer:
    """Runs writes on ``connection`` in groups; owns the connection from the first call of `start` on.

    ``fsync`` makes every transaction durable, not only those that ask for it. A transaction that failed by a fault of
    the file is told to ``health``. From then on ``probe`` is tried now and then, a durable transaction for each of its
    parts, and nothing else ends the fault: a small write may find room where what the next one needs has none.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        name: str,
        *,
        fsync: bool,
        health: Health,
        probe: Sequence[Run],
    ) -> None:
        self._connection = connection
        self._health = health
        self._probe_runs = probe
        self._probing = Probing()
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

    def stop(self) -> None:
        """Commit what is waiting, end the thread and close the connection."""
        self._handover.close()
        if self._thread.ident is not None:
            self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        more = True
        while more:
            group, more = self._handover.gather(self._probing.until_probe())
            if group:
                self._commit(group)
            if more and self._probing.due:
                self._probe()

    def _commit(self, group: list[Entry]) -> None:
        try:
            results = self._transact(
                [write.run for write, _ in group], durable=any(write.durable for write, _ in group)
            )
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
            for _, future in group:
                future.set_exception(_failure(error))
        else:
            for (write, future), result in zip(group, results, strict=True):
                write.after(result)
                future.set_result(result)

    def _probe(self) -> None:
        """See whether a commit gets to the file again, durably."""
        try:
            for run in self._probe_runs:
                self._transact([run], durable=True)
        except sqlite3.Error as error:
            self._probing.put_off()
            self._failed(error)
        else:
            self._probing.worked()
            self._health.works(_WRITING)

    def _failed(self, error: Exception) -> None:
        self._probing.failed()
        self._health.fails(_WRITING, "written", error, hint_for(error))

    def _transact(self, runs: Sequence[Run], *, durable: bool) -> list[Any]:
        """Do all of it in one transaction, and return what each gave."""
        connection = self._connection
        flush = durable and not self._fsync
        if flush:
            set_durability(connection, fsync=True)
        try:
            connection.execute("BEGIN IMMEDIATE")
            results = [run(connection) for run in runs]
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


def _failure(error: Exception) -> Exception:
    """Return what one caller is told: an error of its own, as raising it adds to it."""
    if not isinstance(error, sqlite3.Error):
        return error
    unavailable = SpoolUnavailable(f"cannot write the spool: {error}", hint_for(error))
    unavailable.__cause__ = error
    return unavailable
