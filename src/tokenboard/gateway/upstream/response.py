"""The caller's hold on one answer."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self, final

from tokenboard.gateway.upstream.connection import Connection
from tokenboard.gateway.upstream.exchange import Exchange


@final
class Response:
    """An answer whose head has arrived; use it within one event loop and read it from one task at a time.

    `status` is 200 to 599; `headers` are the pairs as sent, in order, with the names' own letter case; fields of a
    trailer are not kept. Close it when done (`async with` does), or the connection stays taken until the answer has
    ended; as a last resort, a response that is garbage drops its connection.
    """

    __slots__ = ("_connection", "_exchange", "_guard", "headers", "status")

    def __init__(self, exchange: Exchange, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._exchange = exchange
        self._connection = connection
        self._guard = _Guard(exchange, connection, loop) if exchange.open else None
        self.status = exchange.status
        self.headers = exchange.headers

    @property
    def complete(self) -> bool:
        """Whether the whole message has arrived and ended properly; some of it may still wait to be read."""
        return self._exchange.complete

    @property
    def ended_hint(self) -> bool:
        """Whether nothing is left to read: the chunk just given was the last, or there is no body.

        False means only "not known yet": the end may arrive apart from the last byte, and is then told by b"".
        """
        exchange = self._exchange
        return exchange.complete and not exchange.chunks

    def arrived(self) -> bytes | None:
        """Give body bytes that have arrived and were not read; None says to await `read_chunk`."""
        exchange = self._exchange
        if not exchange.chunks:
            return None
        data = exchange.take()
        if exchange.open:
            self._connection.taken()
        return data

    async def read_chunk(self) -> bytes:
        """Give the body bytes that have arrived, as soon as there are any; b"" at the proper end, again and again.

        Bytes that arrived before a fault are given before it is raised. Being cancelled here loses nothing: the
        response may be read on. Raises IdleTimeout, or ResponseBroken (also after `cancel`), again and again.
        """
        while (data := self.arrived()) is None:
            exchange = self._exchange
            if not exchange.open:
                error = exchange.error
                if error is not None:
                    raise error
                return b""
            waiter = self._connection.body_arrival()
            try:
                await waiter
            finally:
                self._connection.wait_no_more(waiter)
        return data

    def cancel(self) -> None:
        """Drop the connection at once when the answer is not complete; otherwise nothing. May be called repeatedly.

        A complete answer's connection went back to the pool, or was closed, when its last byte arrived.
        """
        if self._exchange.open:
            self._connection.drop(self._exchange)

    async def aclose(self) -> None:
        """Do what `cancel` does; for use where an asynchronous close is expected."""
        self.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cancel()


@final
class _Guard:
    """Drops the connection of an answer that became garbage before its end; those that came whole need none."""

    __slots__ = ("_connection", "_exchange", "_loop")

    def __init__(self, exchange: Exchange, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._exchange = exchange
        self._connection = connection
        self._loop = loop

    def __del__(self) -> None:
        if self._exchange.open:
            # Garbage is collected on any thread, so the loop is asked to do it; a loop that is closed has no sockets.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._connection.drop, self._exchange)
