"""``tokenboard migrate``: bring the stores to this program's schema. `serve` does the same when it starts."""

import typer

from tokenboard.app.catalog import catalog_as_it_is
from tokenboard.app.record import missing
from tokenboard.app.stores import open_ledger
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import say


def migrate_stores(context: typer.Context) -> None:
    """Apply the migrations of catalog and ledger that are missing; the server must be stopped."""
    session: Session = context.obj
    settings = session.settings()
    session.folder.own()
    try:
        for fault in missing(settings, session.folder.path):
            raise fault
        catalog = catalog_as_it_is(settings, session.folder.path)
        try:
            applied = catalog.migrate()
        finally:
            catalog.close()
        say(f"catalog: {', '.join(applied) or 'up to date'}")
        ledger = open_ledger(settings, session.folder.path)
        ledger.close()
        say("ledger: up to date")
    finally:
        session.folder.release()
