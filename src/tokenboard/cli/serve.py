"""``tokenboard serve``: everything in one process."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tokenboard.app.board import Board, Ending
from tokenboard.app.serve import serve
from tokenboard.catalog import CatalogError
from tokenboard.cli.session import Session
from tokenboard.cli.snippets import Welcome
from tokenboard.cli.terminal import OutputError, deliver
from tokenboard.keys import Scope
from tokenboard.observability import configure_logging, logger
from tokenboard.supervisor import ServeError

_log = logger("serve")
_FIRST_KEY = (Scope.INFERENCE, Scope.DATA, Scope.INGEST)


class SpoolLeft(ServeError):
    """The server has ended, and its spool was of no use by then."""

    hint = "See the last lines of the log for what the spool lacks, mend that and start again; keep the spool's folder."


def serve_board(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on; else [server] host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; else [server] port; 0: a free one.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
) -> None:
    """Serve the gateway, the pages and the Data API until SIGTERM or Ctrl-C; then finish, deliver and exit 0."""
    session: Session = context.obj
    file = session.config_file(config)
    settings = session.settings(config)
    chosen = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = settings.model_copy(update={"server": settings.server.model_copy(update=chosen)})
    style = settings.server.log
    if style == "auto":
        style = "plain" if sys.stderr.isatty() else "json"
    configure_logging(style, settings.server.log_level)

    def ready(board: Board, url: str) -> None:
        # Only a board without any key makes one by itself: secrets are shown once, so none can be shown again.
        first, keys = None, len(board.catalog.keys())
        if not keys:
            try:
                first = board.catalog.create_key("first key", _FIRST_KEY, actor="serve").secret
                board.auth.refresh()
            except CatalogError as error:
                _log.error("the first key could not be made", extra={"reason": str(error), "hint": error.hint})
        welcome = Welcome(
            url=url,
            data=session.folder.path,
            secret=first,
            keys=keys,
            pages=settings.pages.visibility == "public",
            echo=settings.gateway.echo,
        )
        try:
            deliver(welcome.text())
        except OutputError as error:
            _log.warning("the first words could not be printed", extra={"reason": str(error), "hint": error.hint})

    match serve(settings, session.folder, config=file, ready=ready):
        case Ending.WAITING:
            typer.echo("some events wait in the spool; they are delivered at the next start", err=True)
        case Ending.AT_FAULT:
            raise SpoolLeft("the spool could not be written or read to the end; events may wait in it")
