"""``tokenboard spool``: what waits, and the records that were set aside."""

import contextlib
from collections.abc import Iterator
from typing import Annotated

import typer

from tokenboard.app.stores import open_spool
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import at, say, show_table
from tokenboard.event import EventDecodeError, decode_parcel
from tokenboard.spool import Spool, SpoolError

commands = typer.Typer(help="Look at records that were set aside, and send them again.", no_args_is_help=True)

_MAX_SHOWN = 10_000


@commands.command("list")
def list_asides(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=_MAX_SHOWN, help="Records shown at most.")] = 100,
) -> None:
    """List the records set aside, the oldest first, each with its reason."""
    with _spool(context) as spool:
        rows = [(aside.number, at(aside.at_ms), len(aside.body), aside.reason) for aside in spool.asides(limit)]
        more = spool.state().aside - len(rows)
    show_table(["record", "at", "bytes", "reason"], rows)
    if more:
        typer.echo(f"{more} more: --limit {min(limit + more, _MAX_SHOWN)}", err=True)


@commands.command("replay")
def replay(
    context: typer.Context,
    number: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The record's number, as `spool list` shows it.")],
) -> None:
    """Queue a record anew, once its cause is mended; it is delivered when the server runs."""
    with _spool(context) as spool:
        try:
            spool.replay(number, lambda body: len(decode_parcel(body)))
        except EventDecodeError as error:
            raise UnreadableRecord(f"record {number} stays set aside: {error}") from error
    say(f"record {number} is queued again")


class UnreadableRecord(SpoolError):
    """The record cannot be queued: nobody could deliver it."""

    hint = "Its cause is not mended: it is damaged, or was written by a newer tokenboard; then upgrade and try again."


@contextlib.contextmanager
def _spool(context: typer.Context) -> Iterator[Spool]:
    """Open the spool of a folder whose server is stopped: a spool has one owner."""
    session: Session = context.obj
    settings = session.settings()
    session.folder.require()
    session.folder.own()
    try:
        spool = open_spool(settings, session.folder.path)
        try:
            yield spool
        finally:
            spool.close()
    finally:
        session.folder.release()
