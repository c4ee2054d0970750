"""One server at several listeners: TCP, a Unix socket, and one that another process made."""

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import HOST, render, run, until
from tokenboard.server import HttpServer

GET = b"GET / HTTP/1.1\r\n" + HOST + b"%bConnection: close\r\n\r\n"
TOLD = b"X-Tokenboard-Peer: 192.0.2.7:1234\r\n"


async def who_asks(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the client, and the names of the headers."""
    names = b" ".join(name for name, _ in scope["headers"])
    client = scope["client"]
    told = b"nobody" if client is None else f"{client[0]}:{client[1]}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-asked", names)]})
    await send({"type": "http.response.body", "body": told})


def unix_listener(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    return listener


async def ask(address: Any, data: bytes) -> tuple[bytes, str]:
    """Return the answer's body, and the client's own address as the server should see it."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    client = socket.socket(family, socket.SOCK_STREAM)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, address)
    own = "{}:{}".format(*client.getsockname()) if family == socket.AF_INET else ""
    reader, writer = await asyncio.open_connection(sock=client)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nx-asked: host connection" in head
    return body, own


def test_a_server_answers_at_all_its_listeners_and_a_trusted_one_tells_it_who_asks(tmp_path: Path) -> None:
    made = socket.create_server(("127.0.0.1", 0))
    inherited = socket.create_server(("127.0.0.1", 0))
    trusted, plain = unix_listener(tmp_path / "trusted"), unix_listener(tmp_path / "plain")
    kept = socket.socket(fileno=os.dup(inherited.fileno()))  # its maker keeps it, as a supervisor does
    addresses = made.getsockname(), kept.getsockname()

    async def main() -> None:
        server = HttpServer(who_asks, render=render)
        await server.start(made)
        await server.start(inherited)
        await server.start(plain)
        await server.start(trusted, peer_told=True)
        for address in addresses:
            body, own = await ask(address, GET % TOLD)
            assert own == body.decode()
        assert b"nobody" == (await ask(str(tmp_path / "plain"), GET % TOLD))[0]
        assert b"192.0.2.7:1234" == (await ask(str(tmp_path / "trusted"), GET % TOLD))[0]
        assert b"nobody" == (await ask(str(tmp_path / "trusted"), GET % b""))[0]
        await until(lambda: not server.connections)
        await server.stop(5)

    run(main)
    assert (tmp_path / "trusted").exists()
    with kept, socket.create_connection(addresses[1]), kept.accept()[0]:
        pass  # whoever else holds it goes on listening
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(addresses[0])


def test_nobody_is_believed_about_a_peer_over_tcp() -> None:
    async def main() -> None:
        server = HttpServer(who_asks)
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            pytest.raises(ValueError, match="only over a Unix socket"),
        ):
            await server.start(listener, peer_told=True)

    run(main)


def test_a_request_that_arrives_while_the_server_stops_is_the_last_of_its_connection() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    held = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await held.wait()
        await who_asks(scope, receive, send)

    async def main() -> None:
        server = HttpServer(app)
        await server.start(listener)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        await until(lambda: bool(server.running))
        stopping = asyncio.create_task(server.stop(30))
        await until(lambda: all(link.machine.stopping for link in server.connections))
        held.set()
        assert b"\r\nconnection: close\r\n" in await reader.read()
        writer.close()
        await stopping

    run(main)
