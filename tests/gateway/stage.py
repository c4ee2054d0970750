"""What the scripted upstreams of these tests say, and when."""

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable, Sequence

from tests.gateway.upstream_server import Peer

CHAT = {"model": "up/small", "messages": [{"role": "user", "content": "Say it"}]}
STREAM = {**CHAT, "stream": True}
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
ANSWER = json.dumps({"id": "c1", "choices": [{"message": {"content": "one two"}}], "usage": USAGE}).encode()
DONE = b"data: [DONE]\n\n"

Handler = Callable[[Peer], Awaitable[None]]


def event(content: str) -> bytes:
    """Return a stream's event with this piece of text."""
    return b"data: " + json.dumps({"id": "c1", "choices": [{"delta": {"content": content}}]}).encode() + b"\n\n"


FIRST, SECOND = event("one "), event("two")
USED = b"data: " + json.dumps({"id": "c1", "choices": [], "usage": USAGE}).encode() + b"\n\n"


def http(
    body: bytes,
    kind: str = "application/json",
    status: int = 200,
    headers: Sequence[str] = (),
    length: int | None = None,
) -> bytes:
    """Return an upstream's answer with a Content-Length."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", *headers]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def answering(data: bytes) -> Handler:
    """Answer every request with these bytes, and keep the connection."""

    async def handle(peer: Peer) -> None:
        while True:
            await peer.answer(data)

    return handle


class Stage:
    """A scripted answer in acts: the test decides when the next is played."""

    def __init__(self, *acts: bytes) -> None:
        self._acts = acts
        self._cues = [asyncio.Event() for _ in acts]
        self.dropped = asyncio.Event()
        self.heard = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        await peer.hear()
        self.heard.set()
        for act, cue in zip(self._acts, self._cues, strict=True):
            await cue.wait()
            await peer.say(act)
        await peer.hear_the_end()
        self.dropped.set()

    def play(self, number: int) -> None:
        self._cues[number].set()


def resetting(data: bytes) -> Handler:
    """Say this much, then reset the connection."""

    async def handle(peer: Peer) -> None:
        await peer.answer(data)
        await asyncio.sleep(0.02)  # what was said must be on its way before the reset overtakes it
        peer.reset()

    return handle


def closing(data: bytes) -> Handler:
    """Say this much, then close the connection in order."""

    async def handle(peer: Peer) -> None:
        await peer.answer(data)

    return handle


def gzipped(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()
