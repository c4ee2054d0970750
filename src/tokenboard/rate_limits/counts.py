"""The counts of the windows under way: in memory, and on disk a moment later."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Event, Lock, Thread

from limits.storage import Storage

from tokenboard.observability import logger

_SCHEMA = "CREATE TABLE IF NOT EXISTS counts (key TEXT PRIMARY KEY, count INTEGER NOT NULL, ends_s INTEGER NOT NULL)"
LONG_S = 3_600
"""Windows shorter than this, in seconds, are not kept on disk: a restart takes about as long."""

# Instead of a key, which is never empty and never begins so.
_ALL, _ENDED = "", " ended"

_Statement = tuple[str, tuple[object, ...]]

_SIDE_FILES = ("", "-wal", "-shm")
_SWEEP_S = 60
_log = logger("rate_limits")


class Counts(Storage):
    """A storage for ``limits`` in one SQLite file; windows are aligned to the epoch, so that days are UTC days.

    ``file`` None keeps the counts in memory only, as are those of windows shorter than `LONG_S`. Counting waits for no
    disk, so an event loop may count: a thread of its own writes what has changed, at once. Counts outlive the process;
    what ends it without warning, or a power cut, may cost the last of them. A damaged file is replaced by an empty one;
    one that cannot be written is logged and tried again with the next count: counting goes on in memory, as refusing
    every caller would be worse. Safe from any thread. ``clock_ms`` gives UTC epoch ms.
    """

    STORAGE_SCHEME = None

    def __init__(self, file: Path | None, clock_ms: Callable[[], int]) -> None:
        super().__init__()
        self._clock_ms = clock_ms
        self._lock = Lock()
        self._counts: dict[str, tuple[int, int]] = {}
        self._swept_s = 0
        self._failing = False
        # What is to be written, by key, the later in place of the earlier; the writer takes it away as a whole.
        self._due: dict[str, _Statement] = {}
        self._written = Condition(self._lock)
        self._writing = False
        self._closed = False
        self._work = Event()
        self._writer = Thread(target=self._run, name="limits", daemon=True)
        self._database: sqlite3.Connection | None = None
        if file is not None:
            try:
                self._database = _open(file)
                rows = self._database.execute("SELECT key, count, ends_s FROM counts WHERE ends_s > ?", (self.now_s(),))
                self._counts = {key: (count, ends_s) for key, count, ends_s in rows}
            except (sqlite3.OperationalError, OSError) as error:
                self._failing = True
                facts = {
                    "reason": str(error),
                    "hint": "Free disk space and start anew; until then all is counted anew.",
                }
                _log.warning("the counts of the rate limits cannot be opened", extra=facts)

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """What ``limits`` may wrap."""
        return sqlite3.Error

    def now_s(self) -> int:
        """Return the present time, UTC epoch seconds."""
        return self._clock_ms() // 1000

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count, in the window of ``expiry`` seconds that now lies in; the new count."""
        with self._lock:
            now = self.now_s()
            ends_s = now - now % expiry + expiry
            have, have_until = self._counts.get(key, (0, 0))
            count = (have if have_until == ends_s else 0) + amount
            self._counts[key] = (count, ends_s)
            if expiry >= LONG_S:
                self._write_soon(key, "INSERT OR REPLACE INTO counts VALUES (?, ?, ?)", (key, count, ends_s))
            if now - self._swept_s >= _SWEEP_S:
                self._sweep(now)
            return count

    def get(self, key: str) -> int:
        """Return a count, 0 once its window has ended."""
        with self._lock:
            count, ends_s = self._counts.get(key, (0, 0))
            return count if ends_s > self.now_s() else 0

    def get_expiry(self, key: str) -> float:
        """Return when a count's window ends, in UTC epoch seconds; now when there is none."""
        with self._lock:
            now = self.now_s()
            _, ends_s = self._counts.get(key, (0, now))
            return max(ends_s, now)

    def check(self) -> bool:
        """Return whether counts are being kept on disk, where they should be."""
        return not self._failing

    def reset(self) -> int | None:
        """Forget all counts; return how many there were."""
        with self._lock:
            forgotten = len(self._counts)
            self._counts.clear()
            self._due.clear()
            self._write_soon(_ALL, "DELETE FROM counts", ())
            return forgotten

    def clear(self, key: str) -> None:
        """Forget one count."""
        with self._lock:
            self._counts.pop(key, None)
            self._write_soon(key, "DELETE FROM counts WHERE key = ?", (key,))

    def flush(self, within_s: float = 10.0) -> bool:
        """Wait until what was counted has been written, or tried; False when that takes longer. Blocks."""
        with self._lock:
            begun = self._writer.ident is not None
            return self._written.wait_for(lambda: not begun or not (self._writing or self._work.is_set()), within_s)

    def close(self) -> None:
        """Write what is left and close the file; counting goes on in memory. Blocks."""
        with self._lock:
            self._closed = True
            self._work.set()
        if self._writer.ident is not None:
            self._writer.join()
        if self._database is not None:
            self._database.close()
            self._database = None

    def _sweep(self, now: int) -> None:
        self._swept_s = now
        self._counts = {key: kept for key, kept in self._counts.items() if kept[1] > now}
        self._write_soon(_ENDED, "DELETE FROM counts WHERE ends_s <= ?", (now,))

    def _write_soon(self, key: str, statement: str, values: tuple[object, ...]) -> None:
        if self._database is None or self._closed:
            return
        self._due.pop(key, None)  # in the order of the last words: what has ended is swept after it was counted
        self._due[key] = statement, values
        self._work.set()
        if self._writer.ident is None:
            self._writer.start()

    def _run(self) -> None:
        while True:
            self._work.wait()
            with self._lock:
                self._work.clear()
                self._writing = True
                due, self._due = self._due, {}
                closed = self._closed
            error = self._write(due)
            with self._lock:
                if error is not None:
                    # Tried again with the next count; what was counted meanwhile is the later.
                    self._due = due | self._due
                first = error is not None and not self._failing
                self._failing = error is not None
                self._writing = False
                self._written.notify_all()
            if first:
                facts = {"reason": str(error), "hint": "Free disk space; until then a restart forgets the counts."}
                _log.warning("the counts of the rate limits cannot be written", extra=facts)
            if closed:
                return

    def _write(self, due: dict[str, _Statement]) -> sqlite3.Error | None:
        """Write in one transaction; return what prevented it."""
        database = self._database
        if database is None or not due:
            return None
        try:
            database.execute("BEGIN IMMEDIATE")
            for statement, values in due.values():
                database.execute(statement, values)
            database.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            return error
        return None


def _open(file: Path) -> sqlite3.Connection:
    try:
        return _connect(file)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        _log.warning("the counts of the rate limits are damaged and begin anew", extra={"reason": str(error)})
        for suffix in _SIDE_FILES:
            with contextlib.suppress(FileNotFoundError):
                file.with_name(file.name + suffix).unlink()
        return _connect(file)


def _connect(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=1.0)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")  # the process may be killed; a power cut may cost some counts
        database.execute(_SCHEMA)
        database.execute("SELECT key, count, ends_s FROM counts LIMIT 1").fetchall()
    except BaseException:
        database.close()
        raise
    return database
