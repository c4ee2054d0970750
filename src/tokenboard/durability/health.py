"""Whether a spool's files can be written and read, and since when they cannot."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from tokenboard.durability.errors import SpoolError
from tokenboard.observability import BoundedLog, logger

GOES_ON: Final = "the board goes on by itself then"
NO_ROOM: Final = f"Free disk space where the spool's folder lies ([spool] folder); {GOES_ON}."
NOT_WRITABLE: Final = f"Make the spool's folder writable again: its mount, its permissions; {GOES_ON}."
NOT_REACHABLE: Final = f"Make the spool's folder reachable again: its mount, its permissions; {GOES_ON}."
DISK_FAILS: Final = f"Look at the disk, its free space and the kernel's log; once writing works, {GOES_ON}."
_BY_NUMBER: Final = {
    errno.ENOSPC: NO_ROOM,
    errno.EDQUOT: NO_ROOM,
    errno.EROFS: NOT_WRITABLE,
    errno.EACCES: NOT_WRITABLE,
    errno.EPERM: NOT_WRITABLE,
    errno.ENOENT: NOT_REACHABLE,
    errno.ENOTDIR: NOT_REACHABLE,
}
_log = logger("spool")


@dataclass(frozen=True, slots=True)
class SpoolFault:
    """Why the spool cannot be used: since when (UTC epoch ms), what fails, and a hint for the operator."""

    since_ms: int
    what: str
    hint: str


def hint_for_system(error: OSError) -> str:
    """Return a hint for the operating system's error."""
    return _BY_NUMBER.get(error.errno or 0, DISK_FAILS)


class Health:
    """Which tasks fail at the moment: writing, or one of the questions by which the spool is emptied.

    A task that failed makes the spool unsound for all callers at once, until the same task succeeds. Changes are logged
    at a bounded rate. Safe from any thread.
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

    def fails(self, task: str, verb: str, error: Exception, hint: str | None = None) -> None:
        """Note that a task failed; ``verb`` says what the spool cannot be (written, read), ``hint`` how to fix it."""
        with self._lock:
            before = self._faults.get(task)
            since = self._clock_ms() if before is None else before.since_ms
            what = f"cannot be {verb}: {error}"
            self._faults[task] = fault = SpoolFault(since, what, hint or SpoolError.hint)
        if before is None:
            facts = {"reason": fault.what, "hint": fault.hint}
            self._told.error(verb, "the spool is of no use: new requests are refused", facts)

    def works(self, task: str) -> None:
        """Note that a task succeeded."""
        if task not in self._faults:
            return
        with self._lock:
            fault = self._faults.pop(task, None)
        if fault is not None:
            facts = {"was": fault.what, "outage_ms": self._clock_ms() - fault.since_ms}
            self._told.warning(f"{task} works", "the spool works again", facts)
