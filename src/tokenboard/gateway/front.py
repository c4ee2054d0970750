"""Routes every request of a gateway process: to the gateway, the board, or the health checks."""

from collections.abc import Callable
from typing import Final

import msgspec

from tokenboard import __version__
from tokenboard.gateway.board import BoardRelay
from tokenboard.gateway.client import Exchange
from tokenboard.gateway.gateway import Gateway

READY: Final = "/readyz/gateway"
"""Readiness of this gateway for inference, for load balancers; independent of the board."""

ALIVE: Final = "/healthz"

_encoder = msgspec.json.Encoder()


class Front:
    """Dispatches each request by its path. ``ready`` returns the reason why no inference is taken, or None."""

    def __init__(self, gateway: Gateway, board: BoardRelay, *, ready: Callable[[], str | None]) -> None:
        self._gateway = gateway
        self._board = board
        self._ready = ready

    def owns(self, path: str) -> bool:  # noqa: ARG002 - the server asks for each
        """Say that all paths are its own."""
        return True

    async def answer(self, exchange: Exchange, /) -> None:
        """Answer one HTTP request."""
        path = exchange.head.path
        if self._gateway.owns(path):
            await self._gateway.answer(exchange)
        elif path == ALIVE and exchange.head.method in {"GET", "HEAD"}:
            _say(exchange, 200, {"status": "alive", "version": __version__})
        elif path == READY and exchange.head.method in {"GET", "HEAD"}:
            reason = self._ready()
            said = {"status": "ready"} if reason is None else {"status": "not ready", "spool": reason}
            _say(exchange, 200 if reason is None else 503, said)
        else:
            await self._board.answer(exchange)


def _say(exchange: Exchange, status: int, said: dict[str, str]) -> None:
    body = _encoder.encode(said)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    exchange.begin(status, headers)
    exchange.write(b"" if exchange.head.method == "HEAD" else body, last=True)
