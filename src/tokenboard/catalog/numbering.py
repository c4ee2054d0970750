"""Ids of apps, keys and accounts: each given out once, also by a catalog that was restored or recreated.

Other stores hold these ids: the ledger's usage, the spool's events, the sessions of pages. A second app of an id would
inherit the first one's usage, a second key another's spending. So the highest id ever given out is kept in two places:
in the catalog, and in a file beside it in the data folder, which is written before the transaction that uses the id is
committed. Whichever says more counts. What neither knows, as both are lost, the ledger and the spool still know: see
``Catalog.number_above``.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from tokenboard.catalog.errors import CatalogFault, CatalogUnavailable
from tokenboard.catalog.schema import ACCOUNTS, APPS, KEYS, REVISIONS

Kind = Literal["app_id", "key_id", "account_id"]

_TABLES: Mapping[Kind, sa.Table] = {"app_id": APPS, "key_id": KEYS, "account_id": ACCOUNTS}


@dataclass(frozen=True, slots=True)
class Marks:
    """The highest id of each kind; 0 where there was none."""

    app_id: int = 0
    key_id: int = 0
    account_id: int = 0

    def above(self, other: "Marks") -> "Marks":
        """Return the higher of each kind."""
        return Marks(
            max(self.app_id, other.app_id), max(self.key_id, other.key_id), max(self.account_id, other.account_id)
        )


class MarksFile:
    """The marks beside the catalog. Read and written only within a writing transaction, so one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def exists(self) -> bool:
        """Whether the marks were ever written here."""
        return self._path.exists()

    def read(self) -> Marks:
        """Return the marks, zeros when there is no file.

        Raises:
            CatalogFault: it cannot be read, or holds something else.

        """
        try:
            content = json.loads(self._path.read_text("ascii"))
            return Marks(**{kind: int(content[kind]) for kind in _TABLES})
        except FileNotFoundError:
            return Marks()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CatalogFault(
                f"{self._path}, which says up to which number ids were given out, cannot be read: {error}",
                hint="Restore it, or remove it and start the server, which numbers above what ledger and spool hold.",
            ) from error

    def write(self, marks: Marks) -> None:
        """Write the marks, which survive a power cut once this returns.

        Raises:
            CatalogUnavailable: they cannot be written.

        """
        temporary = self._path.with_name(f"{self._path.name}.new")
        try:
            with suppress(FileNotFoundError):
                temporary.unlink()
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                json.dump(asdict(marks), stream)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise CatalogUnavailable(f"no id can be given out: {self._path} cannot be written: {error}") from error


def marks(connection: sa.Connection) -> Marks | None:
    """Return the catalog's own marks; None when its schema has none yet."""
    rows = connection.execute(sa.select(REVISIONS.c.name, REVISIONS.c.value).where(REVISIONS.c.name.in_(_TABLES)))
    held = {str(row.name): int(row.value) for row in rows}
    return Marks(**held) if len(held) == len(_TABLES) else None


def raise_to(connection: sa.Connection, marks: Marks) -> None:
    """Set the catalog's marks. Only in a writing transaction."""
    for kind, value in asdict(marks).items():
        connection.execute(sa.update(REVISIONS).where(REVISIONS.c.name == kind).values(value=value))


def next_id(connection: sa.Connection, kind: Kind) -> int:
    """Return the number above all that were given out. Only in a writing transaction; `taken` has to follow."""
    mark = connection.execute(sa.select(REVISIONS.c.value).where(REVISIONS.c.name == kind)).scalar_one()
    held = connection.execute(sa.select(sa.func.coalesce(sa.func.max(_TABLES[kind].c.id), 0))).scalar_one()
    return max(int(mark), int(held)) + 1


def taken(connection: sa.Connection, kind: Kind, last: int) -> None:
    """Note that all ids up to ``last`` are given out."""
    connection.execute(sa.update(REVISIONS).where(REVISIONS.c.name == kind).values(value=last))


def take_id(connection: sa.Connection, kind: Kind) -> int:
    """Give out one id. Only in a writing transaction: nobody else takes the same."""
    given = next_id(connection, kind)
    taken(connection, kind, given)
    return given
