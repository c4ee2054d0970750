"""Serving a board over HTTP until a signal, then ending in order."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
import uvloop

from tokenboard.app.board import Board
from tokenboard.app.folder import DataFolder, RunningServer
from tokenboard.catalog import CatalogError
from tokenboard.config import Settings
from tokenboard.observability import logger

_POLL_S = 0.5
_SETTLE_WITHIN_S = 30.0
_log = logger("serve")


class ServeError(Exception):
    """The server cannot start."""

    hint = "Choose another address or port with --host and --port."


def serve(settings: Settings, folder: DataFolder, *, config: Path | None, ready: Callable[[Board, str], None]) -> bool:
    """Serve until SIGTERM or SIGINT; then finish open answers, deliver what is spooled, and return.

    ``ready`` is called once requests are taken, with the board and its URL. Returns False when events had to stay in
    the spool (they are delivered at the next start).

    Raises:
        ServeError: the address cannot be listened on.
        FolderInUse: another server owns the folder.

    """
    folder.own()
    try:
        listener = _listen(settings.server.host, settings.server.port)
        with contextlib.closing(listener):
            url = settings.server.base_url or _url_of(listener, settings.server.host)
            board = Board(settings, folder.path, base_url=url)
            local = _url_of(listener, settings.server.host)
            server = RunningServer(os.getpid(), local, board.nudge_token, str(config.resolve()) if config else None)

            def announce() -> None:
                folder.announce(server)
                ready(board, url)

            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_serve(board, listener, announce))
    finally:
        folder.release()


class _Server(uvicorn.Server):
    """uvicorn, with the signals left to us: it would raise them again at the end and spoil the exit code.

    ``listening`` is set once requests are taken.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(board: Board, listener: socket.socket, ready: Callable[[], object]) -> bool:
    settings = board.settings.server
    server = _Server(
        uvicorn.Config(
            board.asgi,
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            proxy_headers=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=round(settings.shutdown_grace_s),
        )
    )

    def stop() -> None:
        # A second signal does not wait for open answers any more.
        server.force_exit = server.should_exit
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    board.start()
    # Callers wait in the listener's queue until the rankings are there; a ledger that is away delays them no longer.
    await asyncio.to_thread(board.drain.settled.wait, _SETTLE_WITHIN_S)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    polling = asyncio.create_task(_follow_keys(board))
    listening = asyncio.create_task(server.listening.wait())
    try:
        await asyncio.wait({listening, serving}, return_when=asyncio.FIRST_COMPLETED)
        if server.listening.is_set():
            ready()
        await serving
    finally:
        polling.cancel()
        listening.cancel()
        delivered = await board.stop()
    return delivered


async def _follow_keys(board: Board) -> None:
    """Notice keys that another process made or revoked, also when nobody tells us."""
    while True:
        await asyncio.sleep(_POLL_S)
        try:
            board.access.refresh()
        except CatalogError as error:
            _log.warning("the keys could not be read anew", extra={"reason": str(error), "hint": error.hint})


def _listen(host: str, port: int) -> socket.socket:
    try:
        (family, _, _, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
        except BaseException:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        # A host with an empty or overlong label is a UnicodeError.
        reason = getattr(error, "strerror", None) or error
        raise ServeError(f"cannot listen on {host!r} port {port}: {reason}") from error
    return listener


def _url_of(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"
