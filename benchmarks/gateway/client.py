"""The load client: closed loops, open loops, and streams whose chunks tell when they were sent.

``python -m benchmarks.gateway.client`` reads one `Load` as JSON from its first argument and prints one `Outcome`. A
load that holds streams open prints ``open`` once all have begun, and ends when its standard input does.
"""

import asyncio
import selectors
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Literal, cast

import httptools
import msgspec
import uvloop

from benchmarks.gateway.dialogue import MODEL, SLOW_MODEL, STAMP, question
from benchmarks.table import quantile

_LATE_S = 3.0
"""Seconds that the answers of an open loop may take after its last request."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask whom: ``headers`` and ``model`` are as one proxy wants them; ``rate`` is an open loop's, a second."""

    kind: Literal["closed", "open", "streams", "held"]
    port: int
    path: str
    headers: dict[str, str]
    connections: int
    seconds: float = 0
    rate: int = 0
    streams: int = 0
    prompt_bytes: int = 50
    model: str = MODEL


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it; times in seconds.

    Of streams, ``p50`` and ``p99`` are those of a chunk's way from the upstream to here, ``first_byte`` the median.
    ``cpu`` is the CPU time of the load itself, told by whoever started it.
    """

    requests: int
    failed: int
    seconds: float
    p50: float
    p99: float
    first_byte: float = 0
    chunks: int = 0
    cpu: float = 0


def main() -> None:
    """Put a server under the load that the command line tells."""
    load = msgspec.json.decode(sys.argv[1].encode(), type=Load)
    # uvloop's timers tick in milliseconds; select() waits for microseconds, and so keeps the pace of an open loop.
    precise = load.kind == "open"
    with asyncio.Runner(loop_factory=_precise_loop if precise else uvloop.new_event_loop) as runner:
        outcome = runner.run(_LOADS[load.kind](load))
    sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")


class _Connection(asyncio.Protocol):
    """One kept-alive connection; one request at a time.

    ``delays`` are the nanoseconds that stamped chunks took to come here, ``first_ns`` is when the answer's body began.
    """

    def __init__(self, load: Load) -> None:
        stream = load.kind in {"streams", "held"}
        model = SLOW_MODEL if load.kind == "held" else load.model
        body = question(stream=stream, prompt_bytes=load.prompt_bytes, model=model)
        fields = {"Host": f"127.0.0.1:{load.port}", **load.headers, "Content-Length": str(len(body))}
        head = f"POST {load.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._request = head.encode() + b"\r\n" + body
        self._stream = stream
        self._load = load
        self._transport: asyncio.Transport
        self._answered: asyncio.Future[bool] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._rest = b""
        self._now = 0
        self.began = asyncio.Event()
        self.first_ns = 0
        self.delays: list[int] = []

    async def open(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", self._load.port)
        return self

    def ask(self) -> "asyncio.Future[bool]":
        """Send the request; the future tells whether it was answered with 200."""
        self._answered = asyncio.get_running_loop().create_future()
        self.began.clear()
        self._parser = httptools.HttpResponseParser(self)
        self._rest = b""
        self._transport.write(self._request)
        return self._answered

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._now = time.monotonic_ns()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._settle(False)
        self.began.set()

    def on_body(self, data: bytes) -> None:
        if not self.began.is_set():
            self.began.set()
            self.first_ns = self._now
        if self._stream:
            data = self._rest + data
            end = 0
            for found in STAMP.finditer(data):
                self.delays.append(self._now - int(found[1]))
                end = found.end()
            # A stamp may have been cut in two.
            self._rest = data[end:][-32:]

    def on_message_complete(self) -> None:
        self._settle(self._parser.get_status_code() == 200)

    def _settle(self, good: bool) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(good)


async def _closed(load: Load) -> Outcome:
    """Ask again as soon as there is an answer, on every connection."""
    connections = [await _Connection(load).open() for _ in range(load.connections)]
    times: list[float] = []
    failed = 0
    begun = time.perf_counter()
    deadline = begun + load.seconds

    async def repeat(connection: _Connection) -> None:
        nonlocal failed
        while (asked := time.perf_counter()) < deadline:
            if not await connection.ask():
                failed += 1
                return
            times.append(time.perf_counter() - asked)

    await asyncio.gather(*map(repeat, connections))
    return _outcome(times, failed, time.perf_counter() - begun)


async def _open(load: Load) -> Outcome:
    """Ask at a fixed rate, whether or not answers come; a time counts from when the request was due."""
    connections = [await _Connection(load).open() for _ in range(load.connections)]
    idle = deque(connections)
    freed = asyncio.Condition()
    times: list[float] = []
    failed = 0
    total = round(load.seconds * load.rate)
    begun = time.perf_counter() + 0.05

    async def one(due: float) -> None:
        nonlocal failed
        async with freed:
            await freed.wait_for(lambda: bool(idle))
            connection = idle.popleft()
        if await connection.ask():
            times.append(time.perf_counter() - due)
            idle.append(connection)
            async with freed:
                freed.notify()
        else:
            failed += 1

    asked: list[asyncio.Task[None]] = []
    for number in range(total):
        due = begun + number / load.rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        asked.append(asyncio.create_task(one(due)))
    _, late = await asyncio.wait(asked, timeout=_LATE_S)
    for task in late:
        task.cancel()
    return _outcome(times, total - len(times), time.perf_counter() - begun)


async def _streams(load: Load) -> Outcome:
    """Read streams one after the other on every connection."""
    connections = [await _Connection(load).open() for _ in range(load.connections)]
    first: list[float] = []
    failed = 0
    begun = time.perf_counter()

    async def repeat(connection: _Connection) -> None:
        nonlocal failed
        for _ in range(load.streams // load.connections):
            asked = time.monotonic_ns()
            if await connection.ask():
                first.append((connection.first_ns - asked) / 1e9)
            else:
                failed += 1

    await asyncio.gather(*map(repeat, connections))
    delays = sorted(delay / 1e9 for connection in connections for delay in connection.delays)
    return Outcome(
        requests=len(first),
        failed=failed,
        seconds=time.perf_counter() - begun,
        p50=quantile(delays, 0.5) if delays else 0,
        p99=quantile(delays, 0.99) if delays else 0,
        first_byte=quantile(sorted(first), 0.5) if first else 0,
        chunks=len(delays),
    )


async def _held(load: Load) -> Outcome:
    """Hold streams open until the standard input ends."""
    begun = time.perf_counter()
    connections = [await _Connection(load).open() for _ in range(load.connections)]
    answered = [connection.ask() for connection in connections]
    await asyncio.gather(*(connection.began.wait() for connection in connections))
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    # A stream that has been answered has ended, and should not have.
    failed = sum(answer.done() for answer in answered)
    for connection in connections:
        connection.close()
    chunks = sum(len(connection.delays) for connection in connections)
    seconds = time.perf_counter() - begun
    return Outcome(requests=len(connections) - failed, failed=failed, seconds=seconds, p50=0, p99=0, chunks=chunks)


def _outcome(times: list[float], failed: int, seconds: float) -> Outcome:
    times.sort()
    p50, p99 = (quantile(times, share) if times else 0.0 for share in (0.5, 0.99))
    return Outcome(requests=len(times), failed=failed, seconds=seconds, p50=p50, p99=p99)


def _precise_loop() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


_LOADS: dict[str, Callable[[Load], Coroutine[None, None, Outcome]]] = {
    "closed": _closed,
    "open": _open,
    "streams": _streams,
    "held": _held,
}


if __name__ == "__main__":
    main()
