"""The supervisor's side of a status pipe."""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from typing import Any, Final

from tokenboard.observability import BoundedLog, logger

_MAX_LINE: Final = 65_536
_READ: Final = 65_536

_log = BoundedLog(logger("supervisor"))


class StatusLines:
    """Reads JSON objects from a pipe, one per line, and passes each to ``hear``.

    A line that is not a JSON object, or longer than 64 KiB, is logged and skipped: a faulty child must not harm its
    supervisor. Owns the descriptor.
    """

    def __init__(self, name: str, descriptor: int, hear: Callable[[dict[str, Any]], None]) -> None:
        self._name = name
        self._descriptor = descriptor
        self._hear = hear
        self._begun = b""
        self._skipping = False
        self._loop = asyncio.get_running_loop()
        self._open = True
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._read)

    def close(self) -> None:
        """Read what has already been written, and close."""
        while self._open and self._read():
            pass
        if self._open:
            self._open = False
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)

    def _read(self) -> bool:
        """Read once; return False when there is nothing now, or the end."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._descriptor, _READ)
            if not data:
                self._loop.remove_reader(self._descriptor)
        *lines, self._begun = (self._begun + data).split(b"\n")
        for line in lines:
            if not self._skipping:
                self._take(line)
            self._skipping = False
        if len(self._begun) > _MAX_LINE:
            self._begun, self._skipping = b"", True
            self._warn("longer than 65,536 bytes")
        return bool(data)

    def _take(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            self._warn("no JSON object")
            return
        try:
            self._hear(said)
        except Exception:
            logger("supervisor").exception("a status could not be handled", extra={"child": self._name})

    def _warn(self, reason: str) -> None:
        facts = {"child": self._name, "reason": reason}
        _log.warning(f"status.{self._name}", "a process told its status in a form that cannot be read", facts)
