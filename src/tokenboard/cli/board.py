"""``tokenboard board``: all but inference, for the gateways of the same folder; and everything in one process."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tokenboard.app.board import Board, Ending
from tokenboard.app.places import board_socket, gateways_folder, run_folder
from tokenboard.app.roles import BOARD, local_url
from tokenboard.app.serve import BoardJob, serve_board, serve_single
from tokenboard.catalog import CatalogError
from tokenboard.cli.process import SpoolLeft, settings_of
from tokenboard.cli.session import Session
from tokenboard.config import Settings
from tokenboard.keys import Scope
from tokenboard.observability import logger
from tokenboard.supervisor import Supervised, public_listeners, unix_listener

_FIRST_KEY = (Scope.INFERENCE, Scope.DATA, Scope.INGEST)
_log = logger("serve")

Told = Callable[[str, Mapping[str, Any]], object]


def run_board(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on; else [server] host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; else [server] port; 0: a free one.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    url: Annotated[str, typer.Option(hidden=True, help="The public URL; given by `serve`.")] = "",
    local: Annotated[str, typer.Option("--local-url", hidden=True, help="Its URL here; given by `serve`.")] = "",
    run: Annotated[str, typer.Option(hidden=True, help="Names the run of `serve`; given by it.")] = "",
) -> None:
    """Run the board: everything but inference.

    That is pages, Data API, rankings, and the delivery of what gateways record in the same folder. Until SIGTERM or
    Ctrl-C; then it collects and delivers what is left and exits 0.
    """
    supervised = Supervised.from_environment(os.environ)
    session, file, settings = settings_of(context, config, "board", host=host, port=port)
    if supervised is not None:
        job = BoardJob(url, local, run, private=supervised.listeners[BOARD], public=None, supervised=supervised)

        def ready(board: Board, _: str) -> None:
            supervised.status.ready(**_first_key(board))

        _say_ending(serve_board(settings, session.folder, job, config=file, ready=ready))
        return
    session.folder.create()
    if session.folder.running() is not None:
        raise session.folder.in_use()
    for folder in (run_folder(session.folder.path), gateways_folder(session.folder.path)):
        folder.mkdir(mode=0o700, exist_ok=True)
    (public,) = public_listeners(settings.server.host, settings.server.port)
    private = unix_listener(board_socket(session.folder.path))
    try:
        local = local_url(public.socket, settings.server.host)
        url = settings.server.base_url or local
        job = BoardJob(url, local, run, private=private.socket, public=public.socket, supervised=None)

        def say(board: Board, url: str) -> None:
            _first_key(board, make=False)
            _log.info("the board takes requests", extra={"url": url})

        _say_ending(serve_board(settings, session.folder, job, config=file, ready=say))
    finally:
        private.close()
        public.close()


def serve_in_one(session: Session, config: Path | None, settings: Settings, ready: Told) -> None:
    """Serve everything in this process until a signal; ``ready`` is told the URL, and what there is of keys."""

    def told(board: Board, url: str) -> None:
        ready(url, _first_key(board))

    _say_ending(serve_single(settings, session.folder, config=config, ready=told))


def _first_key(board: Board, *, make: bool = True) -> dict[str, Any]:
    """Return how many keys there are, and the secret of the one that a board without any key makes by itself.

    Secrets are shown once, so none can be shown again.
    """
    keys = len(board.catalog.keys())
    if keys or not make:
        return {"keys": keys}
    try:
        secret = board.catalog.create_key("first key", _FIRST_KEY, actor="serve").secret
        board.follower.catch_up()
    except CatalogError as error:
        _log.error("the first key could not be made", extra={"reason": str(error), "hint": error.hint})
        return {"keys": keys}
    return {"keys": keys, "secret": secret}


def _say_ending(ending: Ending) -> None:
    match ending:
        case Ending.WAITING:
            typer.echo("some events wait in the spool; they are delivered at the next start", err=True)
        case Ending.AT_FAULT:
            raise SpoolLeft("the spool could not be written or read to the end; events may wait in it")
