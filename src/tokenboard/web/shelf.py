"""What was printed lately, kept until the figures change; of equal questions at one time one is answered."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from cachetools import LRUCache

from tokenboard.web.presses import Printed

MAX_BYTES = 32 * 1024 * 1024
"""Bytes of pages kept."""

_OVERHEAD = 500


class Shelf:
    """A bounded cache for one event loop. ``stamp`` says which state of the figures an entry belongs to."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._kept: LRUCache[Hashable, tuple[Hashable, Printed]] = LRUCache(max_bytes, getsizeof=_size)
        self._making: dict[tuple[Hashable, Hashable], asyncio.Future[Printed]] = {}

    async def get(self, key: Hashable, stamp: Hashable, make: Callable[[], Awaitable[Printed]]) -> Printed:
        """Return what is kept of ``key`` at ``stamp``, or make it; what ``make`` raises is raised to all who wait."""
        found = self._kept.get(key)
        if found is not None and found[0] == stamp:
            return found[1]
        name = (key, stamp)
        making = self._making.get(name)
        if making is None:
            making = self._making[name] = asyncio.ensure_future(make())
            making.add_done_callback(lambda done: self._put_away(key, stamp, done))
        # A reader that leaves does not take the page from the others who wait for it.
        return await asyncio.shield(making)

    def _put_away(self, key: Hashable, stamp: Hashable, made: "asyncio.Future[Printed]") -> None:
        self._making.pop((key, stamp), None)
        if made.cancelled() or made.exception() is not None:
            return
        printed = made.result()
        if printed.status == 200 and _size((stamp, printed)) <= self._kept.maxsize:
            self._kept[key] = (stamp, printed)


def _size(entry: tuple[Hashable, Printed]) -> int:
    return len(entry[1].body) + len(entry[1].packed or b"") + _OVERHEAD
