"""What every command that serves begins with, and what it says in the end."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from tokenboard.cli.session import Session
from tokenboard.cli.snippets import Welcome
from tokenboard.cli.terminal import OutputError, deliver
from tokenboard.config import Settings
from tokenboard.observability import configure_logging, logger
from tokenboard.supervisor import ServeError

_log = logger("serve")


class SpoolLeft(ServeError):
    """The server has ended, and its spool was of no use by then."""

    hint = "See the last lines of the log for what the spool lacks, mend that and start again; keep the spool's folder."


def settings_of(
    context: typer.Context, config: Path | None, process: str = "", **server: Any
) -> tuple[Session, Path | None, Settings]:
    """Return the session, its settings file and its settings, with some of [server] chosen; and set up the log."""
    session: Session = context.obj
    file = session.config_file(config)
    settings = session.settings(config)
    chosen = {name: value for name, value in server.items() if value is not None}
    settings = settings.model_copy(update={"server": settings.server.model_copy(update=chosen)})
    style = settings.server.log
    if style == "auto":
        style = "plain" if sys.stderr.isatty() else "json"
    configure_logging(style, settings.server.log_level, process=process)
    return session, file, settings


def welcome(session: Session, settings: Settings, url: str, told: Mapping[str, Any]) -> None:
    """Print what leads a new user on; ``told`` is what the board says of its keys."""
    first = Welcome(
        url=url,
        data=session.folder.path,
        secret=told.get("secret"),
        keys=int(told.get("keys", 0)),
        pages=settings.pages.visibility == "public",
        echo=settings.gateway.echo,
    )
    try:
        deliver(first.text())
    except OutputError as error:
        _log.warning("the first words could not be printed", extra={"reason": str(error), "hint": error.hint})
