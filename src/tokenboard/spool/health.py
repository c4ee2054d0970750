"""Whether the spool's file can be written and read, and since when it cannot."""

import errno
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from tokenboard.observability import BoundedLog, logger

_GOES_ON: Final = "the board goes on by itself then"
_DAMAGED: Final = "The spool's file is damaged: stop the board, keep a copy of the spool's folder, and mend the disk."
_HINTS: Final = {
    sqlite3.SQLITE_FULL: f"Free disk space where the spool's folder lies ([spool] folder); {_GOES_ON}.",
    sqlite3.SQLITE_READONLY: f"Make the spool's folder writable again: its mount, its permissions; {_GOES_ON}.",
    sqlite3.SQLITE_PERM: f"Make the spool's folder writable again: its mount, its permissions; {_GOES_ON}.",
    sqlite3.SQLITE_CANTOPEN: f"Make the spool's folder reachable again: its mount, its permissions; {_GOES_ON}.",
    sqlite3.SQLITE_IOERR: f"Look at the disk, its free space and the kernel's log; once writing works, {_GOES_ON}.",
    sqlite3.SQLITE_BUSY: f"Another program holds the spool's file: end it; {_GOES_ON}.",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
_OF_THE_WRITE: Final = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
)
_log = logger("spool")


@dataclass(frozen=True, slots=True)
class SpoolFault:
    """Why the spool is of no use: since when (UTC epoch ms), what fails, and how the operator mends it."""

    since_ms: int
    what: str
    hint: str


def is_of_the_file(error: Exception) -> bool:
    """Tell whether an error is the file's or the disk's, so that it will befall other statements too."""
    return isinstance(error, sqlite3.Error) and not isinstance(error, _OF_THE_WRITE)


def hint_for(error: Exception) -> str | None:
    """Return how to mend what SQLite reports; None when that cannot be told."""
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(error, OSError):
        code = sqlite3.SQLITE_FULL if error.errno in {errno.ENOSPC, errno.EDQUOT} else sqlite3.SQLITE_IOERR
    return None if code is None else _HINTS.get(code & 0xFF)  # the rest of a code says where it happened


class Health:
    """Which tasks fail at the moment: writing, or one of the questions by which the spool is emptied.

    A task that failed makes the spool unsound, at once and for everybody, until that same task works again. The change
    is logged, at a bounded rate. Safe from any thread.
    """

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._faults: dict[str, SpoolFault] = {}
        self._lock = Lock()
        self._told = BoundedLog(_log)

    @property
    def sound(self) -> bool:
        """Whether nothing fails."""
        return not self._faults

    def fault(self) -> SpoolFault | None:
        """Return the oldest fault there is."""
        with self._lock:
            return next(iter(self._faults.values()), None)

    def fails(self, task: str, verb: str, error: Exception) -> None:
        """Note that a task failed; ``verb`` says what the spool cannot be: written, read."""
        with self._lock:
            before = self._faults.get(task)
            since = self._clock_ms() if before is None else before.since_ms
            hint = hint_for(error) or "See the log of the server for the cause."
            self._faults[task] = fault = SpoolFault(since, f"cannot be {verb}: {error}", hint)
        if before is None:
            facts = {"reason": fault.what, "hint": fault.hint}
            self._told.error(verb, "the spool is of no use: new requests are refused", facts)

    def works(self, task: str) -> None:
        """Note that a task worked."""
        if task not in self._faults:
            return
        with self._lock:
            fault = self._faults.pop(task, None)
        if fault is not None:
            facts = {"was": fault.what, "outage_ms": self._clock_ms() - fault.since_ms}
            self._told.warning(f"{task} works", "the spool works again", facts)
