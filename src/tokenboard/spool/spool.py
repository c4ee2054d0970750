"""The queue itself: parcels in, fixed batches out."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from hashlib import blake2b
from pathlib import Path
from threading import Event, Lock
from typing import Any

from tokenboard.durability import CursorMoved, Health, SpoolDamaged, SpoolError, SpoolFull, SpoolUnavailable
from tokenboard.observability import logger
from tokenboard.spool.committer import Committer, Write
from tokenboard.spool.file import DROPPED, Extent, accept_file, checksum, end_cleanly, open_file, tell_witness
from tokenboard.spool.records import Batch, DeadLetter, Parcel, Receipt, SpoolState
from tokenboard.spool.seen import Seen
from tokenboard.spool.sqlite_errors import hint_for, is_of_the_file

SEEN_DAYS = 7
"""How long an id from outside is remembered (data-api: POST /usage), unless set otherwise."""

_PROBE_BYTES = 65_536  # more than a few pages: what a commit of ordinary size needs
_BOARD = "board"
_DELIVERED = "delivered"
_JOURNAL = "journal."
_log = logger("spool")


class Spool:
    """A durable queue of parcels in ``folder/<name>.sqlite``; at most one process may own a name.

    ``clock_ms`` tells wall-clock epoch ms, ``elapsed_s`` the monotonic seconds by which ids from outside are forgotten.

    Raises:
        SpoolUnavailable: from any method, when the file cannot be used.
        SpoolDamaged: when it is opened, or read, and is not what was acknowledged.

    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        max_bytes: int,
        fsync: bool,
        clock_ms: Callable[[], int],
        elapsed_s: Callable[[], float] = time.monotonic,
        seen_days: int = SEEN_DAYS,
    ) -> None:
        self._clock_ms = clock_ms
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._closed = False
        self._elsewhere = 0
        self.arrived = Event()
        """Set whenever a parcel was committed; the drain clears it."""
        opened = open_file(folder / f"{name}.sqlite", fsync=fsync)
        self.id = opened.id
        self.writer = writer_of(opened.id)
        """Who writes to the ledger what is taken from this spool: a number of 63 bits, 1 or more, the same for ever."""
        self._reader = opened.reader
        self._witness = opened.witness
        self._extent = opened.extent
        self._pending, self._bytes = opened.pending, opened.bytes
        self._dead_letters, self._dropped = opened.dead_letters, opened.dropped
        self._seen = Seen(opened.reader, seen_days=seen_days, clock_ms=clock_ms, elapsed_s=elapsed_s)
        self._health = Health(clock_ms)
        self._committer = Committer(
            opened.writer,
            f"spool-{name}",
            fsync=fsync,
            health=self._health,
            probe=(_write_probe, _take_back_probe),
        )
        self._committer.start()

    @staticmethod
    def accept(folder: Path, name: str) -> Path | None:
        """Make a spool that was refused as damaged one to go on with, holding what is left; nobody may have it open.

        Returns where its files were moved when nothing of it can be used, None when it stays in its place.
        """
        return accept_file(folder / f"{name}.sqlite")

    # --- intake's side ---------------------------------------------------------------------------------------------

    def has_room(self) -> bool:
        """Whether new work may be taken; ask before starting anything whose usage must be recorded."""
        return self._bytes + self._elsewhere < self._max_bytes

    @property
    def sound(self) -> bool:
        """Whether the file can be written and read, as far as the last attempts tell; ask as `has_room` is asked."""
        return self._health.sound

    def append_new(self, parcels: Callable[[Sequence[int]], bytes], ids: Sequence[bytes]) -> "Future[Receipt]":
        """Queue those of the events whose ids have not been seen within the memory of ids, in one transaction.

        ``parcels`` is called with the positions to keep and returns the body that holds them; ``ids`` are any bytes
        that name an event. A second event of the same id within ``ids`` counts as a duplicate too.

        Raises:
            SpoolFull: the limit is reached; nothing was taken.

        """
        if not self.has_room():
            raise SpoolFull(f"the spool holds {self._bytes:,} bytes, its limit is {self._max_bytes:,}")
        digests = [blake2b(name, digest_size=16).digest() for name in ids]
        size, seq = 0, 0

        def run(connection: sqlite3.Connection) -> Receipt:
            nonlocal size, seq
            self._seen.sweep(connection)
            fresh = self._seen.remember(connection, digests)
            if fresh:
                body = parcels(fresh)
                size = len(body)
                seq = _insert(connection, body, len(fresh))
            return Receipt(accepted=len(fresh), duplicates=len(digests) - len(fresh))

        def after(receipt: Receipt) -> None:
            if receipt.accepted:
                self._arrived(receipt.accepted, size, seq)

        return self._committer.submit(Write(run, after))

    # --- the collector's side --------------------------------------------------------------------------------------

    def cursor(self, journal: str) -> str | None:
        """Return how far a journal was collected, as its collector noted it; None before the first time."""
        return self._noted(_JOURNAL + journal)

    def collect(
        self,
        journal: str,
        cursor: str,
        *,
        after: str | None,
        parcels: Sequence[tuple[int, bytes]],
        dead_letters: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Take over what a journal holds up to ``cursor``, as parcels of so many events, and note the cursor with them.

        All of it in one transaction, which survives a power cut whatever the spool's setting: the journal will forget
        it. ``after`` is the cursor behind which it was read; so nothing is taken over twice. Blocks.

        Raises:
            CursorMoved: the journal has been collected further, or less far, than to ``after``.

        """

        def run(connection: sqlite3.Connection) -> int:
            name = _JOURNAL + journal
            row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
            if (None if row is None else row[0]) != after:
                raise CursorMoved("a journal has been collected by somebody else meanwhile")
            seq = 0
            for events, body in parcels:
                seq = _insert(connection, body, events)
            if dead_letters:
                _add_dead_letters(connection, self._clock_ms(), dead_letters)
            _note(connection, name, cursor)
            return seq

        def after_commit(seq: int) -> None:
            with self._lock:
                self._dead_letters += len(dead_letters)
            if parcels:
                self._arrived(sum(events for events, _ in parcels), sum(len(body) for _, body in parcels), seq)

        self._committer.submit(Write(run, after_commit, durable=True)).result()

    def note_elsewhere(self, size: int) -> None:
        """Count so many bytes of usage, which wait in journals, towards the spool's limit."""
        self._elsewhere = size

    # --- the drain's side ------------------------------------------------------------------------------------------

    def fixed(self) -> Batch | None:
        """Return the batch that was fixed and not yet acknowledged, if any: it must be retried before anything else."""
        for batch_id, last_seq, plan, total in self._read("SELECT id, last_seq, plan, sum FROM batch"):
            if total is not None and total != checksum(plan):
                raise SpoolDamaged(f"what was decided about the batch {batch_id} is not what was stored")
            return Batch(batch_id, last_seq, plan, self._parcels(last_seq))
        return None

    def peek(self, max_events: int, max_bytes: int) -> tuple[Parcel, ...]:
        """Return the oldest parcels, of ``max_events`` events and ``max_bytes`` at most; a larger first comes alone."""
        last, events, size = None, 0, 0
        for seq, more_events, more_bytes in self._read(
            "SELECT seq, events, length(body) FROM parcels ORDER BY seq LIMIT ?", (max(max_events, 1),)
        ):
            events, size = events + more_events, size + more_bytes
            if last is not None and (events > max_events or size > max_bytes):
                break
            last = seq
        return () if last is None else self._parcels(last)

    def fix(self, last_seq: int, plan: bytes, dead_letters: Iterable[tuple[str, bytes]] = ()) -> str:
        """Fix all parcels up to ``last_seq`` as the next batch and return its id.

        ``dead_letters`` are the records of it that no store takes, as (reason, bytes): they are kept apart with it.

        Survives a power cut whatever the spool's setting: otherwise parcels that the ledger already has could come
        back, or later ones get their sequence numbers and with them this batch's id.

        Raises:
            SpoolError: another batch is still fixed, or there is no parcel ``last_seq``.

        """
        batch_id = f"{self.id}-{last_seq}"
        dead = list(dead_letters)

        def run(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT 1 FROM batch").fetchone():
                raise SpoolError("a batch is already fixed; acknowledge it first")
            if connection.execute("SELECT 1 FROM parcels WHERE seq = ?", (last_seq,)).fetchone() is None:
                raise SpoolError(f"no parcel {last_seq} waits")
            connection.execute(
                "INSERT INTO batch (only, id, last_seq, plan, sum) VALUES (1, ?, ?, ?, ?)",
                (batch_id, last_seq, plan, checksum(plan)),
            )
            now = self._clock_ms()
            _add_dead_letters(connection, now, dead)

        def after(_: None) -> None:
            with self._lock:
                self._dead_letters += len(dead)
            self._reached(Extent(self._extent.last, last_seq))

        self._committer.submit(Write(run, after, durable=True)).result()
        return batch_id

    def ack(self, batch_id: str, *, number: int | None = None) -> None:
        """Forget the fixed batch and its parcels: the ledger has them, under this ``number`` if it got any rows.

        Raises:
            SpoolError: no batch of this id is fixed.

        """

        def run(connection: sqlite3.Connection) -> tuple[int, int]:
            row = connection.execute("SELECT last_seq FROM batch WHERE id = ?", (batch_id,)).fetchone()
            if row is None:
                raise SpoolError(f"no batch {batch_id} is fixed")
            events, size = connection.execute(
                "SELECT coalesce(sum(events), 0), coalesce(sum(length(body)), 0) FROM parcels WHERE seq <= ?", row
            ).fetchone()
            connection.execute("DELETE FROM parcels WHERE seq <= ?", row)
            connection.execute("DELETE FROM batch")
            connection.execute("UPDATE meta SET value = ? WHERE name = 'acked'", (str(row[0]),))
            if number is not None:
                _note(connection, _DELIVERED, number)
            return int(events), int(size)

        def after(gone: tuple[int, int]) -> None:
            with self._lock:
                self._pending -= gone[0]
                self._bytes -= gone[1]

        self._committer.submit(Write(run, after)).result()

    # --- the board's side ------------------------------------------------------------------------------------------

    def board(self) -> str | None:
        """Return the id of the board that the spool belongs to, None before it was told."""
        return self._noted(_BOARD)

    def join_board(self, board: str) -> None:
        """Make the spool one of this board's."""
        self._committer.submit(Write(lambda connection: _note(connection, _BOARD, board), _nothing)).result()

    def delivered(self) -> int | None:
        """Return the number of the last batch that the ledger has acknowledged; None when none was noted."""
        noted = self._noted(_DELIVERED)
        return None if noted is None else int(noted)

    def note_delivered(self, number: int) -> None:
        """Note the last batch that the ledger has, where an operator has put another ledger or spool in its place."""
        self._committer.submit(Write(lambda connection: _note(connection, _DELIVERED, number), _nothing)).result()

    def used(self) -> bool:
        """Whether it has ever held a parcel."""
        return self._extent.last > 0

    def emptied(self) -> bool:
        """Whether all that it ever held is delivered."""
        return self.used() and not self._look_up("SELECT 1 FROM parcels LIMIT 1")

    def bodies(self) -> Iterator[bytes]:
        """Yield the bytes of all that waits and of all dead letters, for a look before any of it moves."""
        for sql in (
            "SELECT seq, body FROM parcels WHERE seq > ? ORDER BY seq LIMIT 50",
            "SELECT number, body FROM aside WHERE number > ? ORDER BY number LIMIT 50",
        ):
            last = 0
            while rows := self._look_up(sql, (last,)):
                last = rows[-1][0]
                yield from (body for _, body in rows)

    # --- the operator's side ---------------------------------------------------------------------------------------

    def state(self) -> SpoolState:
        """Return how full the spool is; cheap, from memory."""
        with self._lock:
            return SpoolState(
                self._pending, self._bytes, self._max_bytes, self._dead_letters, self._dropped, self._health.fault()
            )

    def dead_letters(self, limit: int = 100) -> tuple[DeadLetter, ...]:
        """Return the dead letters, oldest first."""
        rows = self._look_up("SELECT number, at_ms, reason, body FROM aside ORDER BY number LIMIT ?", (limit,))
        return tuple(DeadLetter(*row) for row in rows)

    def replay(self, number: int, count: Callable[[bytes], int]) -> None:
        """Queue a dead letter anew; ``count`` tells how many events its bytes hold, or raises.

        Raises:
            SpoolError: there is none of this number.

        """

        def run(connection: sqlite3.Connection) -> tuple[int, int, int]:
            body = _take_dead_letter(connection, number)
            events = count(body)
            return events, len(body), _insert(connection, body, events)

        def after(queued: tuple[int, int, int]) -> None:
            with self._lock:
                self._dead_letters -= 1
            self._arrived(*queued)

        self._committer.submit(Write(run, after)).result()

    def drop(self, number: int) -> DeadLetter:
        """Give up a dead letter, for good, and return it; the spool counts how many were.

        Raises:
            SpoolError: there is none of this number.

        """
        dropped: list[DeadLetter] = []

        def run(connection: sqlite3.Connection) -> int:
            found = connection.execute("SELECT number, at_ms, reason, body FROM aside WHERE number = ?", (number,))
            dropped[:] = [DeadLetter(*row) for row in found]
            _take_dead_letter(connection, number)
            total = self._dropped + 1
            _note(connection, DROPPED, total)
            return total

        def after(total: int) -> None:
            with self._lock:
                self._dead_letters -= 1
                self._dropped = total

        self._committer.submit(Write(run, after, durable=True)).result()
        (letter,) = dropped
        facts = {"record": number, "at_ms": letter.at_ms, "bytes": len(letter.body), "reason": letter.reason}
        _log.warning("a dead letter was dropped, for good", extra=facts)
        return letter

    def close(self) -> None:
        """Commit what is waiting and close the file."""

        def run(connection: sqlite3.Connection) -> None:
            self._seen.save(connection)
            end_cleanly(connection)

        if self._closed:
            return
        self._closed = True
        try:
            self._committer.submit(Write(run, lambda _: None)).result()
        except SpoolError as error:
            # The disk is full: it is only not known to have ended well.
            _log.warning("the spool's end could not be noted", extra={"reason": str(error)})
        self._reader.close()
        self._committer.stop()
        self._witness.close()

    # --- within ----------------------------------------------------------------------------------------------------

    def _arrived(self, events: int, size: int, seq: int) -> None:
        self._reached(Extent(seq, self._extent.fixed))
        with self._lock:
            self._pending += events
            self._bytes += size
        self.arrived.set()

    def _reached(self, extent: Extent) -> None:
        """Tell the witness how far the spool has come, before anybody else hears of it; the committer's thread only."""
        self._extent = extent
        tell_witness(self._witness, extent)

    def _parcels(self, last_seq: int) -> tuple[Parcel, ...]:
        rows = self._read("SELECT seq, events, body, sum FROM parcels WHERE seq <= ? ORDER BY seq", (last_seq,))
        return tuple(
            Parcel(seq, events, body, total is None or total == checksum(body)) for seq, events, body, total in rows
        )

    def _noted(self, name: str) -> str | None:
        rows = self._look_up("SELECT value FROM meta WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def _read(self, sql: str, parameters: tuple[int | str, ...] = ()) -> list[Any]:
        """Ask what the drain needs to know: while that cannot be answered, nothing more is to be taken in."""
        try:
            rows = self._look_up(sql, parameters)
        except SpoolUnavailable as error:
            cause = error.__cause__
            if isinstance(cause, sqlite3.Error) and is_of_the_file(cause):
                self._health.fails(sql, "read", cause, hint_for(cause))
            raise
        self._health.works(sql)
        return rows

    def _look_up(self, sql: str, parameters: tuple[int | str, ...] = ()) -> list[Any]:
        try:
            return self._reader.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise SpoolUnavailable(f"cannot read the spool: {error}", hint_for(error)) from error


def writer_of(spool_id: str) -> int:
    """Return the writer whose batches come from the spool of this id."""
    return int.from_bytes(blake2b(spool_id.encode(), digest_size=8).digest()) >> 1 or 1


def _write_probe(connection: sqlite3.Connection) -> None:
    # Puts in none, as a parcel would be delivered and its number missed, but needs all that putting one in does.
    connection.execute("INSERT INTO parcels (events, body, sum) SELECT 0, '', 0 WHERE 0")
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('probe', ?)", ("." * _PROBE_BYTES,))


def _take_back_probe(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM meta WHERE name = 'probe'")


def _note(connection: sqlite3.Connection, name: str, value: object) -> None:
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, str(value)))


def _add_dead_letters(connection: sqlite3.Connection, at_ms: int, letters: Sequence[tuple[str, bytes]]) -> None:
    connection.executemany(
        "INSERT INTO aside (at_ms, reason, body) VALUES (?, ?, ?)", [(at_ms, reason, body) for reason, body in letters]
    )


def _take_dead_letter(connection: sqlite3.Connection, number: int) -> bytes:
    row = connection.execute("SELECT body FROM aside WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise SpoolError(f"no dead letter {number}")
    connection.execute("DELETE FROM aside WHERE number = ?", (number,))
    return bytes(row[0])


def _nothing(_: object) -> None:
    """Say nothing to anybody."""


def _insert(connection: sqlite3.Connection, body: bytes, events: int) -> int:
    done = connection.execute(
        "INSERT INTO parcels (events, body, sum) VALUES (?, ?, ?)", (events, body, checksum(body))
    )
    return int(done.lastrowid or 0)
