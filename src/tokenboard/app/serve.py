"""Serving until a signal, then ending in order: the board's own process, and everything in one."""

import asyncio
import contextlib
import gc
import os
import secrets
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop
from anyio import to_thread

from tokenboard.api import GatewaysView
from tokenboard.app.board import RETENTION, Board, Ending
from tokenboard.app.clock import wall_clock_ms
from tokenboard.app.data_plane import DataPlane
from tokenboard.app.folder import DataFolder
from tokenboard.app.http import allow_open_files, let_the_loop_go_first, limits_of, render_problem
from tokenboard.app.places import gateways_folder
from tokenboard.app.priority import let_gateways_go_first
from tokenboard.app.reserve import Reserve
from tokenboard.app.roles import FIRST_GATEWAY, local_url
from tokenboard.app.running_server import RunningServer
from tokenboard.app.upstreams import attribution_options
from tokenboard.catalog import CatalogError
from tokenboard.config import Settings
from tokenboard.control import Gateways, GatewayState
from tokenboard.drain import PlanError
from tokenboard.gateway import Gateway
from tokenboard.ledger import LedgerError
from tokenboard.observability import logger
from tokenboard.server import HttpServer
from tokenboard.shipping import refuse_shipped
from tokenboard.spool import SpoolError
from tokenboard.supervisor import Supervised, public_listeners

_SETTLE_WITHIN_S = 30.0
_RETENTION_EVERY_S = 3600.0
_TAKE_OVER_EVERY_S = 1.0

_log = logger("serve")

Ready = Callable[[Board, str], object]


@dataclass(frozen=True, slots=True)
class BoardJob:
    """What the board's process is started with: its public URL, this run's name, and where it takes requests.

    ``local`` is the URL by which commands on this machine reach it. ``private`` is the listener of its gateways,
    ``public`` its own, where it has one.
    """

    url: str
    local: str
    run: str
    private: socket.socket | None
    public: socket.socket | None
    supervised: Supervised | None


def serve_single(settings: Settings, folder: DataFolder, *, config: Path | None, ready: Ready) -> Ending:
    """Serve everything in this process until SIGTERM or SIGINT; then finish open answers, deliver, and return.

    ``ready`` is called once requests are taken, with the board and its URL.

    Raises:
        ServeError: the address cannot be listened on.
        FolderInUse: another server owns the folder.

    """
    with folder.serving():
        return _serve_single(settings, folder, config=config, ready=ready)


def _serve_single(settings: Settings, folder: DataFolder, *, config: Path | None, ready: Ready) -> Ending:
    folder.own()
    try:
        (listener,) = public_listeners(settings.server.host, settings.server.port)
        with contextlib.closing(listener), _reserve(settings, folder) as reserve:
            local = local_url(listener.socket, settings.server.host)
            url = settings.server.base_url or local
            gateways = InProcess()
            board = Board(settings, folder.path, base_url=url, gateways=gateways, run=secrets.token_hex(8))
            plane = DataPlane(
                settings,
                folder.path,
                FIRST_GATEWAY,
                base_url=url,
                auth=board.auth,
                options=attribution_options(settings),
                counters=board.counters,
                clock_ms=wall_clock_ms,
            )
            gateways.plane = plane
            reserve.keep()
            announce = _announcement(board, folder, url, local, config, ready, supervised=False)
            process = BoardProcess(board, [(listener.socket, False)], plane=plane)
            return _run(process.run(announce))
    finally:
        folder.release()


def serve_board(settings: Settings, folder: DataFolder, job: BoardJob, *, config: Path | None, ready: Ready) -> Ending:
    """Serve all but inference in this process, for the gateways of the same folder; otherwise as `serve_single`."""
    let_gateways_go_first()
    folder.own()
    try:
        with _reserve(settings, folder) as reserve:
            gateways = Gateways(gateways_folder(folder.path))
            board = Board(settings, folder.path, base_url=job.url, gateways=gateways, run=job.run)
            reserve.keep()
            announce = _announcement(
                board, folder, job.url, job.local, config, ready, supervised=job.supervised is not None
            )
            listeners = [(job.private, True)] if job.private is not None else []
            listeners += [(job.public, False)] if job.public is not None else []
            process = BoardProcess(board, listeners, supervised=job.supervised)
            return _run(process.run(announce))
    finally:
        folder.release()


class InProcess(GatewaysView):
    """The gateway of a one-process board: it uses the board's own keys and counters."""

    def __init__(self) -> None:
        self.plane: DataPlane | None = None
        self.away = ()

    async def states(self) -> list[GatewayState]:
        """Return its state."""
        return [] if self.plane is None else [self.plane.state(run="", revision=0, counters=False)]

    def publish(self, revision: int) -> None:
        """Do nothing: it uses the board's own keys."""


class BoardProcess:
    """A board, with or without a gateway beside it, from its start to its end.

    ``listeners`` are each a socket and whether its requests say who their client is.
    """

    def __init__(
        self,
        board: Board,
        listeners: Sequence[tuple[socket.socket, bool]],
        *,
        plane: DataPlane | None = None,
        supervised: Supervised | None = None,
    ) -> None:
        self._board = board
        self._listeners = listeners
        self._plane = plane
        self._supervised = supervised

    async def run(self, ready: Callable[[], object]) -> Ending:
        """Serve until a signal, or until the supervisor has ended."""
        board, settings = self._board, self._board.settings
        allow_open_files(settings.server.max_connections + settings.gateway.max_connections)
        gateway: Gateway | None = None if self._plane is None else self._plane.gateway
        server = HttpServer(
            board.asgi, direct=gateway, limits=limits_of(settings), render=render_problem, counters=board.counters
        )
        stopped = asyncio.Event()

        def stop() -> None:
            # A second signal: do not wait for open answers.
            if stopped.is_set():
                server.hurry()
            elif self._supervised is None:
                _log.info("stopping: open answers are finished first; a second signal cuts them off")
            stopped.set()

        let_the_loop_go_first()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop)
        if self._supervised is not None:
            self._supervised.lifeline.watch(loop, stop)
        board.start()
        refreshing = None if self._plane is None else asyncio.create_task(_keep_room(self._plane))
        # Callers wait in the listener's queue until the rankings are there; a ledger that is away delays them no
        # longer. In one of the threads that requests will use: what these need is then there before the first request.
        await to_thread.run_sync(board.drain.settled.wait, _SETTLE_WITHIN_S)
        retention = asyncio.create_task(_keep_raw_events(board))
        # What is here now stays: the collector need not look through half a million objects again and again.
        gc.collect()
        gc.freeze()
        sound = True
        try:
            for listener, peer_told in self._listeners:
                await server.start(listener, peer_told=peer_told)
            await to_thread.run_sync(ready)
            await stopped.wait()
            await server.stop(settings.server.shutdown_grace_s)
        finally:
            retention.cancel()
            if refreshing is not None:
                refreshing.cancel()
            if self._plane is not None:
                sound = await self._plane.aclose()
            ending = await board.stop()
        return ending if sound else Ending.AT_FAULT


def _run(process: Coroutine[Any, Any, Ending]) -> Ending:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(process)


def _reserve(settings: Settings, folder: DataFolder) -> Reserve:
    refuse_shipped(settings.spool_folder(folder.path))
    return Reserve([folder.path, settings.spool_folder(folder.path)])


def _announcement(
    board: Board, folder: DataFolder, url: str, local: str, config: Path | None, ready: Ready, *, supervised: bool
) -> Callable[[], None]:
    settings_file = str(config.resolve()) if config else None
    # An operator ends the supervisor, not this process.
    pid = os.getppid() if supervised else os.getpid()
    server = RunningServer(pid, local, board.nudge_token, settings_file, supervised)

    def announce() -> None:
        folder.announce(server)
        ready(board, url)

    return announce


async def _keep_room(plane: DataPlane) -> None:
    """Poll how much of the journal was collected; in a gateway's own process its watcher does so."""
    while True:
        with contextlib.suppress(OSError):
            await asyncio.to_thread(plane.journal.refresh)
        await asyncio.sleep(_ROOM_EVERY_S)


_ROOM_EVERY_S: Final = 0.1


async def _keep_raw_events(board: Board) -> None:
    """Drop raw events past their time, now and every hour, where a setting says so."""
    while board.settings.ledger.raw_retention_days:
        if not board.election.holds(RETENTION):
            await asyncio.sleep(_TAKE_OVER_EVERY_S)
            continue
        try:
            months = await asyncio.to_thread(board.upkeep.drop_old_raw)
        except (CatalogError, LedgerError, PlanError, SpoolError) as error:
            _log.warning("old events could not be dropped", extra={"reason": str(error), "hint": error.hint})
        else:
            if months:
                _log.info("events past raw_retention_days were dropped; their sums stay", extra={"months": months})
        await asyncio.sleep(_RETENTION_EVERY_S)
