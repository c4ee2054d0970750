"""The client's side of one request: whether it is still connected, and what has been sent to it."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from tokenboard.inline_task import current_inline_task
from tokenboard.problem import Dialect, Problem

WATCH_AFTER_S = 0.02
"""Seconds for which a client that closed its side is still answered: one that only stopped sending may still read."""

LONGEST_PIECE = 65_536
"""Bytes handed to the server at once: a client that takes one of these within the send timeout makes progress."""


class Memo(Protocol):
    """A cache slot for what was derived from a head, for the next request with the same head."""

    value: object


class Head(Protocol):
    """A request's head; ``tokenboard.server.head.Head`` states the contract."""

    @property
    def method(self) -> str:
        """The method."""

    @property
    def path(self) -> str:
        """The path, percent-decoded."""

    @property
    def raw_path(self) -> bytes:
        """The path as it was sent."""

    @property
    def query(self) -> bytes:
        """The query as it was sent, without its question mark."""

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The fields; do not modify the list."""

    @property
    def client(self) -> tuple[str, int] | None:
        """The client's address and port; None if unknown."""

    @property
    def memo(self) -> Memo:
        """Shared by requests whose heads differ in the digits of Content-Length at most."""


class Exchange(Protocol):
    """One request and its answer; ``tokenboard.server.exchange.Exchange`` states the contract."""

    on_leave: Callable[[], object] | None

    @property
    def head(self) -> Head:
        """The request's head."""

    @property
    def length(self) -> int | None:
        """The body's length in bytes; None when it is chunked."""

    @property
    def gone(self) -> bool:
        """Whether the client has disconnected, or closed its sending side."""

    def whole_body(self) -> bytes | None:
        """Return the whole body if it has arrived and none of it was read; otherwise None: use `read`."""

    @property
    def read_to_end(self) -> bool:
        """Whether the body was read to its end."""

    async def read(self) -> bytes | None:
        """Return the next bytes of the request's body; None once the client has disconnected."""

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Start the response."""

    def write(self, body: bytes, *, last: bool) -> bool:
        """Send a piece of the response body; return whether to await `writable` before the next."""

    async def writable(self) -> None:
        """Wait until the client has caught up, or disconnected."""


_OF_GATEWAY = "this gateway ([gateway] max_body)"


class ClientStalled(Exception):
    """The client is connected but has read nothing for the whole send timeout."""


class Client:
    """Sends one response, and notices when the client disconnects or reads nothing for ``send_timeout_s`` seconds.

    ``started``: the response head was sent; ``left``: the client has disconnected, or is treated so. Returning without
    having completed the response cuts it off: the server closes the connection, so that the client cannot mistake it
    for complete.
    """

    __slots__ = ("_began", "_exchange", "_leave", "_send_timeout_s", "_timer", "left", "started")

    def __init__(self, exchange: Exchange, send_timeout_s: float = math.inf) -> None:
        self._exchange = exchange
        self._send_timeout_s = send_timeout_s
        self._began = 0.0
        self._leave: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.started = False
        self.left = False

    def whole_body(self, limit: int) -> bytes | None:
        """Return the request's body if all of it has arrived, else None: use `read_body`. Raises as that does."""
        body = self._exchange.whole_body()
        if body is not None and len(body) > limit:
            raise _too_large(limit, _OF_GATEWAY)
        return body

    async def read_body(
        self, limit: int, limit_of: str = _OF_GATEWAY, take: Callable[[int], object] | None = None
    ) -> bytes:
        """Return the request's body, of at most ``limit`` bytes, which is the limit of what ``limit_of`` names.

        ``take`` is told of each piece how many bytes it has, and may raise a Problem of its own.

        Raises:
            Problem: 413 when it is larger, 400 when the client left before its end.

        """
        exchange = self._exchange
        if exchange.length is not None and exchange.length > limit:
            raise _too_large(limit, limit_of)
        body = exchange.whole_body()
        if body is not None:
            if len(body) > limit:
                raise _too_large(limit, limit_of)
            if take is not None:
                take(len(body))
            return body
        pieces: list[bytes] = []
        size = 0
        while True:
            piece = await exchange.read()
            if piece is None:
                self.left = True
                raise Problem(400, "The connection closed before the body was complete.")
            size += len(piece)
            if size > limit:
                raise _too_large(limit, limit_of)
            if take is not None:
                take(len(piece))
            if exchange.read_to_end and not pieces:
                return piece
            pieces.append(piece)
            if exchange.read_to_end:
                return b"".join(pieces)

    def watch(self, leave: Callable[[], None]) -> None:
        """Call ``leave`` once when the client disconnects, `WATCH_AFTER_S` from now or later; read the body first."""
        self._leave = leave
        self._began = time.monotonic()
        self._exchange.on_leave = self._note_leaving
        if self._exchange.gone:
            self._note_leaving()

    def unwatch(self) -> None:
        """Stop watching."""
        self._exchange.on_leave = self._leave = None
        if self._timer is not None:
            self._timer.cancel()

    def _note_leaving(self) -> None:
        """Report that the client has disconnected; not in the first moments: most short answers are sent by then."""
        self._exchange.on_leave = None
        wait_s = self._began + WATCH_AFTER_S - time.monotonic()
        if wait_s > 0:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._has_left)
        else:
            self._has_left()

    def _has_left(self) -> None:
        if self._leave is not None:
            self.left = True
            self._leave()

    def send_head(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send the response's status and headers; they leave with the first piece of the body."""
        self.started = True
        self._exchange.begin(status, headers)

    async def send_body(self, body: bytes, *, last: bool) -> None:
        """Send a piece of the response's body.

        Raises:
            ClientStalled: the client has not taken it in time; from now on it counts as gone.

        """
        if len(body) > LONGEST_PIECE:
            start = 0
            while len(body) - start > LONGEST_PIECE:
                if self._exchange.write(body[start : start + LONGEST_PIECE], last=False):
                    await self.until_taken()
                start += LONGEST_PIECE
            body = body[start:]
        if self._exchange.write(body, last=last):
            await self.until_taken()

    def send_last(self, body: bytes) -> None:
        """Send the last piece of the response's body, of at most `LONGEST_PIECE` bytes; no wait is needed after it."""
        self._exchange.write(body, last=True)

    def send_piece(self, body: bytes) -> bool:
        """Send a piece of the response's body, at most `LONGEST_PIECE` bytes; return whether to await `until_taken`."""
        return self._exchange.write(body, last=False)

    async def until_taken(self) -> None:
        """Wait until the client has caught up, or disconnected.

        Raises:
            ClientStalled: the client has not taken it in time; from now on it counts as gone.

        """
        task = current_inline_task()
        if task is None or math.isinf(self._send_timeout_s):
            await self._exchange.writable()
            return
        stalled = ClientStalled()
        timer = asyncio.get_running_loop().call_later(self._send_timeout_s, task.cancel, stalled)
        try:
            await self._exchange.writable()
        except ClientStalled as error:
            self.left = True
            raise error
        finally:
            timer.cancel()

    def refuse(
        self, problem: Problem, headers: Sequence[tuple[bytes, bytes]], dialect: Dialect, request_id: str | None
    ) -> None:
        """Answer with an error, unless a response was started."""
        if not self.started:
            self.started = True
            start, body = problem.asgi_messages(headers, dialect, request_id)
            self._exchange.begin(start["status"], start["headers"])
            self._exchange.write(body["body"], last=True)


def _too_large(limit: int, limit_of: str) -> Problem:
    return Problem(413, f"The body is larger than {limit:,} bytes, the limit of {limit_of}.")
