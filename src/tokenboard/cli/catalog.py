"""The catalog that a command works with: opened, and once changed the running server told of it."""

import contextlib
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import typer

from tokenboard.app.catalog import catalog_as_it_is, open_catalog
from tokenboard.app.folder import FolderError, FolderInUse
from tokenboard.app.record import MARKS, is_there, place_of
from tokenboard.catalog import Catalog, SchemaUnknown
from tokenboard.cli.session import Session
from tokenboard.config import Settings

_START_WITHIN_S = 60.0
_LOOK_AGAIN_S = 0.1


@contextlib.contextmanager
def catalog_of(session: Session, *, make: bool = False) -> Iterator[Catalog]:
    """Open the catalog, migrated if need be; ``make`` makes the data folder too.

    Raises:
        FolderMissing: the catalog would lie in a data folder that is not there.

    """
    settings = session.settings()
    if make:
        session.folder.create()
    elif not settings.catalog.url:
        session.folder.require()
    catalog = open_catalog(settings, session.folder.path)
    try:
        yield catalog
    finally:
        catalog.close()


@contextlib.contextmanager
def existing_catalog_of(session: Session, settings: Settings) -> Iterator[Catalog | None]:
    """Open the catalog as it is, made and migrated by nobody; None when there is none, or of an older program.

    Raises:
        SchemaUnknown: a newer program migrated it, and this one cannot work on it.

    """
    url = settings.catalog_url(session.folder.path)
    if (file := sqlite_file(url)) is not None and not file.is_file():
        yield None
        return
    catalog = catalog_as_it_is(settings, session.folder.path)
    try:
        state = catalog.schema()
        if state.foreign is not None:
            raise SchemaUnknown(f"this program does not know the catalog's migration {state.foreign!r}")
        yield catalog if state.up_to_date else None
    finally:
        catalog.close()


@contextlib.contextmanager
def changing_catalog_of(session: Session, *, make: bool = False) -> Iterator[Catalog]:
    """Open the catalog as `catalog_of` does; once the block has changed it, the running server hears of it.

    Raises:
        MarksMissing: nobody knows which ids the other stores hold, and a running server owns these.

    """
    _know_ids(session)
    with catalog_of(session, make=make) as catalog:
        yield catalog
    running = session.folder.running()
    if running is not None and (reason := running.nudge()) is not None:
        typer.echo(f"note: {reason}", err=True)


def _know_ids(session: Session) -> None:
    """Make sure that the ids other stores hold are known before one is given out.

    The data folder's marks tell, once a board was started here; else ledger and spool are asked.
    """
    settings, data = session.settings(), session.folder.path
    others = (place_of(store, settings, data) for store in ("ledger", "spool"))
    if (data / MARKS).exists() or not any(place is not None and is_there(place) for place in others):
        return
    deadline = time.monotonic() + _START_WITHIN_S
    while True:
        if session.folder.running() is not None:
            raise MarksMissing(f"{data / MARKS} is missing, which says up to which number ids were given out")
        try:
            session.folder.own()
            break
        except FolderInUse:
            # A server that is starting writes them before it answers; a command that looks them up does, too.
            if (data / MARKS).exists():
                return
            if time.monotonic() >= deadline:
                raise
            time.sleep(_LOOK_AGAIN_S)
    try:
        # Loaded here only: most commands need neither ledger nor spool.
        opener = import_module("tokenboard.app.stores").open_stores
        stores = opener(settings, data)
        for store in (stores.catalog, stores.ledger, stores.spool):
            store.close()
    finally:
        session.folder.release()


class MarksMissing(FolderError):
    """The file of the highest ids is gone from under a running server."""

    hint = "Restart the server: it looks up in ledger and spool which ids they hold, and writes the file anew."


def sqlite_file(url: str) -> Path | None:
    """Return the file of a catalog's URL, None when it is no SQLite file's."""
    driver, separator, rest = url.partition(":///")
    return Path(rest.partition("?")[0]) if separator and driver.startswith("sqlite") else None
