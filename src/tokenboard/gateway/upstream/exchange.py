"""One request's answer as it arrives: the head, the body bytes not yet read, and the end or the error.

A connection fills it, a `Response` empties it. Once the answer has ended it no longer knows its connection, which may
by then be carrying somebody else's request.
"""

import asyncio
from typing import Protocol

from tokenboard.gateway.upstream.errors import UpstreamError
from tokenboard.inline_task import Pause


class Source(Protocol):
    """What an exchange needs of the connection that fills it."""

    def await_body(self) -> None:
        """Start the idle clock: somebody waits for the next piece of the body."""

    def stop_clock(self) -> None:
        """Stop the clock: nobody waits any more."""

    def drained(self) -> None:
        """Go on reading from the socket: the unread bytes were taken."""

    def abandon(self) -> None:
        """Drop the connection at once, and end its exchange with an error."""


class Exchange:
    """The state shared by the connection that receives an answer and the errand, or task, that reads it.

    `status` is 0 until the final head has arrived. `complete` is set when the message has ended by the rules of its
    framing, `error` when it never will; at most one of them. `source` is the connection until then.
    """

    __slots__ = ("chunks", "complete", "error", "headers", "loop", "size", "source", "status", "waiter")

    def __init__(self, source: Source, loop: asyncio.AbstractEventLoop) -> None:
        self.source: Source | None = source
        self.loop = loop
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []
        self.size = 0
        self.complete = False
        self.error: UpstreamError | None = None
        self.waiter: Pause | None = None

    async def arrival(self) -> None:
        """Wait until the connection has something new: the head, body bytes, the end or an error."""
        if self.waiter is not None:
            raise RuntimeError("two tasks read one response")
        waiter = self.waiter = Pause()
        try:
            await waiter
        finally:
            if self.waiter is waiter:  # cancelled, not woken
                self.waiter = None
                if self.source is not None:
                    self.source.stop_clock()

    def wake(self) -> None:
        """Let who waits, if somebody does, look again; an errand does so within this call: make it the last."""
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            waiter.end()

    def take(self) -> bytes:
        """Give the unread bytes, at least one piece of them, as one."""
        chunks = self.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.size = 0
        if self.source is not None:
            self.source.drained()
        return data

    def cancel(self) -> None:
        """Drop the connection, if the answer has not ended; nothing otherwise."""
        if self.source is not None:
            self.source.abandon()
