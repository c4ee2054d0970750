"""What the two kinds of databases do differently: the seam behind `Database`."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection

from tokenboard.catalog.errors import CatalogError


def _no_password() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How a database server is reached; SQLite has none. Times are in seconds.

    ``pool_size`` is how many connections there are at most. A time that is None is the catalog's ``timeout_s``:
    ``pool_timeout_s`` for one of these connections, ``connect_timeout_s`` for a new one, ``lock_timeout_s`` for a lock,
    ``statement_timeout_s`` for a statement. ``idle_s`` is how long a transaction may hold its locks while nothing is
    asked of it: a process that hangs must let go. ``password`` is asked for each new connection, so that it may change;
    None leaves it to the URL, and to what libpq knows.
    """

    pool_size: int = 15
    pool_timeout_s: float | None = None
    connect_timeout_s: float | None = None
    statement_timeout_s: float | None = None
    lock_timeout_s: float | None = None
    idle_s: float = 60.0
    password: Callable[[], str | None] = field(default=_no_password, repr=False)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a database server tells of itself.

    ``round_trip_ms`` is the quickest of a few. ``connections`` are all of this server, whoever made them, of
    ``connections_limit``. ``missing_rights`` are what its user may not do, such as ``UPDATE on apps``. ``read_only``
    when it takes no writes, as a standby.
    """

    version: str
    place: str
    user: str
    round_trip_ms: float
    encoding: str
    encrypted: bool
    connections: int
    connections_limit: int
    read_only: bool
    missing_rights: tuple[str, ...]


class Backend(Protocol):
    """One database. Whatever it raises is SQLAlchemy's or the driver's, and `named` tells what it means."""

    engine: sa.Engine

    def prepare(self, connection: DBAPIConnection) -> None:
        """Set up a new connection; raises CatalogError when the program cannot work on that database."""

    def connecting(self) -> AbstractContextManager[None]:
        """Bound how long a connection may be waited for in the block."""

    def reads(self, connection: sa.Connection) -> None:
        """Let the transaction to come see one snapshot."""

    def writes(self, connection: sa.Connection, left_s: float) -> None:
        """Let the transaction to come be one that writes, which waits ``left_s`` seconds for others."""

    def locks_writers_out(self, connection: sa.Connection, left_s: float) -> None:
        """Make the transaction, just begun, the only one that writes, as far as its begin has not."""

    def migrating(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """Hold everything that a migration needs around its transaction, which the block begins and ends."""

    def begins_migration(self, connection: sa.Connection) -> None:
        """Make the transaction, just begun, the only one that migrates."""

    def ends_migration(self, connection: sa.Connection) -> None:
        """Check what a migration has made before it is committed; raises CatalogFault."""

    def named(self, error: BaseException) -> CatalogError | None:
        """Return what the error of the driver means; None when it means nothing that concerns this kind alone."""

    def facts(self, connection: sa.Connection) -> ServerFacts | None:
        """Return what the server tells of itself; None when there is no server."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text."""
    return str(error).strip().partition("\n")[0]


def of_kind(engine: sa.Engine, error: BaseException, *names: str) -> bool:
    """Whether an error is one of the DBAPI's classes of these names."""
    return isinstance(error, tuple(getattr(engine.dialect.loaded_dbapi, name) for name in names))
