"""The board's side: requests to every gateway of the data folder."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from tokenboard.control.state import GatewayState
from tokenboard.observability import BoundedLog, logger
from tokenboard.unix_sockets import unix_address

SUFFIX: Final = ".sock"
"""Suffix of the names of gateways' sockets."""

_WITHIN_S: Final = 1.0
_NOBODY: Final = b""
_MAX_ANSWER: Final = 4_000_000
_state = msgspec.json.Decoder(GatewayState)
_log = BoundedLog(logger("control"))


class Gateways:
    """The gateways whose sockets are in ``folder`` at the time of each call.

    One that does not answer within a second is left out, and named by `away`. A socket that nobody listens at is no
    gateway: a supervisor keeps those of its own open, and a gateway that ran alone and was killed is gone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.away: tuple[str, ...] = ()
        """The names of those that did not answer last time."""

    async def states(self) -> list[GatewayState]:
        """Return the state of each, by name."""
        names = await asyncio.to_thread(self._names)
        answers = await asyncio.gather(*(self._ask("GET", name, "/state") for name in names))
        found = []
        silent = []
        for name, answer in zip(names, answers, strict=True):
            if answer == _NOBODY:
                continue
            state = None if answer is None else _decode(answer)
            if state is None:
                silent.append(name)
            else:
                found.append(state)
        self.away = tuple(silent)
        return found

    def publish(self, revision: int) -> None:
        """Have every gateway use the snapshot of this revision, or a later one; block until those that answer do.

        One that does not answer in time finds it by itself within a tenth of a second.
        """
        names = self._names()
        if names:
            asyncio.run(self._publish(names, revision))

    async def _publish(self, names: Sequence[str], revision: int) -> None:
        answers = await asyncio.gather(*(self._ask("POST", name, f"/snapshot?revision={revision}") for name in names))
        late = [name for name, answer in zip(names, answers, strict=True) if answer is None]
        if late:
            facts = {"gateways": ", ".join(late), "hint": "They read it by themselves as soon as they can."}
            _log.warning("late", "a gateway did not confirm a change of keys in time", facts)

    def _names(self) -> list[str]:
        try:
            found = sorted(entry.name for entry in os.scandir(self._folder))
        except OSError:
            return []
        return [name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)]

    async def _ask(self, method: str, name: str, target: str) -> bytes | None:
        """Return the body of a gateway's answer; None without a 200, `_NOBODY` where nobody listens.

        One connection per request: there are few.
        """
        request = f"{method} {target} HTTP/1.1\r\nhost: {name}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        try:
            async with asyncio.timeout(_WITHIN_S):
                with unix_address(self._folder / f"{name}{SUFFIX}") as address:
                    reader, writer = await asyncio.open_unix_connection(address, limit=_MAX_ANSWER)
                try:
                    writer.write(request.encode())
                    answer = await reader.read(_MAX_ANSWER)
                    while len(answer) < _MAX_ANSWER and (more := await reader.read(_MAX_ANSWER)):
                        answer += more
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
        except (ConnectionRefusedError, FileNotFoundError):
            return _NOBODY
        except (OSError, TimeoutError):
            return None
        head, _, body = answer.partition(b"\r\n\r\n")
        return body if head.startswith(b"HTTP/1.1 200 ") else None


def _decode(answer: bytes) -> GatewayState | None:
    try:
        return _state.decode(answer)
    except msgspec.MsgspecError as error:
        _log.warning("state", "a gateway's word on itself cannot be read", {"reason": str(error)[:200]})
        return None
