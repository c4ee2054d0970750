"""A scripted upstream for the tests: it reads requests and says exactly the bytes it is told to."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import uvloop

from tokenboard.gateway.upstream import Limits, Origin, Pool, Timeouts

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
LIMITS = Limits(max_connections=8, max_idle=8, idle_keepalive_s=30.0)
PATIENT = Timeouts(connect_s=10.0, first_byte_s=10.0, idle_s=10.0)


@dataclass(frozen=True)
class Heard:
    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Peer:
    """The upstream's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def hear(self) -> Heard:
        """Read one request; raises asyncio.IncompleteReadError when the client has closed."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        line, *fields = head[:-4].split(b"\r\n")
        headers = [(name, value) for name, _, value in (field.partition(b": ") for field in fields)]
        length = next((int(value) for name, value in headers if name.lower() == b"content-length"), 0)
        return Heard(line, headers, await self.reader.readexactly(length))

    async def say(self, data: bytes) -> None:
        if self.writer.transport.is_closing():
            raise ConnectionResetError  # uvloop says it by a RuntimeError
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, data: bytes = HELLO) -> Heard:
        heard = await self.hear()
        await self.say(data)
        return heard

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        if sock is not None:  # the other side was not quicker
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def hear_the_end(self) -> bytes:
        """Read until the client closes, and give what it had still to say."""
        with contextlib.suppress(ConnectionError):
            return await self.reader.read()
        return b""


Handler = Callable[[Peer], Awaitable[None]]


@dataclass
class Upstream:
    origin: Origin
    accepted: int = 0
    open: int = 0


@contextlib.asynccontextmanager
async def upstream(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    """Run a server whose every connection is handed to `handler`, and closed when that returns."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        there.accepted += 1
        there.open += 1
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                await handler(Peer(reader, writer))
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()
            there.open -= 1
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    there = Upstream(Origin("https" if tls else "http", "127.0.0.1", port))
    try:
        yield there
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def pooled(
    handler: Handler, *, limits: Limits = LIMITS, timeouts: Timeouts = PATIENT
) -> AsyncIterator[tuple[Pool, Upstream]]:
    """Run a server and a pool to it; at the end the pool must have lost no slot."""
    async with upstream(handler) as there:
        pool = Pool(there.origin, limits=limits, timeouts=timeouts)
        yield pool, there
        await pool.aclose()
        assert (0, 0) == (pool.slots_taken, pool.idle)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, a few seconds at most."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the conditions are facts of sockets, told by no event
            await asyncio.sleep(0.001)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test on uvloop, then on asyncio's own loop; nothing may reach the loop's exception handler."""
    for factory in (uvloop.new_event_loop, asyncio.new_event_loop):
        unhandled: list[dict[str, Any]] = []

        async def guarded(unhandled: list[dict[str, Any]] = unhandled) -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
            async with asyncio.timeout(20):
                await main()
            await asyncio.sleep(0)

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(guarded())
        assert [] == unhandled
