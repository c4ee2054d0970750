"""A server in this event loop, an application that notes what it was asked, and raw bytes from a client."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import uvloop

from tokenboard.problem import Problem
from tokenboard.server import App, HttpServer, Limits
from tokenboard.server.exchange import Direct

OK = b"HTTP/1.1 200 OK\r\n"
HOST = b"Host: board\r\n"


@dataclass(frozen=True)
class Asked:
    """One request as the application saw it."""

    method: str
    raw_path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass
class Log:
    """An application that reads every request to its end, notes it, and answers with its path."""

    asked: list[Asked] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await whole_body(receive)
        self.asked.append(
            Asked(scope["method"], scope["raw_path"], scope["query_string"], tuple(scope["headers"]), body)
        )
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["raw_path"]})


async def whole_body(receive: Any) -> bytes:
    body = b""
    while True:
        message: dict[str, Any] = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client left before the end of its body")
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body


class Caller:
    """A client's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, *pieces: bytes) -> None:
        """Send each piece in a packet of its own, as far as that can be had."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def to_the_end(self) -> bytes:
        """Return all that comes until the server closes."""
        data = bytearray()
        with contextlib.suppress(ConnectionError):
            while piece := await self.reader.read(1 << 16):
                data += piece
        return bytes(data)

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def answer(self) -> bytes:
        """Return the body of an answer that tells its length."""
        head = await self.head()
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: "))
        return await self.reader.readexactly(int(length[16:]))

    def leave(self) -> None:
        self.writer.transport.abort()


@dataclass
class Served:
    server: HttpServer
    port: int
    callers: list[Caller] = field(default_factory=list)

    async def call(self, *pieces: bytes) -> Caller:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 16))
        self.callers.append(caller)
        await caller.say(*pieces)
        return caller

    async def ask(self, *pieces: bytes) -> bytes:
        """Send raw bytes; return all that comes back until the server closes."""
        return await (await self.call(*pieces)).to_the_end()


def render(status: int, message: str, path: str | None) -> tuple[bytes, bytes]:
    return b"application/json", Problem(status, message).body()


@contextlib.asynccontextmanager
async def serving(app: App | Any, limits: Limits | None = None, direct: Direct | None = None) -> AsyncIterator[Served]:
    """Run a server; at the end nothing of it may be left."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    server = HttpServer(app, limits=limits, render=render, direct=direct)
    await server.start(listener)
    served = Served(server, listener.getsockname()[1])
    try:
        yield served
    finally:
        for caller in served.callers:
            caller.leave()
        await until(lambda: not server.connections and not server.running)
        await server.stop(0)


def statuses(answers: bytes) -> list[int]:
    """Return the statuses of answers whose bodies hold no status line."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


def error_of(answer: bytes) -> dict[str, Any]:
    """Return the error that ends these answers, after a look at its head."""
    head, _, body = answer.rpartition(b"\r\n\r\n")
    last = head.rpartition(b"HTTP/1.1 ")[2]
    error = json.loads(body)["error"]
    assert int(last[:3]) == error["code"]
    assert b"\r\nconnection: close" in last
    assert b"\r\ncontent-type: application/json" in last
    return dict(error)


async def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - the conditions are facts of sockets, told by no event
            await asyncio.sleep(0.001)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test on uvloop; nothing may reach the loop's exception handler, and no task may be left."""
    unhandled: list[dict[str, Any]] = []

    async def guarded() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        async with asyncio.timeout(60):
            await main()
            await until(lambda: len(asyncio.all_tasks()) == 1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(guarded())
    assert [] == unhandled
