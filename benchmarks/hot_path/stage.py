"""A gateway between a client and an upstream that are no more than transports in memory.

    request ─▶ server ─▶ gateway (auth, attribution, body) ─▶ pool ─▶ an upstream's canned answer
    answer  ◀─ server ◀─ relay ◀─ meter, intake (a log that takes all at once) ◀──────┘

Everything happens within the calls that bring bytes: what is clocked is our own work and nothing else.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, cast

from benchmarks.gateway.dialogue import CHUNKS, answer, ending, event
from tokenboard.app.http import render_problem
from tokenboard.attribution import AttributionOptions
from tokenboard.auth import Auth
from tokenboard.gateway import Gateway, HttpUpstream, Upstreams, UpstreamSpec
from tokenboard.gateway.upstream import Pool
from tokenboard.inline_task import InlineTask
from tokenboard.intake import Intake
from tokenboard.keys import Key, Scope, digest_of
from tokenboard.observability import Counters
from tokenboard.server import Limits
from tokenboard.server.connection import Connection
from tokenboard.server.ending import Common
from tokenboard.server.service import Service

SECRET = "tb-0123456789abcdef0123456789abcdef"
_TURNS = 10  # of the event loop: more than a connection takes to be handed over
_NOW_MS = 1_778_544_000_000
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n"


def request(*, streamed: bool) -> bytes:
    """Return a chat request as a client sends it."""
    wish = b',"stream":true' if streamed else b""
    body = b'{"model":"bench/model","messages":[{"role":"user","content":"Tell me of night owls, please."}]%b}' % wish
    return (
        b"POST /api/v1/chat/completions HTTP/1.1\r\nHost: gateway.example\r\nAuthorization: Bearer %b\r\n"
        b"Content-Type: application/json\r\nAccept: application/json\r\nUser-Agent: OpenAI/Python 3.54.0\r\n"
        b"HTTP-Referer: https://nightowl.example\r\nX-OpenRouter-Title: Night Owl\r\nContent-Length: %d\r\n\r\n%b"
        % (SECRET.encode(), len(body), body)
    )


def whole_answer() -> bytes:
    """Return an upstream's answer that is no stream."""
    body = answer()
    return _HEAD % b"application/json" + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def streamed_answer() -> list[bytes]:
    """Return an upstream's answer of `CHUNKS` events, each a piece of its own."""
    head = _HEAD % b"text/event-stream" + b"Transfer-Encoding: chunked\r\n\r\n"
    return [head, *(_chunk(event(number)) for number in range(CHUNKS)), _chunk(ending()) + b"0\r\n\r\n"]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Wire(asyncio.Transport):
    """A transport that takes everything at once; ``got`` counts the bytes of the answer so far."""

    def __init__(self, protocol: asyncio.BaseProtocol, sock: socket.socket | None = None) -> None:
        super().__init__({"socket": sock, "peername": ("192.0.2.1", 4711), "sockname": ("192.0.2.2", 8787)})
        self._protocol = protocol
        self.got: list[bytes] = []
        self._closing = False

    def write(self, data: Any) -> None:
        self.got.append(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def write_eof(self) -> None:
        pass

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self._closing:
            self._closing = True
            self._protocol.connection_lost(None)


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose connections go nowhere; ``upstreams`` are the protocols of those that were made."""

    def __init__(self) -> None:
        super().__init__()
        self.upstreams: list[asyncio.Protocol] = []
        self._pairs: list[socket.socket] = []

    async def create_connection(self, protocol_factory: Callable[[], Any], *_: Any, **__: Any) -> Any:
        """Make a connection at once. Its socket is one that never has anything to read."""
        ours, theirs = socket.socketpair()
        self._pairs += [ours, theirs]
        protocol = protocol_factory()
        protocol.connection_made(Wire(protocol, ours))
        self.upstreams.append(protocol)
        return None, protocol

    async def connected(self, connections: int) -> None:
        """Wait until so many connections were made, and whoever wanted the last one has it."""
        while len(self.upstreams) < connections:  # noqa: ASYNC110 - in this loop's very next turns
            await asyncio.sleep(0)
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def close(self) -> None:
        for sock in self._pairs:
            sock.close()
        super().close()


class _OneKey:
    def keys_revision(self) -> int:
        return 1

    def keys(self) -> Sequence[Key]:
        scopes = frozenset({Scope.INFERENCE})
        return [Key(1, 1, "bench", "bench", scopes, digest_of(SECRET), "tb-0…cdef", _NOW_MS, None)]


class _TakesAll:
    """A log of which every append is on disk at once."""

    sound = True

    def __init__(self) -> None:
        self.appended = 0

    def has_room(self) -> bool:
        return True

    async def append(self, body: bytes, /) -> None:  # noqa: ARG002 - the log's
        self.appended += 1


class Stage:
    """One client's connection to a gateway whose every model is served by one upstream, in the running `Loop`."""

    def __init__(self) -> None:
        self.loop = cast("Loop", asyncio.get_running_loop())
        self.log = _TakesAll()
        counters = Counters()
        spec = UpstreamSpec("bench", "http://192.0.2.3/v1", api_key="sk-bench", models=("bench/*",))
        self.gateway = Gateway(
            auth=Auth(_OneKey()),
            intake=Intake(self.log, counters),
            upstreams=Upstreams([HttpUpstream(spec, ())], None),
            options=AttributionOptions(),
            clock_ms=lambda: _NOW_MS,
            max_body=1 << 20,
            drain_s=None,
            send_timeout_s=60,
            counters=counters,
        )
        self._protocol = Connection(_service(self.gateway), set(), peer_told=False)
        self.wire = Wire(self._protocol)
        self._protocol.connection_made(self.wire)

    async def connect(self) -> None:
        """Put the first request, which makes the connection to the upstream, and answer it."""
        self._protocol.data_received(request(streamed=False))
        await self.loop.connected(1)
        self.loop.upstreams[0].data_received(whole_answer())
        await asyncio.sleep(0)

    def exchange(self, asked: bytes, answered: Sequence[bytes]) -> bytes:
        """Put one request, answer it piece by piece, and return what the client got."""
        self.wire.got.clear()
        self._protocol.data_received(asked)
        received = self.loop.upstreams[0].data_received
        for piece in answered:
            received(piece)
        return b"".join(self.wire.got)


class ServerAlone:
    """The server with somebody behind it who says the same to everybody."""

    def __init__(self) -> None:
        self._body = answer()
        self._headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self._body))]
        service = _service(self)
        self._protocol = Connection(service, set(), peer_told=False)
        self.wire = Wire(self._protocol)
        self._protocol.connection_made(self.wire)

    def owns(self, path: str) -> bool:  # noqa: ARG002 - the server asks for each
        return True

    async def answer(self, line: Any, /) -> None:
        if line.whole_body() is None:
            raise AssertionError("the request came in one piece")
        line.begin(200, self._headers)
        line.write(self._body, last=True)

    def exchange(self, asked: bytes) -> bytes:
        """Put one request and return the answer."""
        self.wire.got.clear()
        self._protocol.data_received(asked)
        return b"".join(self.wire.got)


class ClientAlone:
    """The HTTP client that asks upstreams."""

    def __init__(self, pool: Pool) -> None:
        self._loop = cast("Loop", asyncio.get_running_loop())
        self._pool = pool
        self._head = [(b"authorization", b"Bearer sk-bench"), (b"content-type", b"application/json")]
        self.read = b""

    def exchange(self, answered: bytes) -> bytes:
        """Put one request and return the body of its answer."""
        InlineTask(self._ask(), self._loop).step()
        self._loop.upstreams[-1].data_received(answered)
        return self.read

    async def connect(self, answered: bytes) -> None:
        """Put the first request, which makes the connection."""
        made = len(self._loop.upstreams)
        InlineTask(self._ask(), self._loop).step()
        await self._loop.connected(made + 1)
        self._loop.upstreams[-1].data_received(answered)

    async def _ask(self) -> None:
        response = await self._pool.send(b"POST", b"/v1/chat/completions", self._head, b'{"model":"bench"}')
        self.read = await response.read_chunk()


def _service(direct: Any) -> Service:
    common = Common(Limits(), render_problem)
    common.date = b"date: Mon, 11 May 2026 00:00:00 GMT"
    return Service(_nobody, direct, common, Counters(), asyncio.get_running_loop())


async def _nobody(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - as ASGI asks
    raise AssertionError("the gateway answers all there is")
