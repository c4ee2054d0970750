"""The deadlines of one pool's connections, looked over at a coarse tick instead of a timer each."""

import asyncio
from collections.abc import Collection
from typing import Protocol


class Expiring(Protocol):
    """Something with a deadline."""

    @property
    def deadline(self) -> float:
        """In the loop's time, `math.inf` for none."""

    def expire(self, now: float) -> None:
        """Act on the deadline, which has passed."""


class Sweeper:
    """Calls `expire` of whichever of `members` has passed its deadline, at most one tick (seconds) late.

    It runs while there are members and must be started again after they have run out. When the loop itself was held
    up by more than a tick, the first look is put off by one: what the sockets hold shall be read before anyone is
    declared late.
    """

    def __init__(self, members: Collection[Expiring], tick_s: float) -> None:
        self._members = members
        self._tick_s = tick_s
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._put_off = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to look, unless that has begun already."""
        if self._timer is None:
            self._schedule(loop)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + self._tick_s
        self._timer = loop.call_at(self._due, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        self._put_off = now - self._due > self._tick_s and not self._put_off
        if not self._put_off:
            for member in list(self._members):
                if member.deadline <= now:
                    member.expire(now)
        if self._members:
            self._schedule(loop)
