"""What every command starts from: the data folder, the settings, the catalog."""

import contextlib
import getpass
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import typer

from tokenboard.app.catalog import open_catalog
from tokenboard.app.folder import DataFolder, FolderError, FolderInUse
from tokenboard.app.record import MARKS, is_there, place_of
from tokenboard.catalog import Catalog
from tokenboard.config import ConfigError, Settings, load_settings

_START_WITHIN_S = 60.0
_LOOK_AGAIN_S = 0.1

SETTINGS_FILE = "tokenboard.toml"
"""Name of the settings file that is found without being named."""


class Session:
    """One run of one command."""

    def __init__(self, data: Path, config: Path | None) -> None:
        self.folder = DataFolder(data)
        self._config = config

    def config_file(self, chosen: Path | None = None) -> Path | None:
        """Return the settings file: the one named, that of the server running here, or the nearest tokenboard.toml.

        Raises:
            ConfigError: the file named does not exist.

        """
        named = chosen or self._config
        if named is None:
            running = self.folder.running()
            if running is not None:
                return Path(running.config) if running.config else None
            found = (place for place in (self.folder.path / SETTINGS_FILE, Path(SETTINGS_FILE)) if place.is_file())
            return next(found, None)
        if not named.is_file():
            raise ConfigError(f"there is no settings file {named}")
        return named

    def settings(self, chosen: Path | None = None) -> Settings:
        """Return the settings in force."""
        return load_settings(self.config_file(chosen))

    @contextlib.contextmanager
    def catalog(self, *, make: bool = False) -> Iterator[Catalog]:
        """Open the catalog, migrated if need be; ``make`` makes the data folder too.

        Raises:
            FolderMissing: the catalog would lie in a data folder that is not there.

        """
        settings = self.settings()
        if make:
            self.folder.create()
        elif not settings.catalog.url:
            self.folder.require()
        catalog = open_catalog(settings, self.folder.path)
        try:
            yield catalog
        finally:
            catalog.close()

    @contextlib.contextmanager
    def existing_catalog(self, settings: Settings) -> Iterator[Catalog | None]:
        """Open the catalog as it is, neither made nor migrated; None when there is none of this program's schema."""
        url = settings.catalog_url(self.folder.path)
        if (file := sqlite_file(url)) is not None and not file.is_file():
            yield None
            return
        catalog = Catalog.open(url)
        try:
            yield catalog if catalog.schema().up_to_date else None
        finally:
            catalog.close()

    @contextlib.contextmanager
    def changing(self, *, make: bool = False) -> Iterator[Catalog]:
        """Open the catalog as `catalog` does; once the block has changed it, the running server is nudged.

        Raises:
            MarksMissing: nobody knows which ids the other stores hold, and a running server owns these.

        """
        self._know_ids()
        with self.catalog(make=make) as catalog:
            yield catalog
        running = self.folder.running()
        if running is not None and not running.nudge():
            typer.echo(f"note: {running.url} does not answer; it finds the change by itself within a second", err=True)

    def _know_ids(self) -> None:
        """Make sure that the ids other stores hold are known before one is given out.

        The data folder's marks tell, once a board was started here; else ledger and spool are asked.
        """
        settings, data = self.settings(), self.folder.path
        others = (place_of(store, settings, data) for store in ("ledger", "spool"))
        if (data / MARKS).exists() or not any(place is not None and is_there(place) for place in others):
            return
        deadline = time.monotonic() + _START_WITHIN_S
        while True:
            if self.folder.running() is not None:
                raise MarksMissing(f"{data / MARKS} is missing, which says up to which number ids were given out")
            try:
                self.folder.own()
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
            self.folder.release()


class MarksMissing(FolderError):
    """The file of the highest ids is gone from under a running server."""

    hint = "Restart the server: it looks up in ledger and spool which ids they hold, and writes the file anew."


def sqlite_file(url: str) -> Path | None:
    """Return the file of a catalog's URL, None when it is no SQLite file's."""
    driver, separator, rest = url.partition(":///")
    return Path(rest.partition("?")[0]) if separator and driver.startswith("sqlite") else None


def actor() -> str:
    """Return who runs the command, as the audit log names them."""
    try:
        return f"cli:{getpass.getuser()}"[:100]
    except (ImportError, KeyError, OSError):
        return "cli"
