"""Faults that come again and again, told at a bounded rate."""

import logging
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Final

EVERY_S: Final = 60.0
"""How long a kind of fault stays untold after it was told, in seconds."""

MAX_KINDS: Final = 200
"""Kinds remembered at most; further ones share one place."""

_FURTHER: Final = "other"


class BoundedLog:
    """Logs the first fault of a kind at once, and then at most one every ``every_s``, with how many went untold.

    A kind is named by the program (``unread.broken_encoding``) or is one of few (an upstream's name), never a caller's
    text. What is not told here has to be counted: a log line is for the eye, `Counters` are for the sum. Safe from any
    thread. ``clock`` tells monotonic seconds.
    """

    def __init__(
        self, log: logging.Logger, *, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._every_s = every_s
        self._clock = clock
        self._told: dict[str, tuple[float, int]] = {}
        self._lock = Lock()

    def info(self, kind: str, message: str, facts: Mapping[str, Any] | None = None) -> None:
        """Log a piece of news, unless one of this kind was logged a moment ago."""
        self._tell(logging.INFO, kind, message, facts or {})

    def warning(self, kind: str, message: str, facts: Mapping[str, Any] | None = None) -> None:
        """Log a warning, unless one of this kind was logged a moment ago."""
        self._tell(logging.WARNING, kind, message, facts or {})

    def error(self, kind: str, message: str, facts: Mapping[str, Any] | None = None) -> None:
        """Log an error, unless a fault of this kind was logged a moment ago."""
        self._tell(logging.ERROR, kind, message, facts or {})

    def _tell(self, level: int, kind: str, message: str, facts: Mapping[str, Any]) -> None:
        now = self._clock()
        with self._lock:
            if kind not in self._told and len(self._told) >= MAX_KINDS:
                kind = _FURTHER
            at, untold = self._told.get(kind, (None, 0))
            if at is not None and now - at < self._every_s:
                self._told[kind] = at, untold + 1
                return
            self._told[kind] = now, 0
        extra = dict(facts) | ({"untold": untold} if untold else {})
        self._log.log(level, message, extra=extra)
