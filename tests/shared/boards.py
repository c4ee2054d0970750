"""What a board has of the shared store, on an event loop of its own for as long as a test runs."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.redis_server import RedisServer
from tokenboard.observability import Counters
from tokenboard.shared import SharedStore

MIDNIGHT_S = 1_800_057_600
"""2027-01-16T00:00:00Z."""


class Clock:
    """UTC seconds that a test sets; also the monotonic clock of the stores."""

    def __init__(self) -> None:
        self.now_s: float = MIDNIGHT_S

    def ms(self) -> int:
        return int(self.now_s * 1000)

    def s(self) -> float:
        return self.now_s


def with_stores(
    server: RedisServer, clock: Clock, test: Callable[..., Awaitable[None]], count: int = 2, **given: str
) -> None:
    """Run a test with so many boards' stores on one server."""

    async def run() -> None:
        password = given.get("password", server.password)
        stores = [
            SharedStore(server.url, password=password, counters=Counters(), timeout_s=2, clock=clock.s)
            for _ in range(count)
        ]
        try:
            await test(*stores)
        finally:
            for store in stores:
                await store.close()

    asyncio.run(run())
