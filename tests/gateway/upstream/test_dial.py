"""Connections over Unix sockets, however long the socket's path."""

import asyncio
import contextlib
import os
import select
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.gateway.upstream_server import HELLO, LIMITS, OK, PATIENT, Handler, Peer, run, until
from tokenboard.gateway.upstream import ConnectFailed, Pool, ResponseBroken, UnixOrigin


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def bound(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX)
    with inside(path.parent):  # a path too long for a socket's address is bound from its folder
        made.bind(path.name)
    return made


@contextlib.asynccontextmanager
async def behind(path: Path, handler: Handler) -> AsyncIterator[Pool]:
    """Run a scripted server on a Unix socket, and a pool to it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await handler(Peer(reader, writer))
        writer.close()

    async with await asyncio.start_unix_server(serve, sock=bound(path)):
        pool = Pool(UnixOrigin(str(path)), limits=LIMITS, timeouts=PATIENT)
        yield pool
        await pool.aclose()
        assert (0, 0) == (pool.slots_taken, pool.idle)


def leave_behind(name: str) -> None:
    """Make a socket to which nobody listens."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(name)


def opened() -> list[str]:
    """Return what this process has open."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return found


@pytest.fixture(params=[1, 120])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    length: int = request.param
    folder = tmp_path / ("d" * length)
    folder.mkdir()
    return folder / "s"


def test_a_unix_socket_is_reached_and_its_connection_kept(path: Path) -> None:
    async def main() -> None:
        heard: list[bytes] = []

        async def handler(peer: Peer) -> None:
            while True:
                heard.append((await peer.answer()).headers[0][1])

        async with behind(path, handler) as pool:
            for _ in range(3):
                response = await pool.send(b"GET", b"/", [], b"")
                assert b"hello" == await response.read_chunk()
            assert ([b"localhost"] * 3, 1, f"unix:{path}") == (heard, pool.idle, str(UnixOrigin(str(path))))
        assert str(path.parent) not in opened()

    run(main)


def test_a_socket_that_is_not_there_or_that_nobody_listens_to_is_a_failure_to_connect(path: Path) -> None:
    async def main() -> None:
        pool = Pool(UnixOrigin(str(path)), limits=LIMITS, timeouts=PATIENT)
        for _ in range(2):
            with pytest.raises(ConnectFailed) as caught:
                await pool.send(b"GET", b"/", [], b"")
            assert (False, 0) == (caught.value.sent, pool.slots_taken)
            with inside(path.parent), contextlib.suppress(OSError):
                leave_behind(path.name)

    run(main)


def test_a_request_is_never_sent_twice_over_a_unix_socket(path: Path) -> None:
    """The end of a Unix stream proves nothing: what was written lies with the other side, which may still read it."""

    async def main() -> None:
        heard: list[object] = []

        async def handler(peer: Peer) -> None:
            await peer.answer()
            peer.writer.write_eof()
            heard.append(await peer.hear())

        async with behind(path, handler) as pool:
            await pool.send(b"GET", b"/", [], b"")
            (connection,) = pool._idle
            connection._peek = blind()
            with pytest.raises(ResponseBroken):
                await pool.send(b"POST", b"/", [], b"{}")
            await until(lambda: len(heard) == 1)

    run(main)


def blind() -> select.poll:
    """Return what sees no close, as if it were still on its way."""
    return select.poll()


def test_an_answer_to_head_has_its_length_and_no_body_and_the_connection_goes_on(path: Path) -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"Content-Length: 5\r\n\r\n")
            await peer.answer(HELLO)
            await peer.hear_the_end()

        async with behind(path, handler) as pool:
            response = await pool.send(b"HEAD", b"/", [], b"")
            assert (True, True, b"") == (response.complete, response.ended_hint, await response.read_chunk())
            assert [(b"Content-Length", b"5")] == response.headers
            assert b"hello" == await (await pool.send(b"GET", b"/", [], b"")).read_chunk()

    run(main)
