"""``tokenboard counters``: what the running server has counted."""

from typing import Annotated

import typer

from tokenboard.app.folder import FolderError
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import show_json, show_table


class NotRunning(FolderError):
    """There is no server whose counters could be read."""

    hint = "Counters begin at zero with each start: `tokenboard serve`, or name the server's folder with --data."


def show_counters(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print the running server's counters.

    What it has counted since its start: usage recorded and unread, refusals, faults.
    """
    session: Session = context.obj
    session.folder.require()
    running = session.folder.running()
    if running is None:
        raise NotRunning(f"no server runs on {session.folder.path}")
    counters = running.counters()
    if as_json:
        show_json(counters)
    else:
        show_table(["counter", "count"], counters.items())
