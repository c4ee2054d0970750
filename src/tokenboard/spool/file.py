"""The spool's file: its tables, and whether it is what was last acknowledged.

    missing? ─▶ sound? ─▶ in one piece? ─▶ as far as its witness says? ─▶ open

What cannot be noticed: a change within the memory of ids, which has no sums of its own; and, where the witness was lost
together with the end of the log, what was acknowledged since the last clean end.
"""

import contextlib
import sqlite3
import time
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tokenboard.durability import SpoolDamaged, SpoolUnavailable, Witness, boot_id
from tokenboard.observability import BoundedLog, logger
from tokenboard.spool.committer import set_durability

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parcels (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, events INTEGER NOT NULL, body BLOB NOT NULL, sum INTEGER
);
CREATE TABLE IF NOT EXISTS batch (
    only INTEGER PRIMARY KEY CHECK (only = 1), id TEXT NOT NULL, last_seq INTEGER NOT NULL, plan BLOB NOT NULL,
    sum INTEGER
);
CREATE TABLE IF NOT EXISTS aside (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, reason TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS seen (digest BLOB PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_at ON seen (at_ms);
"""
# ``aside`` holds the dead letters: folders of the first version have the table under this name.
_SUMMED = ("parcels", "batch")
"""Tables that an older program made without their column ``sum``."""

_CHECKED = ("meta", "parcels", "batch", "aside")
_NAMES = {"acked": "0", "gap": "0", "clean": "1"}
DROPPED = "dropped"
"""Under this name ``meta`` holds how many dead letters operators have given up."""

_SIDE_FILES = ("", "-wal", "-shm", "-witness")
_log = logger("spool")
_bounded_log = BoundedLog(_log)


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a spool has come, as its witness tells: its last parcel, and the last one that a batch was fixed with."""

    last: int = 0
    fixed: int = 0

    def reaches(self, other: "Extent") -> bool:
        """Whether this state has everything that the other had."""
        return self.last >= other.last and self.fixed >= other.fixed


@dataclass(frozen=True, slots=True)
class Opened:
    """An open file: two connections to it, its witness, its id, how far it has come and what it holds."""

    writer: sqlite3.Connection
    reader: sqlite3.Connection
    witness: Witness
    id: str
    extent: Extent
    pending: int
    bytes: int
    dead_letters: int
    dropped: int


def checksum(body: bytes) -> int:
    """Return what is stored beside bytes, and compared when they are read."""
    return zlib.crc32(body)


def open_file(path: Path, *, fsync: bool) -> Opened:
    """Open the file of a spool, made when there is none.

    Raises:
        SpoolDamaged: it is not what was last acknowledged; nothing was changed.
        SpoolUnavailable: it cannot be read or written.

    """
    beside = witness_of(path)
    with contextlib.ExitStack() as opened:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _refuse_if_gone(path, beside)
            _look(path, beside)
            writer = opened.enter_context(contextlib.closing(_connect(path, fsync)))
            spool_id = _prepare(writer)
            _verify(writer, path, beside)
            extent = _extent(writer)
            witness = opened.enter_context(contextlib.closing(Witness(beside, spool_id, fsync=fsync)))
            _begin(writer, path)
            tell_witness(witness, extent)
            reader = opened.enter_context(contextlib.closing(_connect(path, fsync)))
            pending, size = writer.execute(
                "SELECT coalesce(sum(events), 0), coalesce(sum(length(body)), 0) FROM parcels"
            ).fetchone()
            (dead_letters,) = writer.execute("SELECT count(*) FROM aside").fetchone()
            dropped = writer.execute("SELECT value FROM meta WHERE name = ?", (DROPPED,)).fetchone() or (0,)
        except sqlite3.OperationalError as error:
            raise SpoolUnavailable(f"cannot open the spool {path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise SpoolDamaged(f"the spool {path} is damaged: {error}") from error
        except OSError as error:
            raise SpoolUnavailable(f"cannot open the spool {path}: {error}") from error
        opened.pop_all()
    return Opened(
        writer, reader, witness, spool_id, extent, int(pending), int(size), int(dead_letters), int(dropped[0])
    )


def tell_witness(witness: Witness, extent: Extent) -> None:
    """Tell the witness how far the spool has come. What cannot be written is logged: the spool itself has it."""
    try:
        witness.write(extent.last, extent.fixed)
    except OSError as error:
        facts = {"reason": str(error), "hint": "Until it can be, a spool that loses its end may go unnoticed."}
        _bounded_log.warning("witness", "the spool's witness cannot be written", facts)


def end_cleanly(connection: sqlite3.Connection) -> None:
    """Note that nothing is left but the file itself: from here to the next opening it may be copied alone."""
    connection.execute("UPDATE meta SET value = '1' WHERE name = 'clean'")


def accept_file(path: Path) -> Path | None:
    """Make a spool that was refused as damaged one to go on with, on an operator's word: it holds what is left.

    Returns where its files were moved when nothing of it can be used, None when it stays in its place.

    Raises:
        SpoolUnavailable: it cannot be written.

    """
    try:
        witness_of(path).unlink(missing_ok=True)
        if not path.exists():
            return None
        try:
            with contextlib.closing(_connect(path, fsync=True)) as connection:
                _prepare(connection)
                _check(connection, path)
                last = _extent(connection).last
                connection.execute("UPDATE meta SET value = ? WHERE name = 'gap'", (str(last),))
                end_cleanly(connection)
        except (SpoolDamaged, sqlite3.DatabaseError):
            moved = path.with_name(f"{path.name}.damaged-{int(time.time())}")
            for suffix in _SIDE_FILES:
                with contextlib.suppress(FileNotFoundError):
                    path.with_name(path.name + suffix).rename(moved.with_name(moved.name + suffix))
            return moved
    except OSError as error:
        raise SpoolUnavailable(f"cannot change the spool {path}: {error}") from error
    return None


def witness_of(path: Path) -> Path:
    """Return where the witness of a spool's file lies."""
    return path.with_name(f"{path.name}-witness")


BUSY_S = 5.0
"""How long a write waits for another process that holds the file, in seconds: answers to clients wait meanwhile, and
nobody but a backup has any business there."""


def _connect(path: Path, fsync: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
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


def _refuse_if_gone(path: Path, beside: Path) -> None:
    if (not path.exists() or path.stat().st_size == 0) and Witness.says(beside) is not None:
        raise SpoolDamaged(f"the spool {path} is gone or empty, and its witness {beside.name} says that there was one")


def _prepare(connection: sqlite3.Connection) -> str:
    """Make what is missing of the tables and return the spool's id; a file that has all of it is not written."""
    connection.executescript(_SCHEMA)
    for table in _SUMMED:
        if "sum" not in {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN sum INTEGER")
    held = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    wanted = _NAMES | {"id": uuid.uuid4().hex, "acked": str(_acked_by_an_older_program(connection))}
    if missing := {name: value for name, value in wanted.items() if name not in held}:
        connection.executemany("INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?)", missing.items())
    return str({**missing, **held}["id"])


def _acked_by_an_older_program(connection: sqlite3.Connection) -> int:
    """Return the last parcel that is no more, as an older program did not note it."""
    (first,) = connection.execute("SELECT min(seq) FROM parcels").fetchone()
    return _last(connection) if first is None else int(first) - 1


def _last(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'parcels'").fetchone()
    return int(row[0]) if row else 0


def _extent(connection: sqlite3.Connection) -> Extent:
    acked = int(connection.execute("SELECT value FROM meta WHERE name = 'acked'").fetchone()[0])
    fixed = connection.execute("SELECT last_seq FROM batch").fetchone()
    return Extent(_last(connection), int(fixed[0]) if fixed else acked)


def _look(path: Path, beside: Path) -> None:
    """Verify a file that was not closed before anything may write to it: a log that is refused stays as it is."""
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() or not log.stat().st_size:
        return
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
        try:
            _verify(connection, path, beside)
        except sqlite3.OperationalError as error:
            # Nobody has made its tables yet, or a full disk has no room for the log's index: opening it will tell.
            _log.debug("the spool could not be looked at", extra={"reason": str(error)})


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise SpoolDamaged when a table's pages are not in order; the memory of ids is too large to be looked through."""
    for table in _CHECKED:
        for (fault,) in connection.execute(f"PRAGMA quick_check({table})"):
            if fault != "ok":
                raise SpoolDamaged(f"the spool {path} is damaged: {str(fault).splitlines()[0]}")


def _verify(connection: sqlite3.Connection, path: Path, beside: Path) -> None:
    """Raise SpoolDamaged unless the file has every parcel it should have, and is as far as its witness says."""
    _check(connection, path)
    held = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    if "acked" not in held:
        return  # an older program's
    extent = _extent(connection)
    counted_from = max(int(held["acked"]), int(held["gap"]))
    (waiting,) = connection.execute("SELECT count(*) FROM parcels WHERE seq > ?", (counted_from,)).fetchone()
    if waiting != extent.last - counted_from:
        raise SpoolDamaged(
            f"of {extent.last - counted_from:,} parcels that wait in the spool {path}, {waiting:,} are there"
        )
    said = Witness.says(beside)
    if said is None:
        if held["clean"] != "1":
            raise SpoolDamaged(
                f"the spool {path} was not closed, and {beside.name}, which says how far it had come, is missing"
            )
        return
    if said.spool != held["id"]:
        raise SpoolDamaged(f"{path} is another spool than the one that {beside.name} speaks of")
    told = Extent(*said.extent)
    if extent.reaches(told):
        return
    lost = max(told.last - extent.last, 0)
    what = f"{lost:,} parcels of acknowledged usage" if lost else "that batches were delivered"
    if said.boot not in ("", boot_id()) and not said.fsync and extent.fixed >= told.fixed:
        facts = {"parcels": lost, "hint": "Set [spool] fsync = true, and a power cut costs nothing."}
        _log.error("a power cut has cost the spool what [spool] fsync = false leaves to it", extra=facts)
        return
    raise SpoolDamaged(f"the spool {path} lacks {what}: the end of its log is cut off, damaged or gone")


def _begin(connection: sqlite3.Connection, path: Path) -> None:
    """Note in the file itself, not only in its log, that it is in use: without a witness it is refused from here on."""
    try:
        connection.execute("UPDATE meta SET value = '0' WHERE name = 'clean' AND value <> '0'")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        # A full disk: what it holds can be delivered all the same, and appends tell for themselves.
        _log.error("the spool cannot be written", extra={"spool": str(path), "reason": str(error)})
