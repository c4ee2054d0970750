"""``tokenboard shipping``: what a gateway has shipped to a board on another machine."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tokenboard.app.roles import FIRST_GATEWAY
from tokenboard.cli.gateway import a_name
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import say, show_json
from tokenboard.journal import JournalReader
from tokenboard.shipping import look, settle

commands = typer.Typer(help="Look at what a gateway ships to a board on another machine.", no_args_is_help=True)

Name = Annotated[str, typer.Option(callback=a_name, help="Name of the gateway.")]


class Settled(StrEnum):
    """What an operator knows of a shipment whose board does not come back."""

    TAKEN = "taken"
    LOST = "lost"


@commands.command("show")
def show(
    context: typer.Context,
    name: Name = FIRST_GATEWAY,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Show how far this folder's gateway has shipped its journal, and what is under way."""
    folder = _journal(context, name)
    state = look(folder)
    waiting = JournalReader(folder).waiting(state.done)
    under_way = state.open
    facts: dict[str, object] = {
        "journal": state.journal,
        "shipped": state.done.seq,
        "waiting": waiting.events,
        "boards": list(state.boards),
        "under_way": None
        if under_way is None
        else {"board": under_way.writer, "events": [each.events for each in under_way.tries]},
    }
    if as_json:
        show_json(facts)
        return
    say(f"journal {state.journal}: {state.done.seq:,} events shipped, {waiting.events:,} wait")
    for board in state.boards:
        say(f"board {board} has taken some")
    if under_way is not None:
        say(f"board {under_way.writer} may have taken the next {under_way.tries[-1].events:,}, and has not said so")


@commands.command("settle")
def settle_shipment(
    context: typer.Context,
    what: Annotated[Settled, typer.Argument(help="`taken` counts it as shipped, `lost` ships it to another board.")],
    name: Name = FIRST_GATEWAY,
) -> None:
    """Decide what became of a shipment whose board is lost for good; the gateway must be stopped.

    `taken`: that board's usage was brought to where it counts, such as by its spool or its ledger. `lost`: it was not.
    """
    under_way = settle(_journal(context, name), taken=what is Settled.TAKEN)
    events = under_way.tries[-1].events
    became = "counted as shipped" if what is Settled.TAKEN else "shipped to the next board"
    say(f"{events:,} events for the board {under_way.writer} are {became}")


def _journal(context: typer.Context, name: str) -> Path:
    session: Session = context.obj
    session.folder.require()
    return session.settings().spool_folder(session.folder.path) / name
