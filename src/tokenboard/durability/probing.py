"""When to probe whether writing works again, after it has failed."""

import time
from typing import Final

FIRST_PROBE_S = 0.25
LAST_PROBE_S = 5.0
"""Seconds from a commit that failed to the first probe, and between two probes at most."""

_STEADY_S: Final = 30.0
"""How long writing must have worked before a new fault is probed as soon as the first, in seconds."""


class Probing:
    """Whether writing fails, and the pace of the probes until it works; one thread's only."""

    def __init__(self) -> None:
        self.failing = False
        self._at = 0.0
        self._wait_s = FIRST_PROBE_S
        self._worked_since = 0.0

    def until_probe(self) -> float | None:
        """Return the seconds to the next probe, None while nothing fails."""
        return max(self._at - time.monotonic(), 0.0) if self.failing else None

    @property
    def due(self) -> bool:
        """Whether it is time for a probe."""
        return self.until_probe() == 0.0

    def failed(self) -> None:
        """Note that a write failed."""
        if not self.failing:
            self.failing = True
            if time.monotonic() - self._worked_since > _STEADY_S:
                self._wait_s = FIRST_PROBE_S
            self.put_off()

    def put_off(self) -> None:
        """Double the wait for the next probe."""
        self._at = time.monotonic() + self._wait_s
        self._wait_s = min(self._wait_s * 2, LAST_PROBE_S)

    def worked(self) -> None:
        """Note that a write reached the disk."""
        self.failing = False
        self._worked_since = time.monotonic()
