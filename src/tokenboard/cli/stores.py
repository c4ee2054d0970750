"""``tokenboard stores``: where each store is, and going on when one is lost."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tokenboard.app.record import STORES, Record, is_there, missing, move_away_if_damaged, place_of
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import say, show_table
from tokenboard.journal import JournalWriter, journals_in
from tokenboard.spool import Spool

commands = typer.Typer(help="Show the stores, and go on when one of them is lost.", no_args_is_help=True)


class StoreName(StrEnum):
    """The stores a board has."""

    CATALOG = "catalog"
    LEDGER = "ledger"
    SPOOL = "spool"


@commands.command("list")
def list_stores(context: typer.Context) -> None:
    """List the stores: where each one is, and whether it is there."""
    session: Session = context.obj
    settings, data = session.settings(), session.folder.path
    session.folder.require()
    record = Record.read(data)
    gone = {fault.store for fault in missing(settings, data)}
    rows = []
    for store in STORES:
        place = place_of(store, settings, data)
        state = "missing" if store in gone else "on a server" if place is None else _state(is_there(place))
        if record is not None and store in record.accepted:
            state += ", accepted as it is"
        rows.append((store, state, place or ""))
    show_table(["store", "state", "place"], rows)


@commands.command("accept")
def accept(
    context: typer.Context,
    store: Annotated[StoreName, typer.Argument(help="The store that is lost, or meant to be as it is.")],
) -> None:
    """Let the next start go on with a store as it is: begun anew when it is missing, with what is left when damaged.

    Nothing is removed: files of a spool or catalog that cannot be used are moved away. Ids that other stores hold are
    not reused.
    """
    session: Session = context.obj
    settings, data = session.settings(), session.folder.path
    session.folder.require()
    session.folder.own()
    try:
        record = Record.read(data) or Record("")
        moved: list[Path | None] = []
        if store is StoreName.SPOOL:
            folder = settings.spool_folder(data)
            moved = [Spool.accept(folder, "board"), *(JournalWriter.accept(each) for each in journals_in(folder))]
        place = place_of(store.value, settings, data)
        if store is StoreName.CATALOG and place is not None:
            moved = [move_away_if_damaged(place)]
        for where in (each for each in moved if each is not None):
            typer.echo(f"what there was lies in {where}", err=True)
        accepted = tuple(dict.fromkeys((*record.accepted, str(store))))
        Record(record.board, record.stores, accepted).write(data)
    finally:
        session.folder.release()
    say(f"the next start goes on with the {store} as it is")


def _state(there: bool) -> str:
    return "there" if there else "not there yet"
