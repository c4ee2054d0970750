"""Disk space reserved for a start on a full disk.

SQLite cannot even read a database in write-ahead mode without some 32 KiB for an index beside it, which it removes at a
clean end. So a board that was stopped on a full disk could not be started again to answer from what it has. A file of
zeros holds that room: it is given back before the stores are opened, and made again when there is enough of it.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from tokenboard.observability import logger

NAME = "reserve"
SIZE = 1024 * 1024
"""Bytes kept on each disk that holds a store."""

_PIECE = bytes(64 * 1024)
_log = logger("folder")


class Reserve:
    """The reserves of one board, one on each disk that its folders lie on."""

    def __init__(self, folders: Iterable[Path]) -> None:
        by_disk: dict[int, Path] = {}
        for folder in folders:
            with suppress(OSError):
                by_disk.setdefault(folder.stat().st_dev, folder / NAME)
        self._files = list(by_disk.values())

    def __enter__(self) -> Self:
        """Give the room to whoever opens stores; it is taken again at the end of the block, as far as there is any."""
        for file in self._files:
            with suppress(OSError):
                file.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._keep(part=True)

    def keep(self) -> None:
        """Take all of the room again, now; a disk without it is logged, and left what it has."""
        self._keep(part=False)

    def _keep(self, *, part: bool) -> None:
        for file in self._files:
            with suppress(OSError):
                if file.stat().st_size == SIZE:
                    continue
            try:
                _fill(file, part=part)
            except OSError as error:
                facts = {"disk": str(file.parent), "reason": error.strerror, "hint": "Free disk space."}
                _log.error("the disk is full: what is there is served, and new usage may be refused", extra=facts)


def _fill(file: Path, *, part: bool) -> None:
    """Make the file. Raises OSError when it cannot be of its whole size; it is gone then, unless part of it will do."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            for _ in range(SIZE // len(_PIECE)):
                # Written, not only allotted: a file system that writes elsewhere each time keeps no promise it makes.
                os.write(descriptor, _PIECE)
        finally:
            os.close(descriptor)
    except OSError:
        if not part:
            with suppress(OSError):
                file.unlink(missing_ok=True)
            raise
