"""Whether an origin takes connections, as far as the last attempts tell."""

import enum
from collections.abc import Callable

FAILURES = 3
"""Attempts to connect that must fail, one after the other, before an origin counts as away."""

OPEN_S = 5.0
"""Seconds between two looks whether an origin that is away has come back."""


class Availability(enum.Enum):
    """What to expect of an attempt to connect now.

    READY: nothing is known against it. REFUSING: it will most likely fail, at once. SILENT: it will most likely fail,
    and cost the whole connect timeout.
    """

    READY = enum.auto()
    REFUSING = enum.auto()
    SILENT = enum.auto()


class Breaker:
    """Counts the failed attempts of one origin; ``clock`` gives monotonic seconds.

    After `FAILURES` in a row the origin is away; from then on one caller every `OPEN_S` seconds is told READY, to see
    whether it has come back. A single success makes it READY for everybody. Nothing has to be given back: a caller who
    was told READY and never connects delays the next look by `OPEN_S`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._silent = False
        self._look_at = 0.0

    def worked(self) -> None:
        """Note a connection that was made, or an answer over one that was kept."""
        self._failures = 0

    def failed(self, *, in_time: bool) -> None:
        """Note an attempt that failed: at once (``in_time``), or by its timeout."""
        self._failures += 1
        self._silent = not in_time
        if self._failures >= FAILURES:
            self._look_at = self._clock() + OPEN_S

    def availability(self) -> Availability:
        """Return what to expect; READY may be said to only one caller for a while, so ask only when about to send."""
        if self._failures < FAILURES:
            return Availability.READY
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + OPEN_S
            return Availability.READY
        return Availability.SILENT if self._silent else Availability.REFUSING
