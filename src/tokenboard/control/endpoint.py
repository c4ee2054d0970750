"""The gateway's side: the control endpoint at its Unix socket, for its board only."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec

from tokenboard.control.state import GatewayState

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

_encoder = msgspec.json.Encoder()


class Endpoint:
    """An ASGI application: ``GET /state``, and ``POST /snapshot?revision=N``, answered once N is in force.

    ``state`` returns the gateway's state; ``catch_up`` reads the snapshot again, which blocks, and returns the revision
    then in force. No authentication: only the data folder's owner can reach the socket.
    """

    def __init__(self, state: Callable[[], GatewayState], catch_up: Callable[[], int]) -> None:
        self._state = state
        self._catch_up = catch_up

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer one request."""
        match scope["method"], scope["path"]:
            case "GET", "/state":
                status, body = 200, _encoder.encode(self._state())
            case "POST", "/snapshot":
                wanted = _revision(scope["query_string"])
                revision = await asyncio.to_thread(self._catch_up)
                status, body = (200 if revision >= wanted else 503), _encoder.encode({"revision": revision})
            case _:
                status, body = 404, b"{}"
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _revision(query: bytes) -> int:
    given = parse_qs(query.decode("latin-1")).get("revision", ["0"])[0]
    return int(given) if given.isascii() and given.isdigit() and len(given) < 20 else 0
