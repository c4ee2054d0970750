"""The upstream of all proxies: canned answers, as quick as Python gives them (httptools under uvloop).

``python -m benchmarks.gateway.upstream PORT`` prints its port of 127.0.0.1; 0 takes a free one. Several may share it.
"""

import asyncio
import re
import sys
import time
from typing import cast

import httptools
import uvloop

from benchmarks.gateway.dialogue import CHUNKS, GAP_MS, SLOW_GAP_MS, SLOW_MODEL, answer, ending, event

_BACKLOG = 4096
_STREAMED = re.compile(rb'"stream"\s*:\s*true')
_SLOW = SLOW_MODEL.encode()
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_FOREVER = 1 << 30


def main() -> None:
    """Answer until a signal ends the process."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answerer, "127.0.0.1", port, backlog=_BACKLOG, reuse_port=True)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _whole(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_ANSWER = _whole(answer())
_LIST = _whole(b'{"object":"list","data":[]}')
_ENDING = _chunk(ending()) + b"0\r\n\r\n"


class _Answerer(asyncio.Protocol):
    """One connection: POST is answered by a completion, all else by an empty list."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self._body: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_begin(self) -> None:
        self._body.clear()

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        if self._parser.get_method() != b"POST":
            self._transport.write(_LIST)
            return
        body = b"".join(self._body)
        if b'"stream"' not in body or not _STREAMED.search(body):
            self._transport.write(_ANSWER)
        elif _SLOW in body:
            self._next(_STREAM_HEAD, _FOREVER, SLOW_GAP_MS / 1e3)
        else:
            self._next(_STREAM_HEAD, CHUNKS, GAP_MS / 1e3)

    def _next(self, head: bytes, left: int, gap_s: float) -> None:
        if not left:
            self._timer = None
            self._transport.write(_ENDING)
            return
        self._timer = self._loop.call_later(gap_s, self._next, b"", left - 1, gap_s)
        # The clock is read last: what comes after it is the proxy's and the client's.
        self._transport.write(head + _chunk(event(time.monotonic_ns())))


if __name__ == "__main__":
    main()
