"""``tokenboard migrate``: bring the stores to this program's schema. `serve` does the same when it starts."""

from typing import Annotated

import typer

from tokenboard.app.catalog import catalog_as_it_is
from tokenboard.app.folder import FolderInUse
from tokenboard.app.record import missing
from tokenboard.app.stores import open_ledger
from tokenboard.catalog import Phase
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import say


def migrate_stores(
    context: typer.Context,
    phase: Annotated[Phase, typer.Option(help="pre: while older boards run; post: once none does.")] = "all",
) -> None:
    """Migrate catalog and ledger to this version.

    The server must be stopped, unless the catalog is in PostgreSQL and a phase is named.
    """
    session: Session = context.obj
    settings, data = session.settings(), session.folder.path
    catalog = catalog_as_it_is(settings, data)
    try:
        owned = True
        try:
            session.folder.own()
        except FolderInUse:
            # A catalog on a server is migrated beside running boards: that is what phases are for.
            if phase == "all" or not catalog.on_server:
                raise
            owned = False
        for fault in missing(settings, data):
            raise fault
        say(f"catalog: {', '.join(catalog.migrate(phase)) or 'up to date'}")
        if not owned:
            say("ledger: left to the running server, which brings it up to date when it starts")
        elif phase != "post":
            open_ledger(settings, data).close()
            say("ledger: up to date")
    finally:
        catalog.close()
        session.folder.release()
