"""The queue itself: parcels in, fixed batches out."""

import contextlib
import sqlite3
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from threading import Event, Lock
from typing import Any, NamedTuple

from tokenboard.spool.committer import Append, Appends, Committer, Write, set_durability
from tokenboard.spool.errors import SpoolError, SpoolFull, SpoolUnavailable

SEEN_DAYS = 7
"""How long an id from outside is remembered (data-api: POST /usage), unless set otherwise."""

_SWEEP = 20_000
_LOOKUP = 500  # values in one statement, within every SQLite's limit of parameters
_DAY_MS = 86_400_000

_SUMS = "SELECT coalesce(sum(events), 0), coalesce(sum(length(body)), 0)"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parcels (seq INTEGER PRIMARY KEY AUTOINCREMENT, events INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS batch (
    only INTEGER PRIMARY KEY CHECK (only = 1), id TEXT NOT NULL, last_seq INTEGER NOT NULL, plan BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS aside (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, reason TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS seen (digest BLOB PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_at ON seen (at_ms);
"""


class Parcel(NamedTuple):
    """One appended record: ``events`` usage events in ``body``. ``seq`` grows with every append and is never reused."""

    seq: int
    events: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """All parcels up to ``last_seq`` under an id that never changes; ``plan`` is the drain's own record."""

    id: str
    last_seq: int
    plan: bytes
    parcels: tuple[Parcel, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one append: the number of events taken, and of those whose id had been seen before."""

    accepted: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Aside:
    """A record set aside: when (epoch ms), why, and its bytes."""

    number: int
    at_ms: int
    reason: str
    body: bytes


@dataclass(frozen=True, slots=True)
class SpoolState:
    """How full the spool is: events and bytes not yet acknowledged by the ledger, its limit, and records set aside."""

    pending: int
    bytes: int
    max_bytes: int
    aside: int

    @property
    def full(self) -> bool:
        """Whether new work is refused."""
        return self.bytes >= self.max_bytes


class Spool:
    """A durable queue of parcels in ``folder/<name>.sqlite``; at most one process may own a name.

    Raises:
        SpoolUnavailable: from any method, when the file cannot be used.

    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        max_bytes: int,
        fsync: bool,
        clock_ms: Callable[[], int],
        seen_days: int = SEEN_DAYS,
    ) -> None:
        self._clock_ms = clock_ms
        self._max_bytes = max_bytes
        self._seen_ms = seen_days * _DAY_MS
        self._swept_ms = 0
        self._lock = Lock()
        self.arrived = Event()
        """Set whenever a parcel was committed; the drain clears it."""
        path = folder / f"{name}.sqlite"
        with contextlib.ExitStack() as opened:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                writer = opened.enter_context(contextlib.closing(_connect(path, fsync)))
                self.id = _prepare(writer)
                reader = opened.enter_context(contextlib.closing(_connect(path, fsync)))
                pending, size = writer.execute(f"{_SUMS} FROM parcels").fetchone()
                (aside,) = writer.execute("SELECT count(*) FROM aside").fetchone()
            except (sqlite3.Error, OSError) as error:
                raise SpoolUnavailable(f"cannot open the spool {path}: {error}") from error
            opened.pop_all()
        self._reader = reader
        self._pending, self._bytes, self._aside = int(pending), int(size), int(aside)
        self._committer = Committer(writer, f"spool-{name}", fsync=fsync, appends=Appends(_insert_all, self._arrived))
        self._committer.start()

    # --- the door's side -------------------------------------------------------------------------------------------

    def has_room(self) -> bool:
        """Whether new work may be taken; ask before starting anything whose usage must be recorded."""
        return self._bytes < self._max_bytes

    def append(self, body: bytes, events: int = 1) -> Awaitable[None]:
        """Queue one parcel from a running event loop; awaiting it there waits until the parcel is committed.

        Never refuses for lack of room: usage of an answer already begun must not be lost. `has_room` guards the door.
        """
        return self._committer.append(events, body)

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

        size = 0

        def run(connection: sqlite3.Connection) -> Receipt:
            nonlocal size
            now = self._clock_ms()
            self._sweep(connection, now)
            fresh = _remember(connection, digests, now, now - self._seen_ms)
            if fresh:
                body = parcels(fresh)
                size = len(body)
                _insert(connection, body, len(fresh))
            return Receipt(accepted=len(fresh), duplicates=len(digests) - len(fresh))

        return self._committer.submit(Write(run, lambda receipt: self._arrived(receipt.accepted, size)))

    # --- the drain's side ------------------------------------------------------------------------------------------

    def fixed(self) -> Batch | None:
        """Return the batch that was fixed and not yet acknowledged, if any: it must be retried before anything else."""
        for batch_id, last_seq, plan in self._read("SELECT id, last_seq, plan FROM batch"):
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

    def fix(self, last_seq: int, plan: bytes, aside: Iterable[tuple[str, bytes]] = ()) -> str:
        """Fix all parcels up to ``last_seq`` as the next batch and return its id; set the given records aside with it.

        Survives a power cut whatever the spool's setting: otherwise parcels that the ledger already has could come
        back, or later ones get their sequence numbers and with them this batch's id.

        Raises:
            SpoolError: another batch is still fixed, or there is no parcel ``last_seq``.

        """
        batch_id = f"{self.id}-{last_seq}"
        asides = list(aside)

        def run(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT 1 FROM batch").fetchone():
                raise SpoolError("a batch is already fixed; acknowledge it first")
            if connection.execute("SELECT 1 FROM parcels WHERE seq = ?", (last_seq,)).fetchone() is None:
                raise SpoolError(f"no parcel {last_seq} waits")
            connection.execute(
                "INSERT INTO batch (only, id, last_seq, plan) VALUES (1, ?, ?, ?)", (batch_id, last_seq, plan)
            )
            now = self._clock_ms()
            connection.executemany(
                "INSERT INTO aside (at_ms, reason, body) VALUES (?, ?, ?)",
                [(now, reason, body) for reason, body in asides],
            )

        def after(_: None) -> None:
            with self._lock:
                self._aside += len(asides)

        self._committer.submit(Write(run, after, durable=True)).result()
        return batch_id

    def ack(self, batch_id: str) -> None:
        """Forget the fixed batch and its parcels: the ledger has them.

        Raises:
            SpoolError: no batch of this id is fixed.

        """

        def run(connection: sqlite3.Connection) -> tuple[int, int]:
            row = connection.execute("SELECT last_seq FROM batch WHERE id = ?", (batch_id,)).fetchone()
            if row is None:
                raise SpoolError(f"no batch {batch_id} is fixed")
            events, size = connection.execute(f"{_SUMS} FROM parcels WHERE seq <= ?", row).fetchone()
            connection.execute("DELETE FROM parcels WHERE seq <= ?", row)
            connection.execute("DELETE FROM batch")
            return int(events), int(size)

        def after(gone: tuple[int, int]) -> None:
            with self._lock:
                self._pending -= gone[0]
                self._bytes -= gone[1]

        self._committer.submit(Write(run, after)).result()

    # --- the operator's side ---------------------------------------------------------------------------------------

    def state(self) -> SpoolState:
        """Return how full the spool is; cheap, from memory."""
        with self._lock:
            return SpoolState(self._pending, self._bytes, self._max_bytes, self._aside)

    def asides(self, limit: int = 100) -> tuple[Aside, ...]:
        """Return the records set aside, oldest first."""
        rows = self._read("SELECT number, at_ms, reason, body FROM aside ORDER BY number LIMIT ?", (limit,))
        return tuple(Aside(*row) for row in rows)

    def replay(self, number: int, count: Callable[[bytes], int]) -> None:
        """Queue a record set aside anew; ``count`` tells how many events its bytes hold, or raises.

        Raises:
            SpoolError: there is no such record.

        """

        def run(connection: sqlite3.Connection) -> tuple[int, int]:
            row = connection.execute("SELECT body FROM aside WHERE number = ?", (number,)).fetchone()
            if row is None:
                raise SpoolError(f"no record {number} is set aside")
            events = count(row[0])
            _insert(connection, row[0], events)
            connection.execute("DELETE FROM aside WHERE number = ?", (number,))
            return events, len(row[0])

        def after(queued: tuple[int, int]) -> None:
            with self._lock:
                self._aside -= 1
            self._arrived(*queued)

        self._committer.submit(Write(run, after)).result()

    def close(self) -> None:
        """Commit what is waiting and close the file."""
        self._committer.stop()
        self._reader.close()

    # --- within ----------------------------------------------------------------------------------------------------

    def _arrived(self, events: int, size: int) -> None:
        if events or size:
            with self._lock:
                self._pending += events
                self._bytes += size
            self.arrived.set()

    def _sweep(self, connection: sqlite3.Connection, now: int) -> None:
        if now - self._swept_ms < 60_000:
            return
        removed = connection.execute(
            "DELETE FROM seen WHERE digest IN (SELECT digest FROM seen WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
            (now - self._seen_ms, _SWEEP),
        ).rowcount
        if removed < _SWEEP:
            self._swept_ms = now

    def _parcels(self, last_seq: int) -> tuple[Parcel, ...]:
        rows = self._read("SELECT seq, events, body FROM parcels WHERE seq <= ? ORDER BY seq", (last_seq,))
        return tuple(Parcel(*row) for row in rows)

    def _read(self, sql: str, parameters: tuple[int, ...] = ()) -> list[Any]:
        try:
            return self._reader.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise SpoolUnavailable(f"cannot read the spool: {error}") from error


def _connect(path: Path, fsync: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        set_durability(connection, fsync=fsync)
        # The ids from outside are random, and so are the pages they change: write a changed page to the file less often
        # (every 8,000 pages of log, 32 MiB), and keep more of them in memory (16 MiB).
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
        connection.execute("PRAGMA cache_size = -16384")
        connection.execute("PRAGMA journal_size_limit = 67108864")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> str:
    """Make the tables that are missing and return the spool's id; finds out, too, whether the file can be written."""
    connection.executescript(_SCHEMA)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('id', ?)", (uuid.uuid4().hex,))
    (spool_id,) = connection.execute("SELECT value FROM meta WHERE name = 'id'").fetchone()
    connection.execute("COMMIT")
    return str(spool_id)


def _insert_all(connection: sqlite3.Connection, parcels: Sequence[Append]) -> None:
    rows = ", ".join(["(?, ?)"] * len(parcels))
    connection.execute(
        f"INSERT INTO parcels (events, body) VALUES {rows}",  # noqa: S608 - question marks only
        [value for parcel in parcels for value in (parcel.events, parcel.body)],
    )


def _insert(connection: sqlite3.Connection, body: bytes, events: int) -> None:
    connection.execute("INSERT INTO parcels (events, body) VALUES (?, ?)", (events, body))


def _remember(connection: sqlite3.Connection, digests: Sequence[bytes], now: int, oldest: int) -> list[int]:
    """Remember the ids not seen since ``oldest`` and return their positions, each id's first only."""
    first = {digest: position for position, digest in reversed(list(enumerate(digests)))}
    # In the order of the table: neighbours share pages.
    ordered = sorted(first)
    fresh: list[int] = []
    for start in range(0, len(ordered), _LOOKUP):
        some = ordered[start : start + _LOOKUP]
        # Looked up and written in one: what was seen lately is left as it is, and not returned.
        rows = ",".join(["(?)"] * len(some))
        upsert = (
            f"INSERT INTO seen (digest, at_ms) SELECT column1, ? FROM (VALUES {rows}) WHERE true "  # noqa: S608 - marks
            "ON CONFLICT (digest) DO UPDATE SET at_ms = excluded.at_ms WHERE seen.at_ms < ? RETURNING digest"
        )
        fresh += [first[digest] for (digest,) in connection.execute(upsert, (now, *some, oldest))]
    return sorted(fresh)
