"""``serve`` as several processes: listeners, gateways, board, and what they are started with."""

import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

from tokenboard.app.folder import DataFolder, FolderUnusable
from tokenboard.app.places import board_socket, gateways_folder, run_folder
from tokenboard.app.roles import BOARD, CONTROL, PUBLIC, gateway_name, local_url
from tokenboard.config import Settings
from tokenboard.supervisor import Child, Listener, listened_on, public_listeners, supervise, unix_listener

_GATEWAYS_FIRST: Final = 1
_THEN_THE_BOARD: Final = 2
_BEYOND_GRACE_S: Final = 30.0
"""Seconds a process may take to end in addition to `[server] shutdown_grace_s`."""

_ORPHAN_WITHIN_S: Final = 30.0
_LOOK_EVERY_S: Final = 0.05

MAX_GATEWAYS: Final = 8
"""Maximum number of gateways where none is set."""


def gateways_wanted(settings: Settings) -> int:
    """Return how many gateways to run: as set, or one per core but one."""
    given = settings.server.gateways
    if given != "auto":
        return int(given)
    return min(max(_cores() - 1, 1), MAX_GATEWAYS)


def serve(
    settings: Settings,
    folder: DataFolder,
    *,
    config: Path | None,
    ready: Callable[[str, Mapping[str, Any]], object],
) -> int:
    """Run gateways and the board until SIGTERM or SIGINT; return the exit code.

    ``ready`` is called once all take requests, with the public URL and the board's status.

    Raises:
        ServeError: the address cannot be listened on.
        FolderInUse: another server owns the folder.

    """
    with ExitStack() as opened:
        opened.enter_context(folder.serving())
        _make_folders(folder.path)
        names = free_names(folder.path, gateways_wanted(settings))
        public = public_listeners(settings.server.host, settings.server.port, len(names))
        for listener in public:
            opened.callback(listener.close)
        _let_end(board_socket(folder.path))
        board = _unix(opened, board_socket(folder.path))
        controls = [_unix(opened, gateways_folder(folder.path) / f"{name}.sock") for name in names]
        local = local_url(public[0].socket, settings.server.host)
        url = settings.server.base_url or local
        run = secrets.token_hex(8)
        within_s = settings.server.shutdown_grace_s + _BEYOND_GRACE_S
        common = ["--url", url, "--run", run]
        children = [
            Child(
                name=name,
                argv=_command(folder.path, config, "gateway", "--name", name, *common),
                group=_GATEWAYS_FIRST,
                listeners={PUBLIC: listener, CONTROL: control},
                end_within_s=within_s,
            )
            for name, listener, control in zip(names, public, controls, strict=True)
        ]
        children.append(
            Child(
                name="board",
                argv=_command(folder.path, config, "board", "--local-url", local, *common),
                group=_THEN_THE_BOARD,
                listeners={BOARD: board},
                needs_files=True,
                end_within_s=within_s,
            )
        )
        waiting = {child.name for child in children}
        told: dict[str, Any] = {}

        def heard(child: Child, said: Mapping[str, Any]) -> None:
            if child.name == "board":
                told.update(said)
            if said.get("ready") and child.name in waiting:
                waiting.remove(child.name)
                if not waiting:
                    ready(url, told)

        return supervise(children, on_status=heard)


def _command(data: Path, config: Path | None, *arguments: str) -> Sequence[str]:
    given = ["--config", str(config.resolve())] if config is not None else []
    return [sys.executable, "-m", "tokenboard", "--data", str(data), *given, *arguments]


def _unix(opened: ExitStack, path: Path) -> Listener:
    listener = unix_listener(path)
    opened.callback(listener.close)
    return listener


def _let_end(path: Path) -> None:
    """Wait for a board to end whose supervisor was killed; one that was starting holds no lock yet, only its socket."""
    until = time.monotonic() + _ORPHAN_WITHIN_S
    while listened_on(path) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)


def _make_folders(data: Path) -> None:
    """Create the folders of sockets, and remove the sockets of an earlier run's gateways."""
    try:
        for folder in (run_folder(data), gateways_folder(data)):
            folder.mkdir(mode=0o700, exist_ok=True)
        for left in gateways_folder(data).iterdir():
            # A gateway that runs alone, under a name of its own, goes on beside those of `serve`.
            if not listened_on(left):
                left.unlink()
    except OSError as error:
        raise FolderUnusable(f"cannot use {run_folder(data)}: {error.strerror}") from error


def free_names(data: Path, wanted: int) -> list[str]:
    """Return the first names that no running gateway has.

    One whose supervisor was killed may still be finishing its open answers, with its journal open.
    """
    names = map(gateway_name, count(1))
    free = (name for name in names if not listened_on(gateways_folder(data) / f"{name}.sock"))
    return list(islice(free, wanted))


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
