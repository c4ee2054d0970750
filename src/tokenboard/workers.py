"""Threads for work that blocks: so many for one kind of work, so that no kind can keep another waiting.

    event loop ─▶ Workers("charts") ─▶ up to 16 threads, up to 64 callers behind them ─▶ else 503, at once
               ─▶ Workers("admin")  ─▶ …

Threads come from one idle stock (anyio's); what is counted is how many of them a kind of work may hold.
"""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from tokenboard.problem import Problem

Result = TypeVar("Result")

WAITING = 256
"""Callers that wait for a thread of one kind at most."""

RETRY_AFTER_S = 2


class Workers:
    """Runs calls of one kind in at most ``threads`` threads; ``waiting`` callers may wait for one of them.

    For one event loop. ``kind`` names, in the plural, what there is too much of in the error for callers.
    """

    def __init__(self, kind: str, threads: int, waiting: int = WAITING) -> None:
        self._kind = kind
        self._limiter = CapacityLimiter(threads)
        self._room = threads + waiting
        self._under_way = 0

    async def run(self, call: Callable[[], Result]) -> Result:
        """Return what ``call`` returns, or raise what it raises.

        Raises:
            Problem: 503, as many as may wait already do.

        """
        if self._under_way >= self._room:
            raise Problem(
                503,
                f"Too many {self._kind} are asked for at once; ask again in a moment.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        self._under_way += 1
        try:
            return await to_thread.run_sync(call, limiter=self._limiter)
        finally:
            self._under_way -= 1
