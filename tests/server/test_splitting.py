"""However the bytes are cut, the requests are the same; whatever the bytes are, the server gets over them."""

import asyncio
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.rig import Asked, Log
from tokenboard.server import HttpServer, Limits
from tokenboard.server.connection import Connection

token = st.text("abcXYZ019-_", min_size=1, max_size=12).map(str.encode)
value = st.text("ab c,;=\"'é", max_size=20).map(lambda text: text.strip().encode())


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, Asked]:
    """Return a valid request as bytes, and as an application has to see it."""
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS"]))
    path, query = b"/" + draw(token), draw(token)
    fields = [(b"Host", b"board"), *((b"X-" + name, text) for name, text in draw(st.lists(st.tuples(token, value))))]
    body = draw(st.binary(max_size=40))
    if draw(st.booleans()):
        fields.append((b"Transfer-Encoding", b"chunked"))
        cuts = sorted({0, len(body), *draw(st.lists(st.integers(0, len(body)), max_size=4))})
        pieces = [body[a:b] for a, b in pairwise(cuts)]
        extension = draw(st.sampled_from([b"", b";a=b"]))
        trailer = draw(st.sampled_from([b"", b"X-Trailer: t\r\n"]))
        sent = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
        sent += b"0\r\n" + trailer + b"\r\n"
    else:
        fields.append((b"Content-Length", b"%d" % len(body)))
        sent = body
    head = b"%b %b?%b HTTP/1.1\r\n" % (method.encode(), path, query)
    head += b"".join(name + b": " + text + b"\r\n" for name, text in fields)
    asked = Asked(method, path, query, tuple((name.lower(), text) for name, text in fields), body)
    return head + b"\r\n" + sent, asked


class Transport(asyncio.Transport):
    """A transport without a socket: it notes what is written and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.reading = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self if name == "socket" else ("127.0.0.1", 1)

    def setsockopt(self, *_: Any) -> None:
        pass

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def write_eof(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 0


async def feed(pieces: list[bytes]) -> tuple[list[Asked], Transport]:
    """Hand these pieces to a connection, as fast as it takes them."""
    log, transport = Log(), Transport()
    server = HttpServer(log, limits=Limits(max_pipelined=100))
    server._loop = asyncio.get_running_loop()
    connection = Connection(server, server._loop)
    connection.connection_made(transport)
    for piece in pieces:
        while not transport.reading and server.running:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        if transport.closed:
            break
        connection.data_received(piece)
    idle = 0
    while idle < 5:  # an application whose request never ends waits for good
        idle = 0 if any(each.whole for each in server.running) else idle + 1
        await asyncio.sleep(0)
    connection.connection_lost(None)
    while server.running:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)
    return log.asked, transport


@settings(max_examples=150, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=5), st.data())
def test_any_cut_of_the_bytes_gives_the_same_requests(sent: list[tuple[bytes, Asked]], data: st.DataObject) -> None:
    stream = b"".join(raw for raw, _ in sent)
    cuts = sorted({0, len(stream), *data.draw(st.lists(st.integers(0, len(stream)), max_size=12))})

    asked, transport = asyncio.run(feed([stream[a:b] for a, b in pairwise(cuts)]))

    assert ([each for _, each in sent], False) == (asked, transport.closed)
    assert len(sent) == transport.written.count(b"HTTP/1.1 200 OK\r\n")


@settings(max_examples=25, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=2))
def test_bytes_that_come_one_by_one_give_the_same_requests(sent: list[tuple[bytes, Asked]]) -> None:
    stream = b"".join(raw for raw, _ in sent)

    asked, _ = asyncio.run(feed([stream[at : at + 1] for at in range(len(stream))]))

    assert [each for _, each in sent] == asked


noise = st.binary(min_size=1, max_size=60) | st.text("GET/ HTP1.0:\r\n\t\x00;", min_size=1, max_size=60).map(str.encode)


@settings(max_examples=300, deadline=None)
@given(st.lists(noise, min_size=1, max_size=6), requests(), st.integers(0, 200))
def test_no_bytes_crash_the_server_and_what_is_refused_ends_the_connection(
    pieces: list[bytes], good: tuple[bytes, Asked], at: int
) -> None:
    asked, transport = asyncio.run(feed([good[0][:at], *pieces]))

    refused = transport.written.count(b"HTTP/1.1 4") + transport.written.count(b"HTTP/1.1 5")
    assert refused <= 1
    assert not refused or transport.closed
    assert len(asked) >= transport.written.count(b"HTTP/1.1 200 OK\r\n")
