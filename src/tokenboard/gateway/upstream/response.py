"""The caller's hold on one answer."""

import contextlib
from types import TracebackType
from typing import Self

from tokenboard.gateway.upstream.exchange import Exchange


class Response:
    """An answer whose head has arrived; use it within one event loop and read it from one task at a time.

    `status` is 200 to 599; `headers` are the pairs as sent, in order, with the names' own letter case; fields of a
    trailer are not kept. Close it when done (`async with` does), or the connection stays taken until the answer has
    ended; as a last resort, a response that is garbage drops its connection.
    """

    __slots__ = ("_exchange", "headers", "status")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
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

    async def read_chunk(self) -> bytes:
        """Give the body bytes that have arrived, as soon as there are any; b"" at the proper end, again and again.

        Bytes that arrived before a fault are given before it is raised. Being cancelled here loses nothing: the
        response may be read on. Raises IdleTimeout, or ResponseBroken (also after `cancel`), again and again.
        """
        exchange = self._exchange
        while not exchange.chunks:
            if exchange.complete:
                return b""
            if exchange.error is not None:
                raise exchange.error
            if exchange.source is not None:
                exchange.source.await_body()
            await exchange.arrival()
        return exchange.take()

    def cancel(self) -> None:
        """Drop the connection at once when the answer is not complete; otherwise nothing. May be called repeatedly.

        A complete answer's connection went back to the pool, or was closed, when its last byte arrived.
        """
        self._exchange.cancel()

    async def aclose(self) -> None:
        """Do what `cancel` does; for use where an asynchronous close is expected."""
        self._exchange.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exchange.cancel()

    def __del__(self) -> None:
        exchange = self._exchange
        if exchange.source is not None:
            # Garbage is collected on any thread, so the loop is asked to do it; a loop that is closed has no sockets.
            with contextlib.suppress(RuntimeError):
                exchange.loop.call_soon_threadsafe(exchange.cancel)
