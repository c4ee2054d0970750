"""The client's end of one request: whether it is still there, and what has been sent to it."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tokenboard.problem import Problem

WATCH_AFTER_S = 0.02
"""Seconds after which a client is watched: a task for each request is dear, and most short answers are gone by then."""

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


LONGEST_PIECE = 65_536
"""Bytes handed to the server at once: a client that takes one of these within the send timeout makes progress."""


class ClientStalled(Exception):
    """The client is there but has taken nothing for the whole send timeout."""


class Client:
    """Sends one ASGI response and notices when the client leaves, or stops reading for ``send_timeout_s`` seconds.

    ``started``: the response head was sent; ``left``: the client has gone, or is treated as if it had. An answer is cut
    off by returning without having completed it: the server then closes the connection, so that the client cannot take
    it for whole.
    """

    def __init__(self, receive: Receive, send: Send, send_timeout_s: float = math.inf) -> None:
        self._receive = receive
        self._send = send
        self._send_timeout_s = send_timeout_s
        self._sending_since: float | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._stalled = False
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.started = False
        self.left = False

    async def read_body(self, headers: Sequence[tuple[bytes, bytes]], limit: int) -> bytes:
        """Return the request's body, of at most ``limit`` bytes.

        Raises:
            Problem: 413 when it is larger, 415 when it is compressed, 400 when the client left before its end.

        """
        for name, value in headers:
            if name == b"content-length" and value.isdigit() and (len(value) > 18 or int(value) > limit):
                raise _too_large(limit)
            if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
                raise Problem(415, "Send the body uncompressed: this endpoint does not take a Content-Encoding.")
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.left = True
                raise Problem(400, "The connection closed before the body was complete.")
            piece = message.get("body", b"")
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            pieces.append(piece)
            if not message.get("more_body", False):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def watch(self, leave: Callable[[], None], sender: "asyncio.Task[Any] | None") -> None:
        """Call ``leave`` once when the client goes, or, if it goes at once, soon; only after its body was read.

        ``sender`` is the task that sends from now on, as a rule the one that calls.
        """
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(WATCH_AFTER_S, self._start_watching, loop, sender, leave)

    def unwatch(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._patience is not None:
            self._patience.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def _start_watching(
        self, loop: asyncio.AbstractEventLoop, sender: asyncio.Task[Any] | None, leave: Callable[[], None]
    ) -> None:
        self._watcher = asyncio.create_task(self._await_leave(leave))
        if sender is not None and not math.isinf(self._send_timeout_s):
            self._watch_sending(loop, sender)

    def _watch_sending(self, loop: asyncio.AbstractEventLoop, sender: asyncio.Task[Any]) -> None:
        """Look when the piece being sent is due; one timer for the whole answer, not one for each piece."""
        now = time.monotonic()
        left = (now if self._sending_since is None else self._sending_since) + self._send_timeout_s - now
        if left > 0:
            self._patience = loop.call_later(left, self._watch_sending, loop, sender)
        else:
            self._stalled = True
            sender.cancel()

    async def _await_leave(self, leave: Callable[[], None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        leave()

    async def send_head(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send the response's status and headers."""
        self.started = True
        await self._deliver({"type": "http.response.start", "status": status, "headers": headers})

    async def send_body(self, body: bytes, *, last: bool) -> None:
        """Send a piece of the response's body.

        Raises:
            ClientStalled: the client has not taken it in time; from now on it counts as gone.

        """
        if len(body) > LONGEST_PIECE:
            start = 0
            while len(body) - start > LONGEST_PIECE:
                piece = body[start : start + LONGEST_PIECE]
                await self._deliver({"type": "http.response.body", "body": piece, "more_body": True})
                start += LONGEST_PIECE
            body = body[start:]
        await self._deliver({"type": "http.response.body", "body": body, "more_body": not last})

    async def _deliver(self, message: dict[str, Any]) -> None:
        self._sending_since = time.monotonic()
        try:
            await self._send(message)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._stalled or self.left or task is None or task.uncancel():
                raise
            self.left = True
            raise ClientStalled from None
        finally:
            self._sending_since = None

    async def refuse(self, problem: Problem, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Answer with a problem, unless an answer was begun."""
        if not self.started:
            self.started = True
            for message in problem.asgi_messages(headers):
                await self._send(message)


def _too_large(limit: int) -> Problem:
    return Problem(413, f"The body is larger than {limit:,} bytes, the limit of this gateway ([gateway] max_body).")
