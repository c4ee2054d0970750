"""File permissions of the stores: only their owner may read them, whatever folder they are in."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tokenboard.observability import logger

UMASK = 0o077
"""The umask of all commands: only the owner may read what they create."""

_OTHERS = 0o077
_OURS = ("catalog.sqlite", "limits.sqlite", "sessions.sqlite", "server.lock", "server.json", "demo.json", "ids.json")
_OURS_TOO = ("board.json", "ledger", "spool", "tmp", "run", "snapshot", "serve.lock")
_SIDE_FILES = ("", "-wal", "-shm", "-witness", "-journal")
_log = logger("folder")


def tighten(data: Path, elsewhere: Iterable[Path] = ()) -> None:
    """Remove other users' permissions from the stores, in the data folder and elsewhere.

    Files of other users are left alone, and so is the folder itself, whose mode is deliberate. What cannot be changed
    is logged.
    """
    for path in (*(data / name for name in (*_OURS, *_OURS_TOO)), *elsewhere):
        for suffix in _SIDE_FILES:
            each = path.with_name(path.name + suffix) if suffix else path
            try:
                mode = each.lstat().st_mode
                if not stat.S_ISLNK(mode) and mode & _OTHERS:
                    each.chmod(stat.S_IMODE(mode) & ~_OTHERS)
            except FileNotFoundError:
                continue
            except OSError as error:
                facts = {"path": str(each), "reason": str(error), "hint": f"Run as its owner: chmod -R go= {each}"}
                _log.warning("others may read a store", extra=facts)


def exposed(paths: Iterable[Path], limit: int = 5) -> list[Path]:
    """Return up to ``limit`` files below these paths that others may read; what they cannot reach is not looked at."""
    found: list[Path] = []
    for path in paths:
        for each in _reachable(path):
            if len(found) == limit:
                return found
            if each not in found:
                found.append(each)
    return found


def _reachable(path: Path) -> Iterator[Path]:
    with suppress(OSError):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            # A folder's x is what lets anybody to what is in it.
            if mode & 0o011:
                for entry in sorted(os.listdir(path)):
                    yield from _reachable(path / entry)
        elif stat.S_ISREG(mode) and mode & 0o044:
            yield path
