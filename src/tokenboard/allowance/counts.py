"""The counts of the windows under way: in memory, and on disk before anybody is told of them."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from limits.storage import Storage

from tokenboard.observability import logger

_SCHEMA = "CREATE TABLE IF NOT EXISTS counts (key TEXT PRIMARY KEY, count INTEGER NOT NULL, ends_s INTEGER NOT NULL)"
LONG_S = 3_600
"""Windows shorter than this, in seconds, are not kept on disk: a restart takes about as long."""

_SIDE_FILES = ("", "-wal", "-shm")
_SWEEP_S = 60
_log = logger("allowance")


class Counts(Storage):
    """A storage for ``limits`` in one SQLite file; windows are aligned to the epoch, so that days are UTC days.

    ``file`` None keeps the counts in memory only, as are those of windows shorter than `LONG_S`. A write costs some
    20 µs and waits for no disk: counts outlive the process, whatever ends it, and a power cut may cost the last of
    them. A file that is damaged is begun anew, and one that cannot be written is logged: counting goes on in memory,
    as refusing every caller would be worse. Safe from any thread. ``clock_ms`` gives UTC epoch ms.
    """

    STORAGE_SCHEME = None

    def __init__(self, file: Path | None, clock_ms: Callable[[], int]) -> None:
        super().__init__()
        self._clock_ms = clock_ms
        self._lock = Lock()
        self._counts: dict[str, tuple[int, int]] = {}
        self._swept_s = 0
        self._failing = False
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
                self._write("INSERT OR REPLACE INTO counts VALUES (?, ?, ?)", (key, count, ends_s))
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
            self._write("DELETE FROM counts", ())
            return forgotten

    def clear(self, key: str) -> None:
        """Forget one count."""
        with self._lock:
            self._counts.pop(key, None)
            self._write("DELETE FROM counts WHERE key = ?", (key,))

    def close(self) -> None:
        """Close the file; counting goes on in memory."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _sweep(self, now: int) -> None:
        self._swept_s = now
        self._counts = {key: kept for key, kept in self._counts.items() if kept[1] > now}
        self._write("DELETE FROM counts WHERE ends_s <= ?", (now,))

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        if self._database is None:
            return
        try:
            self._database.execute(statement, values)
            self._failing = False
        except sqlite3.Error as error:
            if not self._failing:
                facts = {"reason": str(error), "hint": "Free disk space; until then a restart forgets the counts."}
                _log.warning("the counts of the rate limits cannot be written", extra=facts)
            self._failing = True


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
