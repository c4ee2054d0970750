"""What clients do amiss is counted where an operator looks, and never told as a fault of ours."""

import socket
import struct
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.board import BoardProcess, wait_for
from tests.upstream import OpenAiUpstream

OURS = ("Traceback", "fault of ours", "failed to answer", "without an answer", '"error"')


def counted(client: httpx.Client) -> Mapping[str, int]:
    answer = client.get("/api/v1/admin/counters")
    return {str(name): int(count) for name, count in answer.json()["data"].items()}


def grown(client: httpx.Client, before: Mapping[str, int], name: str) -> int:
    return counted(client).get(name, 0) - before.get(name, 0)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def half_close(connection: socket.socket) -> None:
    """Send no more, and read what is answered."""
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65_536):
        pass
    connection.close()


@pytest.mark.parametrize("leave", [reset, socket.socket.close, half_close])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/chat/completions"),
        ("POST", "/v1/messages"),
        ("POST", "/api/v1/usage"),
        ("PUT", "/api/v1/admin/apps/1/name"),
        ("POST", "/api/v1/admin/keys"),
        ("POST", "/session"),
    ],
)
def test_a_client_that_breaks_off_in_its_body_is_counted_and_is_no_fault_of_ours(
    board: BoardProcess, client: httpx.Client, key: str, method: str, path: str, leave: Any
) -> None:
    before, log = counted(client), len(board.log())
    address = urlsplit(board.url)
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        head = [f"{method} {path} HTTP/1.1", "Host: board", f"Authorization: Bearer {key}", "Content-Length: 5000"]
        head += ["Expect: 100-continue", "Content-Type: application/x-www-form-urlencoded"]
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        if path != "/session":  # on a public board nobody reads it
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b'{"model": ')
        leave(connection)
    if path != "/session":
        wait_for(lambda: grown(client, before, "clients_left.request") == 1)
    told = board.log()[log:]
    assert [] == [word for word in OURS if word in told], told


def test_a_client_that_leaves_before_its_answer_is_counted(
    board: BoardProcess, client: httpx.Client, key: str, upstream: OpenAiUpstream
) -> None:
    before, log = counted(client), len(board.log())
    upstream.script.pause = threading.Event()
    address = urlsplit(board.url)
    body = b'{"model": "scripted/small", "messages": [], "stream": true}'
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        head = ["POST /v1/chat/completions HTTP/1.1", "Host: board", f"Authorization: Bearer {key}"]
        connection.sendall("\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        reset(connection)
    wait_for(lambda: grown(client, before, "clients_left.answer") == 1)
    upstream.script.pause.set()
    told = board.log()[log:]
    assert [] == [word for word in OURS if word in told], told


def test_what_is_no_http_is_counted_by_its_status(board: BoardProcess, client: httpx.Client) -> None:
    before = counted(client)
    address = urlsplit(board.url)
    for line in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
            connection.sendall(line)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 400")
    assert 2 == grown(client, before, "refused_requests.400")


# -- keys


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({}, 401, "missing"),
        ({"Authorization": "Basic eDp5"}, 401, "malformed"),
        ({"Authorization": "Bearer tb-SECRETSECRET"}, 401, "unknown"),
        ({"x-api-key": "sk-SECRET"}, 401, "unknown"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/api/v1/datasets/app-rankings", "/api/v1/key", "/api/v1/admin/keys"])
def test_a_wrong_key_is_counted_by_its_reason(
    board: BoardProcess, client: httpx.Client, path: str, headers: dict[str, str], status: int, reason: str
) -> None:
    before = counted(client)
    assert status == httpx.get(board.url + path, headers=headers, timeout=30).status_code
    assert 1 == grown(client, before, f"refused_keys.{reason}")


def test_a_key_without_the_scope_and_a_revoked_one_are_counted(board: BoardProcess, client: httpx.Client) -> None:
    made = client.post("/api/v1/admin/keys", json={"label": "narrow", "scopes": ["ingest"]}).json()["data"]
    before = counted(client)
    bearing = {"Authorization": f"Bearer {made['secret'] if 'secret' in made else made['key']}"}
    assert 403 == httpx.get(f"{board.url}/v1/models", headers=bearing, timeout=30).status_code
    assert 200 == client.delete(f"/api/v1/admin/keys/{made['id']}").status_code
    assert 401 == httpx.get(f"{board.url}/v1/models", headers=bearing, timeout=30).status_code
    assert (1, 1) == (grown(client, before, "refused_keys.scope"), grown(client, before, "refused_keys.revoked"))
