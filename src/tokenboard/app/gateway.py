"""The gateway's process: the data plane only, with the keys and rules that the board has published."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from tokenboard.app.clock import wall_clock_ms
from tokenboard.app.data_plane import DataPlane
from tokenboard.app.http import allow_open_files, let_the_loop_go_first, limits_of, render_problem
from tokenboard.app.places import board_socket, remote_snapshot_of, snapshot_of
from tokenboard.app.remote import RemoteBoard
from tokenboard.attribution import AttributionOptions
from tokenboard.auth import Auth
from tokenboard.config import Settings
from tokenboard.control import Endpoint, GatewayState, Snapshot, SnapshotFile, Watcher
from tokenboard.durability import Append
from tokenboard.gateway import BoardRelay, Front
from tokenboard.intake import EventLog
from tokenboard.journal import BoundedJournal
from tokenboard.observability import Counters, logger
from tokenboard.server import HttpServer, Limits
from tokenboard.supervisor import Supervised

_BOARD_WITHIN_S: Final = 10.0
"""Seconds to wait at the start for this run's board to publish; after that an earlier run's snapshot is used."""

_MAX_RELAYED: Final = 16 * 1024 * 1024
"""Largest body that is passed on to the board, in bytes: the largest that it takes anywhere, at ``POST /usage``."""

_log = logger("gateway")


@dataclass(frozen=True, slots=True)
class GatewayJob:
    """What a gateway is started with: its name, the board's public URL, the run it belongs to, and its listeners.

    ``board`` is the URL of a board on another machine; without one it is that of the same folder.
    """

    name: str
    url: str
    run: str
    public: socket.socket
    control: socket.socket
    supervised: Supervised | None
    board: str = ""


class _Guard:
    """A journal, unless it is said that no new work is to be taken, for a reason of another kind."""

    def __init__(self) -> None:
        self.closed: str | None = None
        self._journal: BoundedJournal | None = None

    def around(self, journal: BoundedJournal) -> EventLog:
        self._journal = journal
        return self

    @property
    def sound(self) -> bool:
        return self.closed is None and self._journal is not None and self._journal.sound

    def has_room(self) -> bool:
        return self._journal is not None and self._journal.has_room()

    def append(self, body: bytes, /) -> Append:
        assert self._journal is not None  # noqa: S101 - set when the data plane is made
        return self._journal.append(body)


class GatewayProcess:
    """One gateway, from its start to its end, in the running event loop."""

    def __init__(self, settings: Settings, data: Path, job: GatewayJob) -> None:
        self._settings = settings
        self._job = job
        self._counters = Counters()
        own = remote_snapshot_of(data, job.name) if job.board else snapshot_of(data)
        self._snapshot = SnapshotFile(own)
        self._auth = Auth(self._snapshot, self._counters)
        self._options = AttributionOptions()
        self._adopted: Snapshot | None = None
        self._guard = _Guard()
        self._plane = DataPlane(
            settings,
            data,
            job.name,
            base_url=job.url,
            auth=self._auth,
            options=self._options,
            counters=self._counters,
            clock_ms=wall_clock_ms,
            guarded=self._guard.around if job.board else lambda journal: journal,
        )
        looks: dict[str, Callable[[], object]] = {"snapshot": self._adopt, "room": self._plane.journal.refresh}
        self._remote: RemoteBoard | None = None
        if job.board:
            self._remote = RemoteBoard(
                settings,
                data,
                url=job.board,
                name=job.name,
                journal=settings.spool_folder(data) / job.name,
                snapshot_file=own,
                adopted=lambda: self._adopted,
                catch_up=self._catch_up,
                committed=self._plane.journal.committed,
                unready=self._unready,
                counters=self._counters,
            )
            looks["board"] = self._look_at_board
        self._watcher = Watcher(looks, self._counters)
        place = board_socket(data) if self._remote is None else self._remote.place
        self._relay = BoardRelay(place, max_body=_MAX_RELAYED, counters=self._counters)
        self._front = Front(self._plane.gateway, self._relay, ready=self._unready, tell=self._tell)
        self._server = HttpServer(
            _nobody, direct=self._front, limits=limits_of(settings), render=render_problem, counters=self._counters
        )
        self._control = HttpServer(Endpoint(self._state, self._catch_up), limits=Limits())
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def run(self, ready: Callable[[], object]) -> bool:
        """Serve until a signal, or until the supervisor has ended; return whether all usage could be recorded."""
        settings = self._settings
        let_the_loop_go_first()
        allow_open_files(settings.server.max_connections + settings.gateway.max_connections)
        for name in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(name, self._stop)
        if self._job.supervised is not None:
            self._job.supervised.lifeline.watch(self._loop, self._stop)
        await asyncio.to_thread(self._watcher.start)
        await self._control.start(self._job.control)
        if self._remote is not None:
            self._remote.start()
        try:
            if self._remote is not None:
                # Whoever looks after it is told that it is not ready yet, and why.
                self._front.opened = False
                await self._server.start(self._job.public)
            if await self._published():
                gc.collect()
                gc.freeze()
                if self._remote is None:
                    await self._server.start(self._job.public)
                self._front.opened = True
                ready()
                await self._stopped.wait()
            await self._server.stop(settings.server.shutdown_grace_s)
        finally:
            await self._relay.aclose()
            sound = await self._plane.aclose()
            if self._remote is not None:
                await self._remote.stop()
            await self._control.stop(0.0)
            await asyncio.to_thread(self._watcher.stop)
        return sound

    async def _published(self) -> bool:
        """Wait for what this run of the board publishes; return False when told to stop before."""
        if self._remote is not None:
            return await self._known_from(self._remote)
        until = self._loop.time() + _BOARD_WITHIN_S
        told = False
        while not self._stopped.is_set():
            snapshot = self._adopted
            if snapshot is not None and (self._job.run in ("", snapshot.run) or self._loop.time() > until):
                if self._job.run not in ("", snapshot.run):
                    facts = {"hint": "Keys made or revoked since then are unknown here until the board has started."}
                    _log.warning("the board has not started yet: using the keys and rules of its last run", extra=facts)
                return True
            if not told and self._loop.time() > until:
                told = True
                facts = {"hint": "A first start takes a while; should this last, see what the board's process logs."}
                _log.warning(
                    "waiting for the board: no requests are taken before it has published its keys", extra=facts
                )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), 0.02)
        return False

    async def _known_from(self, board: RemoteBoard) -> bool:
        """Wait for a snapshot, and for the board's word on it as long as that may take; False when told to stop."""
        until = self._loop.time() + _BOARD_WITHIN_S
        told = False
        while not self._stopped.is_set():
            late = self._loop.time() > until
            if self._adopted is not None and (board.asked.is_set() or late):
                return True
            if self._adopted is None and not told and (late or board.tell().get("faults")):
                told = True
                hint = "The first start needs the board; later ones go by what it had said."
                facts = {"url": board.url, "hint": hint}
                _log.error("nothing is served before the board has told its keys", extra=facts)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), 0.02)
        return False

    def _look_at_board(self) -> None:
        if self._remote is not None:
            self._guard.closed = self._remote.closed()

    def _adopt(self) -> None:
        """Use the snapshot that is there now; in the watcher's thread."""
        if not self._snapshot.refresh():
            return
        self._auth.refresh()
        snapshot = self._snapshot.snapshot
        options = AttributionOptions() if snapshot is None else snapshot.options()
        if options != self._options:
            self._options = options
            self._loop.call_soon_threadsafe(self._plane.gateway.attribute_by, options)
        # Last: nothing is served, and no change confirmed, before the snapshot's keys are in force.
        self._adopted = snapshot

    def _catch_up(self) -> int:
        self._watcher.look_now()
        return -1 if self._adopted is None else self._adopted.revision

    def _state(self) -> GatewayState:
        snapshot = self._adopted
        run, revision = ("", -1) if snapshot is None else (snapshot.run, snapshot.revision)
        return self._plane.state(run=run, revision=revision, counters=True)

    def _unready(self) -> str | None:
        """Return why no inference is taken at the moment, None when it is."""
        if not self._front.opened:
            return "no requests are taken yet: it is not known which keys the board knows"
        fault = self._plane.journal.fault()
        if fault is not None:
            return f"{fault.what}, since {fault.since_ms} (epoch ms): no new requests are taken. {fault.hint}"
        if self._guard.closed is not None:
            return f"no new requests are taken: {self._guard.closed}"
        return None if self._plane.journal.has_room() else "full: no new requests are taken"

    def _tell(self) -> dict[str, object]:
        return {} if self._remote is None else {"board": self._remote.tell()}

    def _stop(self) -> None:
        # A second signal: do not wait for open answers.
        if self._stopped.is_set():
            self._server.hurry()
        elif self._job.supervised is None:
            _log.info("stopping: open answers are finished first; a second signal cuts them off")
        self._stopped.set()


def run_gateway(settings: Settings, data: Path, job: GatewayJob, ready: Callable[[], object]) -> bool:
    """Run one gateway until a signal; return whether all of its usage could be recorded.

    Raises:
        ConfigError, SpoolError: it cannot start.

    """

    async def run() -> bool:
        return await GatewayProcess(settings, data, job).run(ready)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


async def _nobody(_scope: Any, _receive: Callable[[], Awaitable[Any]], _send: Callable[[Any], Awaitable[None]]) -> None:
    raise AssertionError("the front answers every path")
