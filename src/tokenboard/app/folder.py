"""The data folder: who owns it, and where its server can be reached.

DIR/server.lock   held (flock) by the one process that serves from the folder
DIR/server.json   written by it: process id, URL, the token that proves a nudge comes from this machine
DIR/demo.json     written by `seed`: the folder's usage is invented
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO

from tokenboard.app.privacy import tighten
from tokenboard.app.running_server import RunningServer
from tokenboard.observability import logger

DEMO_MARK = "demo.json"
"""The file in the data folder that says which demo year it holds, and whether all of it."""

_OWN_WITHIN_S = 1.0
_OWN_RETRY_S = 0.02
_ORPHANS_WITHIN_S = 30.0
"""How long processes may take to end whose supervisor was killed, in seconds."""

_log = logger("folder")
_NOT_IN_PATHS = "?#"
"""Characters that end a path in the URLs of catalog and ledger: such a folder's stores would lie elsewhere."""


class FolderError(Exception):
    """The data folder cannot be used as asked; ``hint`` tells the operator how to go on."""

    hint = "Name a folder of your own with --data."


class FolderUnusable(FolderError):
    """The folder cannot be made, read or written."""

    hint = "Name another folder with --data, or check its permissions and its disk."


class FolderMissing(FolderError):
    """There is no data folder, and the command makes none."""

    hint = "Name the board's folder with --data; `tokenboard serve` and `tokenboard keys create` make a new one."


class FolderInUse(FolderError):
    """Another process owns the data folder."""

    hint = "Stop that process first, or name another folder with --data."


class DataFolder:
    """One folder that holds everything a board stores."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self._lock: IO[str] | None = None
        self._scratch_before: str | None = None

    def create(self) -> None:
        """Make the folder, readable by its owner only, if it is not there.

        Raises:
            FolderUnusable: it cannot be made, it is no folder, or its path cannot be written in a store's URL.

        """
        if any(char in str(self.path) for char in _NOT_IN_PATHS):
            raise FolderUnusable(f"the path of the data folder {self.path} must not hold ? or #")
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise FolderUnusable(f"cannot make the data folder {self.path}: {error.strerror}") from error

    def exists(self) -> bool:
        """Whether the folder is there."""
        return self.path.is_dir()

    def require(self) -> None:
        """Make sure that the folder is there, without making it.

        Raises:
            FolderMissing: it is not.

        """
        if not self.exists():
            raise FolderMissing(f"there is no data folder {self.path}")

    def own(self) -> None:
        """Take the folder for this process, until `release` or its end; temporary files lie within it meanwhile.

        Raises:
            FolderInUse: another process has it.
            FolderUnusable: it cannot be written.

        """
        self.create()
        file = self.path / "server.lock"
        try:
            lock = file.open("a+", encoding="utf-8")
        except OSError as error:
            raise FolderUnusable(f"cannot write {file}: {error.strerror}") from error
        # Commands that look whether a server runs hold the lock for an instant; an owner holds it until its end.
        deadline = time.monotonic() + _OWN_WITHIN_S
        while not _lock_now(lock, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                lock.close()
                raise self.in_use()
            time.sleep(_OWN_RETRY_S)
        # What a killed server left behind must not be taken for ours.
        (self.path / "server.json").unlink(missing_ok=True)
        tighten(self.path)
        self._lock = lock
        self._scratch_before = tempfile.tempdir
        tempfile.tempdir = str(self._make_scratch())

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Take the folder for a program that serves from it, of whatever processes, until the block's end.

        What a program that was killed has left is waited for: its processes end by themselves.

        Raises:
            FolderInUse: another one serves from it.
            FolderUnusable: it cannot be written.

        """
        self.create()
        file = self.path / "serve.lock"
        try:
            lock = file.open("a+", encoding="utf-8")
        except OSError as error:
            raise FolderUnusable(f"cannot write {file}: {error.strerror}") from error
        with lock:
            if not _lock_now(lock, fcntl.LOCK_EX):
                raise self.in_use()
            began = time.monotonic()
            while (left := self.running()) is not None:
                within_s = _ORPHANS_WITHIN_S if left.supervised else _OWN_WITHIN_S
                if time.monotonic() - began > within_s:
                    raise self.in_use()
                time.sleep(_OWN_RETRY_S)
            yield

    def in_use(self) -> FolderInUse:
        """Return the error that says who has the folder."""
        running = self.running()
        if running is None:
            return FolderInUse(f"another tokenboard process is using {self.path}")
        return FolderInUse(f"a server already runs on {self.path} (process {running.pid}, {running.url})")

    def announce(self, server: RunningServer) -> None:
        """Write where this process can be reached.

        Without room for it commands do not find the server: they say that another process has the folder.
        """
        file = self.path / "server.json"
        temporary = file.with_suffix(".new")
        try:
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump(asdict(server), stream)
            temporary.replace(file)
        except OSError as error:
            facts = {
                "reason": str(error),
                "hint": "Free disk space and start anew; until then commands do not find it.",
            }
            _log.error("where the server answers cannot be written", extra=facts)

    def running(self) -> RunningServer | None:
        """Return the server that owns this folder now, None when there is none or it is still starting."""
        try:
            with (self.path / "server.lock").open("r", encoding="utf-8") as lock:
                # Shared, so that two commands that look at once do not take each other for a server.
                if _lock_now(lock, fcntl.LOCK_SH):
                    return None
            return RunningServer(**json.loads((self.path / "server.json").read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def release(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            (self.path / "server.json").unlink(missing_ok=True)
            tempfile.tempdir = self._scratch_before
            _empty(self.path / "tmp")
            self._lock.close()
            self._lock = None

    def _make_scratch(self) -> Path:
        """Return an empty folder for temporary files: the ledger's client puts each insert into one.

        It stays when the folder is given back. On a disk without room for it the data folder itself has to do: what is
        there can be read, and the ledger takes inserts as soon as there is room.
        """
        scratch = self.path / "tmp"
        _empty(scratch)
        try:
            scratch.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            _log.warning("the folder for temporary files cannot be made", extra={"reason": str(error)})
            return self.path
        return scratch


def _empty(folder: Path) -> None:
    """Remove what is in a folder, as far as it can be."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def _lock_now(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
