"""``tokenboard dead-letters``: the records that no store takes, looked at, sent again or given up."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from tokenboard.app.stores import open_spool
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import at, counted, say, show_table, visible
from tokenboard.event import EventDecodeError
from tokenboard.event_table import decode_parcel
from tokenboard.spool import Spool, SpoolError

commands = typer.Typer(help="Show, replay or drop records that no store takes.", no_args_is_help=True)

_MAX_SHOWN = 10_000

Number = Annotated[
    int, typer.Argument(min=1, max=2**63 - 1, help="The record's number, as `dead-letters list` shows it.")
]


@commands.command("list")
def list_dead_letters(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=_MAX_SHOWN, help="Records shown at most.")] = 100,
) -> None:
    """List the dead letters, the oldest first, each with its reason."""
    with _spool(context) as spool:
        rows = [
            (letter.number, at(letter.at_ms), len(letter.body), letter.reason) for letter in spool.dead_letters(limit)
        ]
        more = spool.state().dead_letters - len(rows)
    show_table(["record", "at", "bytes", "reason"], rows)
    if more:
        typer.echo(f"{more} more: --limit {min(limit + more, _MAX_SHOWN)}", err=True)


@commands.command("replay")
def replay(context: typer.Context, number: Number) -> None:
    """Queue a record anew, once its cause is fixed; it is delivered when the server runs."""
    with _spool(context) as spool:
        try:
            spool.replay(number, lambda body: len(decode_parcel(body)))
        except EventDecodeError as error:
            raise UnreadableRecord(f"record {number} stays a dead letter: {error}") from error
    say(f"record {number} is queued again")


@commands.command("drop")
def drop(
    context: typer.Context,
    number: Number,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give a record up for good: its usage is in no ranking, and cannot be brought back."""
    if not yes and not _confirmed(number):
        raise NotConfirmed(f"record {number} was not dropped")
    with _spool(context) as spool:
        letter = spool.drop(number)
        dropped = spool.state().dropped
    say(f"record {number} is dropped ({visible(letter.reason)}); {counted(dropped, 'record')} so far")


def _confirmed(number: int) -> bool:
    """Ask on the terminal; without one nothing is confirmed."""
    if not sys.stdin.isatty():
        return False
    return typer.confirm(f"Drop record {number} for good?", err=True)


class NotConfirmed(Exception):
    """The record was not confirmed to be dropped."""

    hint = "Say so when asked, or with --yes: what is dropped cannot be brought back."


class UnreadableRecord(SpoolError):
    """The record cannot be queued: it could not be delivered."""

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
