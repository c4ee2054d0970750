"""A real gateway in this event loop: the real server in front, real stores behind, a scripted upstream at its back.

At the end of each block nothing may be left over: no task, no connection to the upstream that is not idle.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvloop

from tests.gateway.stage import Handler
from tests.gateway.upstream_server import until, upstream
from tokenboard.app.http import render_problem
from tokenboard.attribution import AttributionOptions
from tokenboard.auth import Auth
from tokenboard.catalog import Catalog
from tokenboard.durability import SpoolFault
from tokenboard.event import UsageEvent, decode_events, join_events
from tokenboard.gateway import EchoUpstream, Gateway, HttpUpstream, Timeouts, Upstreams, UpstreamSpec
from tokenboard.intake import Intake
from tokenboard.journal import BoundedJournal, JournalReader, JournalWriter, Position
from tokenboard.observability import Counters
from tokenboard.server import HttpServer

NOW_MS = 1_778_544_000_000
PATIENT = Timeouts(connect_s=10.0, first_byte_s=10.0, idle_s=10.0)
HASTY = Timeouts(connect_s=0.2, first_byte_s=0.2, idle_s=0.2)
BOARD = ((b"http-referer", b"https://board.example"), (b"x-title", b"tokenboard"))
APP = {"HTTP-Referer": "https://cline.bot", "X-Title": "Cline"}


def outcome(recorded: UsageEvent) -> tuple[Any, ...]:
    return (recorded.status, recorded.failed, recorded.usage_source, recorded.prompt_tokens, recorded.completion_tokens)


REPORTED = (200, False, "reported", 7, 3)


@dataclass
class Reply:
    """One answer as the client got it. ``whole``: it ended by its framing, not by the connection's end."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    whole: bool = True

    def header(self, name: str) -> str | None:
        return next((value for other, value in self.headers if other == name), None)

    def error(self) -> dict[str, Any]:
        """Return the error, after a look at its shape: Anthropic's, or the one that OpenAI's clients read too."""
        told = json.loads(self.body)
        error = told["error"]
        assert isinstance(error["message"], str)
        assert isinstance(error["type"], str)
        if "type" in told:
            assert ("error", self.header("x-generation-id")) == (told["type"], told["request_id"])
            assert {"type", "error", "request_id"} == told.keys()
            assert error.keys() <= {"type", "message", "metadata"}
            return {**error, "code": self.status}
        assert {"error"} == told.keys()
        assert error.keys() <= {"code", "message", "type", "param", "metadata"}
        assert self.status == error["code"]
        return dict(error)


class Caller:
    """The client's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> Reply:
        head = (await self.reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
        headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in head[1:])]
        return Reply(int(head[0].split(" ")[1]), headers, b"")

    async def chunk(self) -> bytes:
        """Return one chunk of a chunked body, b"" at the end."""
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def reply(self, method: str = "POST") -> Reply:
        reply = await self.head()
        if method == "HEAD" or reply.status in {204, 304}:
            return reply
        try:
            if reply.header("transfer-encoding") == "chunked":
                while piece := await self.chunk():
                    reply.body += piece
            else:
                length = int(reply.header("content-length") or 0)
                reply.body = await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ValueError) as error:
            reply.body += getattr(error, "partial", b"")
            reply.whole = False
        return reply

    def leave(self) -> None:
        self.writer.transport.abort()


async def nothing_comes(caller: Caller) -> None:
    """Look for a while whether the client is sent anything more."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(caller.reader.readexactly(1), 0.15)


class GatedJournal:
    """A real journal, whose commits can be held up."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        # A segment each commit: one that cannot be begun is a commit that fails.
        writer = JournalWriter(folder, fsync=False, clock_ms=lambda: NOW_MS, segment_bytes=1)
        self._journal = BoundedJournal(writer, folder, max_bytes=max_bytes)
        self.gate: asyncio.Event | None = None

    @property
    def sound(self) -> bool:
        return self._journal.sound

    def fault(self) -> SpoolFault | None:
        return self._journal.fault()

    def has_room(self) -> bool:
        return self._journal.has_room()

    async def append(self, body: bytes) -> None:
        if self.gate is not None:
            await self.gate.wait()
        await self._journal.append(body)

    def close(self) -> None:
        self._journal.close()


@dataclass
class Rig:
    """A running gateway and what stands around it."""

    port: int
    secret: str
    gateway: Gateway
    upstreams: list[HttpUpstream]
    journal: GatedJournal
    folder: Path
    counters: Counters
    server: HttpServer
    callers: list[Caller] = field(default_factory=list)

    def request(
        self,
        body: dict[str, Any] | bytes | None = None,
        *,
        method: str = "POST",
        path: str = "/api/v1/chat/completions",
        headers: dict[str, str] | list[tuple[bytes, bytes]] | None = None,
        key: str | None = "",
    ) -> bytes:
        """Return a request's bytes; ``key`` empty is the rig's own key, None none at all."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = headers if isinstance(headers, list) else [(n.encode(), v.encode()) for n, v in (headers or {}).items()]
        lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: gateway"]
        lines += [name + b": " + value for name, value in given]
        if key is not None:
            lines.append(b"Authorization: Bearer " + (key or self.secret).encode())
        if not any(name.lower() in {b"content-length", b"transfer-encoding"} for name, _ in given):
            lines.append(b"Content-Length: %d" % len(data))
        return b"\r\n".join(lines) + b"\r\n\r\n" + data

    async def call(self, data: bytes) -> Caller:
        """Send these bytes over a connection of its own."""
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 26))
        self.callers.append(caller)
        await caller.say(data)
        return caller

    async def ask(self, body: dict[str, Any] | bytes | None = None, **request: Any) -> Reply:
        """Send a request and return the whole answer."""
        caller = await self.call(self.request(body, **request))
        return await caller.reply(request.get("method", "POST"))

    def events(self) -> list[UsageEvent]:
        """Return what is on disk, after a look at what must hold of every event."""
        reader, cursor = JournalReader(self.folder), Position()
        found: list[UsageEvent] = []
        while (read := reader.read(cursor, 10_000, 1 << 30)) is not None:
            assert ([], 0) == (read.damaged, read.missing)
            found += decode_events(join_events(read.bodies))
            cursor = read.next
        assert len({event.id for event in found}) == len(found)
        for each in found:
            assert not each.failed or (None, None) == (each.prompt_tokens, each.completion_tokens)
        return found

    async def event(self) -> UsageEvent:
        """Return the one event there is, once it is there."""
        await until(lambda: len(self.events()) > 0)
        (only,) = self.events()
        return only

    @contextlib.contextmanager
    def blocked_journal(self) -> Any:
        """Keep the journal from committing, as a disk that hangs would."""
        gate = self.journal.gate = asyncio.Event()
        try:
            yield
        finally:
            self.journal.gate = None
            gate.set()

    def break_journal(self) -> None:
        """Make every further commit fail."""
        self.folder.rename(self.folder.with_name("gone"))

    def mend_journal(self) -> None:
        """Take back what `break_journal` did."""
        self.folder.with_name("gone").rename(self.folder)

    def settled(self) -> bool:
        """Whether no request is being answered, nor read on for its usage."""
        return not self.server.running


@dataclass(frozen=True)
class Stores:
    """What all rigs of a session share: a catalog that is only read, and keys."""

    catalog: Catalog
    secrets: dict[str, str] = field(repr=False)


@contextlib.asynccontextmanager
async def gateway(
    stores: Stores,
    folder: Path,
    specs: Sequence[UpstreamSpec] = (),
    *,
    default: str | None = None,
    drain: bool = False,
    drain_s: float = 300.0,
    send_timeout_s: float = 60.0,
    failover: bool = True,
    max_body: int = 64 * 1024 * 1024,
    max_spool: int = 1 << 30,
    options: AttributionOptions | None = None,
    cors_origin: str | None = None,
) -> AsyncIterator[Rig]:
    """Run a gateway with these upstreams behind the echo."""
    journal = GatedJournal(folder / "rig", max_spool)
    counters = Counters()
    upstreams = [HttpUpstream(spec, BOARD) for spec in specs]
    fallback = next((upstream for upstream in upstreams if upstream.name == default), None)
    app = Gateway(
        auth=Auth(stores.catalog),
        intake=Intake(journal, counters),
        upstreams=Upstreams([EchoUpstream(), *upstreams], fallback, failover=failover),
        options=options or AttributionOptions(),
        clock_ms=lambda: NOW_MS,
        max_body=max_body,
        drain_s=drain_s if drain else None,
        send_timeout_s=send_timeout_s,
        counters=counters,
        cors_origin=cors_origin,
    )
    before = [connections_to(spec) for spec in specs]
    server = HttpServer(nobody, direct=app, render=render_problem)
    listener = socket.create_server(("127.0.0.1", 0))
    await server.start(listener)
    port = listener.getsockname()[1]
    rig = Rig(port, stores.secrets["inference"], app, upstreams, journal, folder / "rig", counters, server)
    try:
        yield rig
        await until(rig.settled)
    finally:
        try:
            for caller in rig.callers:
                caller.leave()
            await until(lambda: not server.connections)
            await server.stop(0)
            await app.aclose()
        finally:
            journal.close()  # or its thread would outlive a test that failed, and keep the interpreter from ending
    assert before == [connections_to(spec) for spec in specs]


def connections_to(spec: UpstreamSpec) -> int:
    """Count the connections that are open to an upstream, as an operator would."""
    port = f":{urlsplit(spec.base_url).port or 0:04X}"
    with Path("/proc/self/net/tcp").open() as table:
        rows = [line.split() for line in table]
    return sum(row[2].endswith(port) and row[3] == "01" for row in rows)


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    """What stands beside the gateway: nothing."""
    raise AssertionError(f"not a path of the gateway: {scope['path']}")


@contextlib.asynccontextmanager
async def relaying(
    stores: Stores,
    folder: Path,
    handler: Handler,
    *,
    timeouts: Timeouts = PATIENT,
    spec: dict[str, Any] | None = None,
    **more: Any,
) -> AsyncIterator[Rig]:
    """Run a gateway in front of an upstream whose every connection is handed to ``handler``."""
    async with upstream(handler) as there:
        given: dict[str, Any] = {"name": "up", "models": ("up/*",), "strip_prefix": True, "timeouts": timeouts} | (
            spec or {}
        )
        async with gateway(stores, folder, [UpstreamSpec(base_url=f"{there.origin}/v1", **given)], **more) as rig:
            yield rig


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test on uvloop; nothing may reach the loop's exception handler, and no task may be left."""
    unhandled: list[dict[str, Any]] = []

    async def guarded() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        async with asyncio.timeout(30):
            await main()
            await until(lambda: len(asyncio.all_tasks()) == 1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(guarded())
    assert [] == unhandled
