"""The pool: lends connections to requests, one request each at a time, and never more than its limit of them."""

import asyncio
import contextlib
import math
import ssl
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, TypeAlias

from tokenboard.gateway.upstream.bounds import Limits, Timeouts
from tokenboard.gateway.upstream.breaker import Breaker
from tokenboard.gateway.upstream.connection import Connection, Owner
from tokenboard.gateway.upstream.dial import dial
from tokenboard.gateway.upstream.errors import ConnectFailed, ConnectTimeout, PoolExhausted
from tokenboard.gateway.upstream.origin import Origin, UnixOrigin
from tokenboard.gateway.upstream.protocol import UpstreamProtocol
from tokenboard.gateway.upstream.request import render_head
from tokenboard.gateway.upstream.response import Response
from tokenboard.gateway.upstream.sweeper import Sweeper
from tokenboard.gateway.upstream.tls import client_context

_TICKS_PER_TIMEOUT: Final = 8
_SHORTEST_TICK_S: Final = 0.005
_LONGEST_TICK_S: Final = 0.5
_CLOSE_WITHIN_S: Final = 1.0

_Waiter: TypeAlias = asyncio.Future[Connection | None]
"""Resolved with a connection, or with None: a slot to make one with."""


def tick_of(limits: Limits, timeouts: Timeouts) -> float:
    """Give the seconds between two looks at the deadlines: an eighth of the shortest, within 5 ms and 0.5 s.

    One look over all connections a tick is far cheaper than a timer armed and disarmed in each phase of each request.
    """
    shortest = min(timeouts.first_byte_s, timeouts.idle_s, limits.idle_keepalive_s)
    return min(max(shortest / _TICKS_PER_TIMEOUT, _SHORTEST_TICK_S), _LONGEST_TICK_S)


class Pool(Owner):
    """Connections to one origin, for use within one event loop.

    A slot is the right to have one connection; `limits.max_connections` of them exist. A slot belongs to whoever is
    connecting, to a connection until it is dropped, or to the waiter it is handed to.

    `ssl_context` is for https origins; without one the system's certificate authorities decide. SNI is sent and the
    host name checked as the context says. `breaker` is told of each attempt to connect that ran to its end, and of
    each answer.
    """

    def __init__(
        self,
        origin: Origin | UnixOrigin,
        *,
        limits: Limits,
        timeouts: Timeouts,
        ssl_context: ssl.SSLContext | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        if origin.scheme != "https" and ssl_context is not None:
            raise ValueError(f"{origin} does not use TLS, but an ssl_context was given")
        if origin.scheme == "https" and ssl_context is None:
            ssl_context = client_context(None, verify=True)
        self._origin = origin
        self._authority = origin.authority
        self._name = str(origin)
        self._ssl = ssl_context
        self._breaker = breaker or Breaker(time.monotonic)
        self._limits = limits
        self._timeouts = timeouts
        self._acquire_s = timeouts.connect_s if timeouts.acquire_s is None else timeouts.acquire_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._slots_taken = 0
        self._idle: dict[Connection, None] = {}  # oldest first
        self._waiters: deque[_Waiter] = deque()
        self._connections: set[Connection] = set()  # until their sockets are closed
        self._closing = False
        self._all_gone: asyncio.Future[None] | None = None
        self._sweeper = Sweeper(self._connections, tick_of(limits, timeouts))

    @property
    def slots_taken(self) -> int:
        """Connections open or being made, idle ones included."""
        return self._slots_taken

    @property
    def idle(self) -> int:
        """Connections kept for reuse."""
        return len(self._idle)

    async def send(
        self,
        method: bytes,
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        *,
        fresh: bool = False,
    ) -> Response:
        """Send one request and give its answer once the head has arrived; with ``fresh`` over a new connection.

        A kept connection that the upstream turns out to have closed before any of the request reached it is replaced by
        a fresh one, once. Nothing else is ever sent twice. Being cancelled here drops the connection and gives the slot
        back.

        Raises ValueError for a request that must not be sent (see `render_head`), ConnectFailed, ConnectTimeout,
        PoolExhausted, FirstByteTimeout, or ResponseBroken.
        """
        head = render_head(self._authority, method, target, headers, body)
        return await self.send_rendered(head, body, bodiless=method == b"HEAD", fresh=fresh)

    async def send_rendered(self, head: bytes, body: bytes, *, bodiless: bool = False, fresh: bool = False) -> Response:
        """Do what `send` does, with a head that was rendered for this body; ``bodiless`` for HEAD."""
        connection = None if fresh else self._reuse()
        if connection is None:
            connection = await self._acquire(fresh=fresh)
        exchange = connection.begin(head, body, bodiless=bodiless)
        try:
            while exchange.open and not exchange.status:
                await connection.arrival()
            if exchange.stale:
                connection = await self._acquire(fresh=True)
                exchange = connection.begin(head, body, bodiless=bodiless)
                while exchange.open and not exchange.status:
                    await connection.arrival()
        except BaseException as error:
            connection.drop(exchange)
            raise error  # compiled, a bare raise behind an await may raise an older exception
        fault = exchange.error
        if fault is not None and not exchange.status:
            raise fault
        self._breaker.worked()
        return Response(exchange, connection, connection.loop)

    def close(self) -> None:
        """Take no more requests: idle connections close now, the others when their answers end."""
        self._closing = True
        for connection in list(self._idle):
            connection.close()
        while (waiter := self._next_waiter()) is not None:
            waiter.set_exception(self._closed())

    async def aclose(self) -> None:
        """Close, drop the answers still under way, and wait until all sockets are closed, a second at most."""
        self.close()
        for connection in list(self._connections):
            connection.abort()
        if self._connections:
            self._all_gone = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._all_gone], timeout=_CLOSE_WITHIN_S)
        self._sweeper.stop()

    # -- what connections tell

    def freed(self, connection: Connection) -> None:
        """Make a connection ready for the next request, or close it when it must not be kept that long."""
        keep_s = self._limits.idle_keepalive_s
        told_s = connection.machine.keep_alive_s
        if told_s is not None and told_s < keep_s:
            keep_s = told_s
        if keep_s <= 0:
            connection.close()
            return
        connection.machine.release(connection.loop.time() + keep_s)
        self._lend(connection)

    def dropped(self, connection: Connection) -> None:
        """Give the slot of a dropped connection to somebody else."""
        self._idle.pop(connection, None)
        if connection in self._connections:
            self._pass_slot_on()

    def gone(self, connection: Connection) -> None:
        """Forget a connection whose socket is closed."""
        self._connections.discard(connection)
        if not self._connections and self._all_gone is not None and not self._all_gone.done():
            self._all_gone.set_result(None)

    # -- lending

    def _reuse(self) -> Connection | None:
        """Take the idle connection used last, if one is usable."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.usable():
                return connection
            connection.close()
        return None

    async def _acquire(self, *, fresh: bool = False) -> Connection:
        """Give a connection that is ready for a request, made now if `fresh`."""
        loop = self._loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._acquire_s
        first = True
        while True:
            if self._closing:
                raise self._closed()
            if self._slots_taken < self._limits.max_connections:
                self._slots_taken += 1
                return await self._connect(loop)
            if fresh and self._idle:
                oldest = next(iter(self._idle))
                self._strip(oldest)
                return await self._connect(loop)
            connection = await self._wait(loop, give_up_at - loop.time(), at_front=not first)
            if connection is None:
                return await self._connect(loop)
            if connection.usable() and not fresh:
                return connection
            if not connection.closed:
                self._strip(connection)
                return await self._connect(loop)
            first = False  # closed on the way here: its slot went on to another, so back to the front of the queue

    async def _wait(self, loop: asyncio.AbstractEventLoop, seconds: float, *, at_front: bool) -> Connection | None:
        """Wait for a connection, or for a slot to make one with (None)."""
        if len(self._waiters) >= self._limits.max_waiting:
            raise PoolExhausted(f"{self._limits.max_waiting} requests already wait for a connection to {self._name}")
        waiter: _Waiter = loop.create_future()
        if at_front:
            self._waiters.appendleft(waiter)
        else:
            self._waiters.append(waiter)
        timer = None if math.isinf(seconds) else loop.call_later(max(seconds, 0), self._give_up, waiter)
        try:
            return await waiter
        except asyncio.CancelledError as error:
            if waiter.cancelled():
                with contextlib.suppress(ValueError):
                    self._waiters.remove(waiter)
            elif waiter.exception() is None:
                self._pass_on(waiter.result())
            raise error  # see `send_rendered`
        finally:
            if timer is not None:
                timer.cancel()

    def _give_up(self, waiter: _Waiter) -> None:
        if not waiter.done():
            self._waiters.remove(waiter)
            waiter.set_exception(
                PoolExhausted(f"no connection to {self._name} became free within {self._acquire_s:g} s")
            )

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        """Make a connection with a slot that is the caller's already."""
        # In a task: the timeout asks for asyncio's current one, which an inline task is not.
        making = loop.create_task(self._make(loop))
        try:
            connection = await making
        except BaseException as error:
            if making.done() and not making.cancelled() and making.exception() is None:
                self._pass_on(making.result())  # made in the very turn in which nobody wanted it any more
            else:
                self._pass_slot_on()
            raise error  # see `send_rendered`
        if connection.closed:  # since then, and its slot is somebody else's
            raise self._closed() if self._closing else ConnectFailed(f"{self._name} closed a connection at once")
        return connection

    async def _make(self, loop: asyncio.AbstractEventLoop) -> Connection:
        """Make a connection; a slot for it is taken, and is the caller's business when there is none to return."""
        connection = Connection(self, self._name, self._limits, self._timeouts, loop)
        try:
            async with asyncio.timeout(None if math.isinf(self._timeouts.connect_s) else self._timeouts.connect_s):
                await dial(loop, self._origin, lambda: UpstreamProtocol(connection), self._ssl)
        except BaseException as error:
            connection.close()
            if isinstance(error, TimeoutError):
                self._breaker.failed(in_time=False)
                raise ConnectTimeout(f"{self._name} did not accept a connection in time") from error
            if isinstance(error, OSError):
                self._breaker.failed(in_time=True)
                raise ConnectFailed(f"no connection to {self._name}: {error.strerror or error}") from error
            raise error  # see `send_rendered`
        if connection.closed or self._closing:
            connection.close()
            if self._closing:
                raise self._closed()
            self._breaker.failed(in_time=True)
            raise ConnectFailed(f"{self._name} closed a connection at once")
        self._connections.add(connection)
        self._breaker.worked()
        self._sweeper.start(loop)
        return connection

    def _strip(self, connection: Connection) -> None:
        """Drop a connection but keep its slot for the caller."""
        self._connections.discard(connection)
        connection.close()

    def _lend(self, connection: Connection) -> None:
        """Give a connection that is ready to the longest waiting request, or keep it, or close it."""
        waiter = self._next_waiter() if self._waiters else None
        if waiter is not None:
            waiter.set_result(connection)
        elif self._closing or len(self._idle) >= self._limits.max_idle:
            connection.close()
        else:
            self._idle[connection] = None

    def _pass_on(self, lent: Connection | None) -> None:
        """Give to somebody else what was lent to a request that does not want it any more."""
        if lent is None:
            self._pass_slot_on()
        elif not lent.closed:
            lent.machine.deadline = lent.loop.time() + self._limits.idle_keepalive_s
            self._lend(lent)

    def _pass_slot_on(self) -> None:
        waiter = self._next_waiter()
        if waiter is not None:
            waiter.set_result(None)
        else:
            self._slots_taken -= 1

    def _next_waiter(self) -> _Waiter | None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None

    def _closed(self) -> PoolExhausted:
        return PoolExhausted(f"the pool of {self._name} is closed")
