"""The database behind the catalog: connections, transactions, and whose errors they are.

One transaction writes at a time, on every engine: SQLite by ``BEGIN IMMEDIATE``, others by locking one row. So a
writer sees all earlier writers' work, ids can be given out without gaps, and revisions are committed in the order of
their numbers. Readers are never held up and each reading transaction sees one snapshot.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from tokenboard.catalog.errors import CatalogError, CatalogFault, CatalogUnavailable, InvalidCatalogUrl, SchemaOutdated
from tokenboard.catalog.schema import REVISIONS

BUSY_TIMEOUT_MS = 10_000
"""How long a transaction waits for another process's before it gives up with ``CatalogUnavailable``."""

_MIGRATION_LOCK = 7_461_021_850_319
"""The advisory lock that migrations hold on PostgreSQL; any fixed number that nobody else uses."""

_MISSING_TABLE_OR_COLUMN = ("42P01", "42703")
_RETRY_S = 0.02


class Database:
    """An engine for one catalog URL. Safe to use from several threads. Connects when first used, not before.

    Raises:
        InvalidCatalogUrl: the URL is malformed, in memory, of another database, or its driver is not installed.

    """

    def __init__(self, url: str, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        try:
            parsed = sa.make_url(url)
            backend = parsed.get_backend_name()
            if backend == "sqlite":
                if parsed.database in (None, "", ":memory:") or "mode=memory" in url:
                    raise InvalidCatalogUrl("the catalog must be in a file: several connections share it")
                self._engine = sa.create_engine(
                    parsed, connect_args={"isolation_level": None, "timeout": busy_timeout_ms / 1000}
                )
            elif backend == "postgresql":
                self._engine = sa.create_engine(parsed, pool_pre_ping=True)
            else:
                raise InvalidCatalogUrl(f"the catalog runs on SQLite and PostgreSQL, not on {backend!r}")
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError) as error:
            raise InvalidCatalogUrl("the catalog URL cannot be read") from error
        except ImportError as error:
            raise InvalidCatalogUrl(
                f"the driver for {parsed.drivername} is not installed", hint=f"Install it: pip install {error.name}"
            ) from error
        self._sqlite = backend == "sqlite"
        self._busy_timeout_ms = busy_timeout_ms
        sa.event.listen(self._engine, "connect", self._prepare)
        if self._sqlite:
            sa.event.listen(self._engine, "begin", _begin)

    def close(self) -> None:
        """Close the connections that no transaction is using."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Run the block in one transaction that sees one snapshot, and roll it back.

        Raises:
            CatalogUnavailable: the database is locked, unreachable or full.
            SchemaOutdated: a table is missing.
            CatalogFault: the database refused a statement for another reason.

        """
        with self._named_errors(), self._engine.connect() as connection:
            if not self._sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Run the block in one transaction, alone among writers; commit it, or roll it back when the block raises.

        Raises: as ``reading``; after any of these nothing of the block is stored, except that a connection lost while
            committing leaves it unknown.
        """
        with self._named_errors(), self._engine.connect() as connection:
            connection.execution_options(catalog_writes=True)
            with connection.begin():
                connection.execute(sa.select(REVISIONS.c.value).where(REVISIONS.c.name == "writes").with_for_update())
                yield connection

    @contextmanager
    def migrating(self) -> Iterator[sa.Connection]:
        """Run the block in one transaction that may change tables, alone among migrations; raises as ``writing``."""
        with self._named_errors(), self._engine.connect() as connection:
            connection.execution_options(catalog_writes=True)
            if self._sqlite:
                # Tables are rebuilt by copy and rename, during which references dangle; they are checked before commit.
                # The pragma does nothing inside a transaction.
                self._pragma(connection, "foreign_keys = OFF")
            try:
                with connection.begin():
                    if not self._sqlite:
                        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
                    yield connection
                    if self._sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                        raise CatalogFault("the migration would leave references to missing rows; nothing was changed")
            finally:
                if self._sqlite and not connection.invalidated:
                    self._pragma(connection, "foreign_keys = ON")

    def revision(self, name: str) -> int:
        """Return one counter, past SQLAlchemy's execution: about 10 µs on SQLite. Raises as ``reading``."""
        try:
            connection = self._engine.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute(_REVISION_SQL[name])
                row = cursor.fetchone()
                cursor.close()
            finally:
                connection.close()
        except self._engine.dialect.loaded_dbapi.Error as error:
            raise _named(error, self._engine.dialect.loaded_dbapi) from error
        except sa.exc.TimeoutError as error:
            raise CatalogUnavailable("all connections to the catalog's database are busy") from error
        if row is None:
            raise SchemaOutdated(f"the catalog has no counter {name!r}")
        return int(row[0])

    def _prepare(self, connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        """Set up a new connection."""
        try:
            cursor = connection.cursor()
            if self._sqlite:
                cursor.execute("PRAGMA foreign_keys = ON")
                cursor.execute("PRAGMA synchronous = FULL")
                cursor.close()
                self._switch_to_wal(connection)
            else:
                cursor.execute(f"SET lock_timeout = {int(self._busy_timeout_ms)}")
                cursor.close()
                connection.commit()
        except BaseException:
            connection.close()  # it has not reached the pool, so nobody else would
            raise

    def _switch_to_wal(self, connection: DBAPIConnection) -> None:
        """Set the file's journal to write-ahead logging, which lasts.

        SQLite does not wait for locks here as it does elsewhere, so when several processes open a new file at once,
        all but one are told that it is locked: wait for the one.
        """
        deadline = time.monotonic() + self._busy_timeout_ms / 1000
        cursor = connection.cursor()
        try:
            while True:
                try:
                    cursor.execute("PRAGMA journal_mode = WAL")
                    cursor.fetchone()
                except self._engine.dialect.loaded_dbapi.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() >= deadline:
                        raise
                    time.sleep(_RETRY_S)
                else:
                    return
        finally:
            cursor.close()

    @staticmethod
    def _pragma(connection: sa.Connection, pragma: str) -> None:
        """Run a pragma outside any transaction."""
        cursor = connection.connection.cursor()
        cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Let SQLAlchemy's and the driver's errors leave as the catalog's."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise _named(error.orig or error, self._engine.dialect.loaded_dbapi) from error
        except sa.exc.TimeoutError as error:
            raise CatalogUnavailable("all connections to the catalog's database are busy") from error


_REVISION_SQL = {
    "apps": "SELECT value FROM revisions WHERE name = 'apps'",
    "keys": "SELECT value FROM revisions WHERE name = 'keys'",
}


def _begin(connection: sa.Connection) -> None:
    """Begin a transaction on SQLite; a writer takes its lock now, when waiting for it cannot deadlock."""
    writes = connection.get_execution_options().get("catalog_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _named(error: BaseException, dbapi: object) -> CatalogError:
    """Return the catalog's error for a driver's, with the first line of its text."""
    text = str(error).strip().partition("\n")[0]
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state in _MISSING_TABLE_OR_COLUMN or text.startswith(("no such table", "no such column")):
        return SchemaOutdated(f"the catalog's tables are not those this program needs ({text})")
    unavailable = tuple(getattr(dbapi, name) for name in ("OperationalError", "InterfaceError", "InternalError"))
    if isinstance(error, unavailable):
        return CatalogUnavailable(f"the catalog's database is unavailable: {text}")
    return CatalogFault(f"the catalog's database refused a statement: {text}")
