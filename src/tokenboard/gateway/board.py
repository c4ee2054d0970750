"""Relays every request that is not for the gateway itself to the board: over a Unix socket, or to another machine.

    client ─▶ gateway ─▶ BoardRelay ─ HTTP/1.1 over DIR/run/board.sock ─▶ board
                              └────── HTTP or HTTPS over the network ───▶ board, or what stands before it

The board's answers pass unchanged: unlike an upstream's (`gateway.headers`), its cookies, CORS headers, ETags and
encodings belong to this very origin. While the board is down, inference goes on, and requests for the board get a 503
with Retry-After.
"""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from tokenboard.gateway.client import Client, ClientStalled, Exchange
from tokenboard.gateway.headers import HOP_BY_HOP, MAX_NAME, Headers, passed_on
from tokenboard.gateway.upstream import (
    Limits,
    Origin,
    Pool,
    PoolExhausted,
    Response,
    Timeouts,
    UnixOrigin,
    UpstreamError,
)
from tokenboard.http_fields.peer import PEER, write_peer
from tokenboard.inline_task import current_inline_task
from tokenboard.observability import BoundedLog, Counters, logger
from tokenboard.problem import Problem, dialect_of

RETRY_AFTER_S: Final = 2
"""Retry-After of a 503 while the board is down, in seconds: about how long a restart takes."""

ANSWER_WITHIN_S: Final = 120.0
"""How long the board may take to begin an answer, in seconds; its slowest are imports and exports."""

SEND_TIMEOUT_S: Final = 60.0
"""How long a client may read nothing before its connection is cut, in seconds."""

MAX_CONNECTIONS: Final = 256
"""Concurrent requests to the board; further ones wait for a free connection."""

MAX_HELD: Final = 96 * 1024 * 1024
"""Bytes of large request bodies held at once: their senders are not authenticated yet, and inference needs memory."""

_SMALL: Final = 65_536
"""Bytes of a body that are always accepted: the server buffers as many per connection anyway."""

_CONNECT_WITHIN_S: Final = 2.0
_INTERNAL: Final = "/internal/"
_IDLE_S: Final = 120.0
_KEPT: Final = 32
_KEPT_FOR_S: Final = 30.0
_REPEATABLE: Final = frozenset({"GET", "HEAD"})
_NOT_TO_BOARD: Final = HOP_BY_HOP | {b"content-length", b"expect", PEER}

_log = logger("gateway")


class _Asked(NamedTuple):
    """One request as its client made it."""

    method: str
    path: str
    target: bytes
    headers: Headers
    client: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class FarBoard:
    """A board on another machine: its origin, the path before every other one there, and how https is spoken."""

    origin: Origin
    base: bytes = b""
    tls: ssl.SSLContext | None = None
    connect_s: float = _CONNECT_WITHIN_S


class _Held:
    """The memory that all request bodies share."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.bytes = 0


class _Share:
    """One body's part of that memory."""

    def __init__(self, held: _Held) -> None:
        self._held = held
        self._size = 0
        self._counted = 0

    def take(self, size: int) -> None:
        """Add ``size`` bytes to it; raises Problem 503 when there is no room for them."""
        self._size += size
        more = max(self._size - _SMALL, 0) - self._counted
        if self._held.bytes + more > self._held.most:
            message = "Too many large bodies are on their way to the board; try again. Inference is not affected."
            raise Problem(503, message, headers={"Retry-After": str(RETRY_AFTER_S)})
        self._held.bytes += more
        self._counted += more

    def give_back(self) -> None:
        """Release the body's memory."""
        self._held.bytes -= self._counted
        self._counted = 0


class BoardRelay:
    """Relays requests to a board that listens on a Unix socket, or to a `FarBoard`; for use within one event loop.

    Method, target and end-to-end headers go as they came, the client's own key among them. To a socket Host does, too,
    and the client's address goes along as the header ``x-tokenboard-peer`` (`tokenboard.http_fields.peer`), which a
    client cannot send itself. Another machine is asked under its own name, and never for what is internal to a board.
    Bodies may have ``max_body`` bytes each, and ``max_held`` together beyond the first 64 KiB of each.
    ``answer_within_s`` is how long the board may take to begin an answer, ``send_timeout_s`` how long a client may read
    nothing of it.

    A GET or HEAD without an answer is retried once, over a fresh connection; other methods are not, as the board may
    have acted on them. A request that stays without an answer is counted as ``board_unreached``.
    """

    def __init__(
        self,
        board: Path | FarBoard,
        *,
        max_body: int,
        counters: Counters,
        max_held: int = MAX_HELD,
        answer_within_s: float = ANSWER_WITHIN_S,
        send_timeout_s: float = SEND_TIMEOUT_S,
    ) -> None:
        self._max_body = max_body
        self._held = _Held(max_held)
        self._counters = counters
        self._send_timeout_s = send_timeout_s
        self._told = BoundedLog(_log)
        self._far = board if isinstance(board, FarBoard) else None
        self._base = b"" if self._far is None else self._far.base
        connect_s = _CONNECT_WITHIN_S if self._far is None else self._far.connect_s
        self._pool = Pool(
            board.origin if isinstance(board, FarBoard) else UnixOrigin(str(board)),
            limits=Limits(max_connections=MAX_CONNECTIONS, max_idle=_KEPT, idle_keepalive_s=_KEPT_FOR_S),
            timeouts=Timeouts(connect_s, answer_within_s, _IDLE_S, acquire_s=answer_within_s),
            ssl_context=None if self._far is None else self._far.tls,
        )

    def owns(self, path: str) -> bool:  # noqa: ARG002 - the server asks for each
        """Say that all paths are the board's."""
        return True

    async def answer(self, exchange: Exchange, /) -> None:
        """Answer one HTTP request, as an `InlineTask`; returning before the answer is complete cuts the connection."""
        asked = _asked(exchange)
        client = Client(exchange, self._send_timeout_s)
        task = current_inline_task()
        share = _Share(self._held)
        try:
            if self._far is not None and f"{asked.path}/".startswith(_INTERNAL):
                raise Problem(404, "There is nothing at this address.")
            body = await client.read_body(self._max_body, "this address", share.take)
            if task is not None:
                client.watch(task.cancel)
            await self._relay(asked, body, client)
        except Problem as problem:
            client.refuse(problem, (), dialect_of(asked.path, asked.headers), None)
        except ClientStalled:
            self._counters.add("clients_stalled")
            self._told.warning("stalled", "a client stopped reading, its answer is cut", {"path": asked.path})
        except asyncio.CancelledError as error:
            if not client.left:
                raise error  # compiled, a bare raise behind an await may raise an older exception
        finally:
            client.unwatch()
            share.give_back()

    async def aclose(self) -> None:
        """Close the connections to the board."""
        await self._pool.aclose()

    async def _relay(self, asked: _Asked, body: bytes, client: Client) -> None:
        method = asked.method.encode("ascii")
        headers = _to_board(asked) if self._far is None else _to_far_board(asked)
        target = self._base + asked.target
        repeatable = asked.method in _REPEATABLE
        fresh = False
        while True:
            try:
                answer = await self._pool.send(method, target, headers, body, fresh=fresh)
                await _pass_on(answer, client)
            except UpstreamError as error:
                if client.started:
                    self._told.warning("cut", "an answer of the board broke off and is cut", {"reason": str(error)})
                    return
                if repeatable and not fresh and not isinstance(error, PoolExhausted):
                    fresh = True
                    continue
                self._counters.add("board_unreached")
                facts = {"reason": str(error), "hint": "Inference goes on. See what the board's process logged."}
                self._told.warning(type(error).__name__, "the board gave no answer", facts)
                raise _away() from error
            return


async def _pass_on(answer: Response, client: Client) -> None:
    """Stream an answer to the client as it arrives, with back-pressure towards the board."""
    try:
        while True:
            piece = await answer.read_chunk()
            last = not piece or answer.ended_hint
            # The head waits for the first piece: until then an error can still be answered with its own status.
            if not client.started:
                client.send_head(answer.status, passed_on(answer.headers, HOP_BY_HOP))
            await client.send_body(piece, last=last)
            if last:
                return
    finally:
        answer.cancel()


def _asked(exchange: Exchange) -> _Asked:
    head = exchange.head
    target = head.raw_path + b"?" + head.query if head.query else head.raw_path
    return _Asked(head.method, head.path, target, head.headers, head.client)


def _to_far_board(asked: _Asked) -> list[tuple[bytes, bytes]]:
    withheld = _NOT_TO_BOARD | {b"host"}
    return [(name, value) for name, value in passed_on(asked.headers, withheld) if len(name) <= MAX_NAME]


def _to_board(asked: _Asked) -> list[tuple[bytes, bytes]]:
    headers = [(name, value) for name, value in passed_on(asked.headers, _NOT_TO_BOARD) if len(name) <= MAX_NAME]
    if asked.client is not None:
        headers.append((PEER, write_peer(asked.client)))
    return headers


def _away() -> Problem:
    message = "The board is away for a moment; try again. Inference is not affected."
    return Problem(503, message, headers={"Retry-After": str(RETRY_AFTER_S)})
