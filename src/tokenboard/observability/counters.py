"""Counters of what happened, bounded by construction."""

from collections.abc import Mapping
from threading import Lock


class Counters:
    """Monotonic counts under short names such as ``dropped.spool_full``.

    The names are chosen by the program, never by a caller; past ``limit`` distinct names everything further is counted
    as ``other``. Safe from any thread.
    """

    def __init__(self, limit: int = 500) -> None:
        self._limit = limit
        self._counts: dict[str, int] = {}
        self._lock = Lock()

    def add(self, name: str, amount: int = 1) -> None:
        """Count ``amount`` more of ``name``."""
        with self._lock:
            if name not in self._counts and len(self._counts) >= self._limit:
                name = "other"
            self._counts[name] = self._counts.get(name, 0) + amount

    def read(self) -> Mapping[str, int]:
        """Return the counts as they stand, by name."""
        with self._lock:
            return dict(sorted(self._counts.items()))
