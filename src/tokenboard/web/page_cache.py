"""What was printed lately, kept until the figures change; of equal questions at one time one is answered."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import NamedTuple

from cachetools import LRUCache

from tokenboard.analytics import OVERHEAD, weight
from tokenboard.problem import Problem
from tokenboard.web.rendering import Rendered

MAX_BYTES = 32 * 1024 * 1024
"""Bytes of pages and their keys kept."""

MAX_MAKING = 256
"""Pages made at one time, or waiting to be; a request for another is answered 503."""


class _Kept(NamedTuple):
    stamp: Hashable
    rendered: Rendered
    size: int


class PageCache:
    """A bounded cache for one event loop. ``stamp`` says which state of the figures an entry belongs to."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._kept: LRUCache[Hashable, _Kept] = LRUCache(max_bytes, getsizeof=_size)
        self._making: dict[tuple[Hashable, Hashable], asyncio.Future[Rendered]] = {}

    async def get(self, key: Hashable, stamp: Hashable, make: Callable[[], Awaitable[Rendered]]) -> Rendered:
        """Return what is kept of ``key`` at ``stamp``, or make it; what ``make`` raises is raised to all who wait.

        Raises:
            Problem: 503 when `MAX_MAKING` others are being made.

        """
        found = self._kept.get(key)
        if found is not None and found.stamp == stamp:
            return found.rendered
        name = (key, stamp)
        making = self._making.get(name)
        if making is None:
            if len(self._making) >= MAX_MAKING:
                raise Problem(503, "Too many pages are asked for at once; try again.", headers={"Retry-After": "2"})
            making = self._making[name] = asyncio.ensure_future(make())
            making.add_done_callback(lambda done: self._store(key, stamp, done))
        # A reader that leaves does not take the page from the others who wait for it.
        return await asyncio.shield(making)

    def _store(self, key: Hashable, stamp: Hashable, made: "asyncio.Future[Rendered]") -> None:
        self._making.pop((key, stamp), None)
        if made.cancelled() or made.exception() is not None:
            return
        kept = _Kept(stamp, rendered := made.result(), weight(key) + weight(rendered) + OVERHEAD)
        if rendered.status == 200 and kept.size <= self._kept.maxsize:
            self._kept[key] = kept


def _size(entry: _Kept) -> int:
    return entry.size
