"""Restart backoff: how soon a process that ended is started again."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds before the first restart; doubled with each up to the longest, and reset after a healthy run.

    Health is the time since a process said that it was ready; one that never did had none.
    """

    first_s: float = 0.25
    longest_s: float = 30.0
    healthy_s: float = 60.0
    withdraw_s: float = 2.0
    """A process that waits longer than this for its restart is not kept in a shared port's choice of listeners."""


STANDARD = Pace()


class Backoff:
    """The restart delays of one process."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._next_s = pace.first_s

    def after(self, healthy_s: float) -> float:
        """Return the delay in seconds before the next start, after a run that was healthy for so long."""
        if healthy_s >= self._pace.healthy_s:
            self._next_s = self._pace.first_s
        wait_s = self._next_s
        self._next_s = min(wait_s * 2, self._pace.longest_s)
        return wait_s
