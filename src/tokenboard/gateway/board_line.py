"""A gateway's line to a board on another machine: questions with the gateway's own key, and bounded answers."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from tokenboard.gateway.upstream import Limits, Origin, Pool, Timeouts, UpstreamError

MAX_ANSWER: Final = 64 * 1024 * 1024
"""Bytes of an answer at most: a snapshot of a hundred thousand keys has a third of it."""

_KEPT_FOR_S: Final = 30.0
_CONNECTIONS: Final = 4
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class BoardUnreached(Exception):
    """There is no answer of the board; whether it got the question is not known."""


class Reply(NamedTuple):
    """An answer of the board, or of whatever stands before it."""

    status: int
    body: bytes


def origin_of(url: str) -> tuple[Origin, bytes]:
    """Return where an http or https URL leads, and the path before every other one there.

    Raises:
        ValueError: it leads nowhere.

    """
    parts = urlsplit(url)
    origin = Origin(parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0))
    return origin, parts.path.rstrip("/").encode("ascii")


class BoardLine:
    """Asks the board at ``url``, with what ``key`` returns each time; for one event loop.

    ``answer_s`` is how long an answer may take to begin, beyond the time for which a question says that it waits. A
    kept connection may be dead without a word: a question that gets no answer takes its connection with it.

    Raises:
        ValueError: the URL leads nowhere.

    """

    def __init__(
        self,
        url: str,
        *,
        key: Callable[[], str],
        tls: ssl.SSLContext | None,
        connect_s: float,
        answer_s: float,
        wait_s: float,
    ) -> None:
        origin, self._base = origin_of(url)
        self._key = key
        self._answer_s = answer_s
        self._wait_s = wait_s
        self._pool = Pool(
            origin,
            limits=Limits(max_connections=_CONNECTIONS, max_idle=_CONNECTIONS, idle_keepalive_s=_KEPT_FOR_S),
            timeouts=Timeouts(connect_s, answer_s + wait_s, answer_s),
            ssl_context=tls,
        )

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
        *,
        waits: bool = False,
    ) -> Reply:
        """Put a question; ``waits`` says that the board may take its time over it.

        Raises:
            BoardUnreached: there is no whole answer in time.

        """
        fields = [(b"authorization", b"Bearer " + self._key().encode("ascii", "replace")), *headers]
        within_s = self._answer_s + (self._wait_s if waits else 0.0)
        try:
            async with asyncio.timeout(within_s):
                return await self._ask(method.encode("ascii"), self._base + path.encode("ascii"), fields, body)
        except TimeoutError as error:
            raise BoardUnreached(f"no answer within {within_s:g} s") from error
        except UpstreamError as error:
            raise BoardUnreached(str(error)) from error

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._pool.aclose()

    async def _ask(self, method: bytes, target: bytes, fields: Sequence[tuple[bytes, bytes]], body: bytes) -> Reply:
        answer = await self._pool.send(method, target, fields, body)
        pieces = bytearray()
        try:
            while piece := await answer.read_chunk():
                pieces += piece
                if len(pieces) > MAX_ANSWER:
                    raise BoardUnreached(f"an answer of more than {MAX_ANSWER:,} bytes")
        finally:
            answer.cancel()
        return Reply(answer.status, bytes(pieces))
