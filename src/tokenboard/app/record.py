"""What the data folder knows of its stores: which board they belong to, and which of them there must be.

DIR/board.json   written once the stores are open; each store has the board's id, too
DIR/ids.json     the highest ids given out, the catalog's own file
"""

import json
import os
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from tokenboard.app.folder import FolderError, FolderUnusable
from tokenboard.config import Settings

Store = Literal["catalog", "ledger", "spool"]
STORES: tuple[Store, ...] = get_args(Store)

FILE = "board.json"
MARKS = "ids.json"


class StoreMissing(FolderError):
    """A store is not there, or empty, though another one, or the data folder, says that it should be."""

    def __init__(self, store: Store, what: str) -> None:
        super().__init__(what)
        self.store = store
        self.hint = (
            f"Bring it back: mount its volume, or restore it from a backup. If the {store} is lost for good, or meant "
            f"to be as it is, `tokenboard stores accept {store}` lets the next start go on with what is there."
        )


class RecordUnreadable(FolderError):
    """The record of the data folder cannot be read."""

    hint = "Restore board.json from a backup, or remove it: stores that fit together are taken as they are."


@dataclass(frozen=True, slots=True)
class Record:
    """The record: the board's id, the stores that were there, and those an operator has accepted as they are now."""

    board: str
    stores: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()

    @staticmethod
    def read(data: Path) -> "Record | None":
        """Return the folder's record, None when it has none.

        Raises:
            RecordUnreadable: it cannot be read, or is none.

        """
        file = data / FILE
        try:
            told = json.loads(file.read_text("utf-8"))
            return Record(str(told["board"]), tuple(told["stores"]), tuple(told["accepted"]))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecordUnreadable(f"cannot read {file}: {error}") from error

    def write(self, data: Path) -> None:
        """Put the record in the folder.

        Raises:
            FolderUnusable: it cannot be written.

        """
        temporary = data / f"{FILE}.new"
        try:
            temporary.unlink(missing_ok=True)
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                json.dump(asdict(self), stream)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(data / FILE)
        except OSError as error:
            raise FolderUnusable(f"cannot write {data / FILE}: {error.strerror}") from error

    def expects(self, store: Store) -> bool:
        """Whether a store must be there as it was."""
        return store in self.stores and store not in self.accepted


def place_of(store: Store, settings: Settings, data: Path) -> Path | None:
    """Return the file or folder of a store; None for one that is on a server."""
    if store == "spool":
        return settings.spool_folder(data) / "board.sqlite"
    if store == "ledger":
        scheme, _, folder = settings.ledger_dsn(data).partition("://")
        return Path(folder) / "store" if scheme == "chdb" else None
    driver, separator, rest = settings.catalog_url(data).partition(":///")
    return Path(rest.partition("?")[0]) if separator and driver.startswith("sqlite") else None


def is_there(place: Path) -> bool:
    """Whether there is a file that is not empty, or a folder with something in it."""
    try:
        return any(place.iterdir()) if place.is_dir() else place.stat().st_size > 0
    except OSError:
        return False


def missing(settings: Settings, data: Path) -> list[StoreMissing]:
    """Return what is wrong with the stores that the record expects, as far as it shows without opening them.

    Raises:
        RecordUnreadable: the record cannot be read.

    """
    record = Record.read(data)
    found = []
    for store in STORES if record is not None else ():
        place = place_of(store, settings, data)
        if record is not None and record.expects(store) and place is not None and not is_there(place):
            found.append(StoreMissing(store, f"the {store} is missing: there is nothing in {place}"))
    return found


def require(store: Store, settings: Settings, data: Path) -> None:
    """Make sure that a store is there before it is opened, which would make a new one.

    Raises:
        StoreMissing: it is not, though it should be.
        RecordUnreadable: the record cannot be read.

    """
    for fault in missing(settings, data):
        if fault.store == store:
            raise fault


def move_away_if_damaged(file: Path) -> Path | None:
    """Move a catalog's SQLite file away when it is none, or damaged; return where to, None when it stays.

    Raises:
        FolderUnusable: it cannot be moved.

    """
    if not file.exists() or _is_sound(file):
        return None
    moved = file.with_name(f"{file.name}.damaged-{int(time.time())}")
    try:
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                file.with_name(file.name + suffix).rename(moved.with_name(moved.name + suffix))
    except OSError as error:
        raise FolderUnusable(f"cannot move {file}: {error.strerror}") from error
    return moved


def _is_sound(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(file)) as connection:
            return connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
    except sqlite3.DatabaseError:
        return False
