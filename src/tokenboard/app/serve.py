"""Serving a board over HTTP until a signal, then ending in order."""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvloop
from anyio import to_thread

from tokenboard.app.board import Board, Ending
from tokenboard.app.folder import DataFolder, RunningServer
from tokenboard.app.reserve import Reserve
from tokenboard.catalog import CatalogError
from tokenboard.config import Settings
from tokenboard.drain import PlanError
from tokenboard.ledger import LedgerError
from tokenboard.observability import logger
from tokenboard.problem import Problem, dialect_of
from tokenboard.server import HttpServer, Limits
from tokenboard.spool import SpoolError
from tokenboard.supervisor import public_listeners

_SETTLE_WITHIN_S = 30.0
_OTHER_FILES = 256
"""Open files beside sockets: databases, logs, the ledger's parts."""

_AFTER_THE_GATEWAY_S = 5.0
_RETENTION_EVERY_S = 3600.0

_SWITCH_S = 0.0005
"""How long another thread may keep the interpreter from the event loop, in seconds: an answer may be as much late
each time the drain computes, or a page, and Python's own 0.005 is too much."""

_log = logger("serve")


def serve(
    settings: Settings, folder: DataFolder, *, config: Path | None, ready: Callable[[Board, str], None]
) -> Ending:
    """Serve until SIGTERM or SIGINT; then finish open answers, deliver what is spooled, and return.

    ``ready`` is called once requests are taken, with the board and its URL.

    Raises:
        ServeError: the address cannot be listened on.
        FolderInUse: another server owns the folder.

    """
    folder.own()
    try:
        listener = public_listeners(settings.server.host, settings.server.port)[0].socket
        with contextlib.closing(listener), Reserve([folder.path, settings.spool_folder(folder.path)]) as reserve:
            url = settings.server.base_url or _url_of(listener, settings.server.host)
            board = Board(settings, folder.path, base_url=url)
            reserve.keep()
            local = _url_of(listener, settings.server.host)
            server = RunningServer(os.getpid(), local, board.nudge_token, str(config.resolve()) if config else None)

            def announce() -> None:
                folder.announce(server)
                ready(board, url)

            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_serve(board, listener, announce))
    finally:
        folder.release()


async def _serve(board: Board, listener: socket.socket, ready: Callable[[], object]) -> Ending:
    settings = board.settings.server
    _allow_open_files(settings.max_connections + board.settings.gateway.max_connections)
    server = HttpServer(
        board.asgi, direct=board.gateway, limits=_limits(board.settings), render=render_problem, counters=board.counters
    )
    stopped = asyncio.Event()

    def stop() -> None:
        # A second signal does not wait for open answers any more.
        if stopped.is_set():
            server.hurry()
        stopped.set()

    sys.setswitchinterval(_SWITCH_S)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    board.start()
    # Callers wait in the listener's queue until the rankings are there; a ledger that is away delays them no longer.
    # In one of the threads that requests will use: what these need is then there, too, before the first request.
    await to_thread.run_sync(board.drain.settled.wait, _SETTLE_WITHIN_S)
    retention = asyncio.create_task(_keep_raw_events(board))
    # What is here now stays: the collector need not look through half a million objects again and again.
    gc.collect()
    gc.freeze()
    try:
        await server.start(listener)
        await to_thread.run_sync(ready)
        await stopped.wait()
        await server.stop(settings.shutdown_grace_s)
    finally:
        retention.cancel()
        ending = await board.stop()
    return ending


def _limits(settings: Settings) -> Limits:
    given = settings.server
    return Limits(
        max_connections=given.max_connections,
        max_header_bytes=given.max_header_bytes,
        max_headers=given.max_headers,
        header_timeout_s=given.header_timeout_s,
        body_timeout_s=given.body_timeout_s,
        keep_alive_s=given.keep_alive_s,
        # The gateway's own look at a client that takes nothing comes first: it records the usage as it should.
        write_timeout_s=settings.gateway.send_timeout_s + _AFTER_THE_GATEWAY_S,
    )


def render_problem(status: int, message: str, path: str | None) -> tuple[bytes, bytes]:
    """Give what the HTTP server itself answers the shape of every other error."""
    return b"application/json", Problem(status, message).body(dialect_of(path or ""))


def _allow_open_files(wanted: int) -> None:
    """Raise this process's limit of open files, as far as it may, for that many sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted += _OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    if soft < wanted:
        facts = {"open_files": soft, "wanted": wanted, "hint": "Raise it (ulimit -n), or lower max_connections."}
        _log.warning("the limit of open files is below that of connections", extra=facts)


async def _keep_raw_events(board: Board) -> None:
    """Drop raw events past their time, now and every hour, where a setting says so."""
    while board.settings.ledger.raw_retention_days:
        try:
            months = await asyncio.to_thread(board.upkeep.drop_old_raw)
        except (CatalogError, LedgerError, PlanError, SpoolError) as error:
            _log.warning("old events could not be dropped", extra={"reason": str(error), "hint": error.hint})
        else:
            if months:
                _log.info("events past raw_retention_days were dropped; their sums stay", extra={"months": months})
        await asyncio.sleep(_RETENTION_EVERY_S)


def _url_of(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"
