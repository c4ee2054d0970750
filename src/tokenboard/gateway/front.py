"""Routes every request of a gateway process: to the gateway, the board, or the health checks."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import msgspec

from tokenboard import __version__
from tokenboard.gateway.board import BoardRelay
from tokenboard.gateway.client import Exchange
from tokenboard.gateway.gateway import Gateway
from tokenboard.problem import Problem, dialect_of

READY: Final = "/readyz/gateway"
"""Readiness of this gateway for inference, for load balancers; independent of the board."""

ALIVE: Final = "/healthz"

_OF_ITSELF: Final = frozenset({READY, ALIVE})
_NOT_YET: Final = "This gateway has not heard yet which keys its board knows; try again in a moment."

_encoder = msgspec.json.Encoder()


class Front:
    """Dispatches each request by its path.

    ``ready`` gives the reason why no inference is taken, or None; ``tell`` what else there is to say of it.
    """

    def __init__(
        self,
        gateway: Gateway,
        board: BoardRelay,
        *,
        ready: Callable[[], str | None],
        tell: Callable[[], Mapping[str, object]] = dict,
    ) -> None:
        self._gateway = gateway
        self._board = board
        self._ready = ready
        self._tell = tell
        self.opened = True
        """Whether requests are taken; else only its own state is told."""

    def owns(self, path: str) -> bool:  # noqa: ARG002 - the server asks for each
        """Say that all paths are its own."""
        return True

    def answer(self, exchange: Exchange, /) -> Coroutine[Any, Any, None]:
        """Return the coroutine that answers one HTTP request."""
        path = exchange.head.path
        if path in _OF_ITSELF and exchange.head.method in {"GET", "HEAD"}:
            return self._tell_of_itself(exchange)
        if not self.opened and path not in _OF_ITSELF:
            return self._refuse(exchange)
        if self._gateway.owns(path):
            return self._gateway.answer(exchange)
        return self._board.answer(exchange)

    async def _tell_of_itself(self, exchange: Exchange) -> None:
        if exchange.head.path == ALIVE:
            _say(exchange, 200, {"status": "alive", "version": __version__})
            return
        reason = self._ready()
        said: dict[str, object] = {"status": "ready"}
        if reason is not None:
            said = {"status": "not ready", "spool": reason}
        said |= self._tell()
        _say(exchange, 200 if reason is None else 503, said)

    async def _refuse(self, exchange: Exchange) -> None:
        error = Problem(503, _NOT_YET, headers={"Retry-After": "2"})
        headers = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        _write(exchange, 503, error.body(dialect_of(exchange.head.path, exchange.head.headers)), headers)


def _say(exchange: Exchange, status: int, said: Mapping[str, object]) -> None:
    _write(exchange, status, _encoder.encode(said))


def _write(exchange: Exchange, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    framing = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    exchange.begin(status, [*framing, *headers])
    exchange.write(b"" if exchange.head.method == "HEAD" else body, last=True)
