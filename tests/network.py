"""A network that fails on command: a TCP proxy on 127.0.0.1 that cuts, delays, holds and drops."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_PIECE = 65_536


@dataclass
class Weather:
    """What happens to what passes; read anew for each piece.

    ``refuses``: new connections are closed at once. ``holds``: nothing passes, either way, and nobody is told.
    ``delay_s`` each piece waits. ``drops_answers`` so many more answers to POST of ``/shipments`` are lost: what was
    asked arrives, and the connection is closed instead of what comes back. ``cuts_after`` so many more bytes towards
    the server each connection is cut.
    """

    refuses: bool = False
    holds: bool = False
    delay_s: float = 0.0
    drops_answers: int = 0
    cuts_after: int | None = None
    dropped: int = 0
    cut: int = 0


@dataclass
class Network:
    """The proxy: ``port`` is where it listens; ``target`` where it leads may be changed."""

    target: int
    weather: Weather = field(default_factory=Weather)
    port: int = 0
    connections: "set[asyncio.StreamWriter]" = field(default_factory=set)
    loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def break_all(self) -> None:
        """Reset every connection there is."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self._break)

    def _break(self) -> None:
        for writer in list(self.connections):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather.refuses:
            writer.transport.abort()
            return
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, there}
        self.connections |= ends
        talk = _Talk(self.weather)
        try:
            tasks = [
                asyncio.create_task(talk.carry(reader, there, up=True)),
                asyncio.create_task(talk.carry(back, writer, up=False)),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self.connections -= ends
            for end in ends:
                end.transport.abort()


class _Talk:
    """One connection's two directions; returns from `carry` when it is over."""

    def __init__(self, weather: Weather) -> None:
        self._weather = weather
        self._shipping = False
        self._up = 0

    async def carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, up: bool) -> None:
        weather = self._weather
        with contextlib.suppress(ConnectionError):
            while piece := await source.read(_PIECE):
                if up and b"POST /internal/v1/shipments" in piece:
                    self._shipping = True
                while weather.holds:  # noqa: ASYNC110 - set by another thread
                    await asyncio.sleep(0.01)
                if weather.delay_s:
                    await asyncio.sleep(weather.delay_s)
                if not up and self._shipping and weather.drops_answers > 0:
                    weather.drops_answers -= 1
                    weather.dropped += 1
                    return
                if up and weather.cuts_after is not None:
                    piece = piece[: max(weather.cuts_after - self._up, 0)]
                    self._up += len(piece)
                    sink.write(piece)
                    await sink.drain()
                    if self._up >= weather.cuts_after:
                        weather.cut += 1
                        return
                    continue
                sink.write(piece)
                await sink.drain()


@contextmanager
def network(target: int) -> Iterator[Network]:
    """Run a proxy to a port of 127.0.0.1, on a free port, until the end of the block."""
    made = Network(target)
    ready = threading.Event()
    stopped: list[asyncio.Event] = []

    async def run() -> None:
        made.loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        stopped.append(stop)
        server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
        made.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await stop.wait()
            made._break()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield made
    finally:
        assert made.loop is not None
        made.loop.call_soon_threadsafe(stopped[0].set)
        thread.join(10)
