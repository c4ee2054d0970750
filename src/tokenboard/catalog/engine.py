"""The database behind the catalog: connections, transactions, and whose errors they are.

One transaction writes at a time, on every engine: SQLite by ``BEGIN IMMEDIATE``, others by locking one row. So a
writer sees all earlier writers' work, ids can be given out in order, and revisions are committed in the order of
their numbers. Readers are never held up and each reading transaction sees one snapshot.

Writers of this process wait for their turn without a connection, so that however many they are, readers find one. No
wait is without end: not for a turn, a connection, another process's lock, nor for a statement.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from tokenboard.catalog import numbering
from tokenboard.catalog.errors import CatalogError, CatalogFault, CatalogUnavailable, InvalidCatalogUrl, SchemaOutdated
from tokenboard.catalog.numbering import Marks, MarksFile
from tokenboard.catalog.schema import REVISIONS

TIMEOUT_S = 10.0
"""How long a call waits, for its turn, a connection, a lock or a statement, before `CatalogUnavailable`, in seconds."""

_MIGRATION_LOCK = 7_461_021_850_319
"""The advisory lock that migrations hold on PostgreSQL; any fixed number not used otherwise."""

_MISSING_TABLE_OR_COLUMN = ("42P01", "42703")
_WAITED = (
    "55P03",
    "57014",
)  # lock_not_available, query_canceled: https://www.postgresql.org/docs/current/errcodes-appendix.html
_IDLE_MS = 300_000
"""How long a transaction may hold its locks while nothing is asked of it: a process that hangs must let go."""

_RETRY_S = 0.02


class Database:
    """An engine for one catalog URL. Safe to use from several threads. Connects when first used, not before.

    ``timeout_s`` is how long anything is waited for, in seconds. On PostgreSQL a connection, a lock and a statement
    have that long each; ``connect_timeout`` and other parameters of the connection in the URL come before it.

    ``marks`` is the file that knows the highest ids given out: they are met before a transaction that writes begins its
    work, and noted before it is committed.

    Raises:
        InvalidCatalogUrl: the URL is malformed, in memory, of another database, or its driver is not installed.

    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S, marks: MarksFile | None = None) -> None:
        self._marks = marks
        self._unused: tuple[Marks, Marks] | None = None
        try:
            parsed = sa.make_url(url)
            backend = parsed.get_backend_name()
            if backend == "sqlite":
                if parsed.database in (None, "", ":memory:") or "mode=memory" in url:
                    raise InvalidCatalogUrl("the catalog must be in a file: several connections share it")
                self._engine = sa.create_engine(
                    parsed, pool_timeout=timeout_s, connect_args={"isolation_level": None, "timeout": timeout_s}
                )
            elif backend == "postgresql":
                self._engine = sa.create_engine(
                    parsed, pool_pre_ping=True, pool_timeout=timeout_s, connect_args=_lifelines(parsed, timeout_s)
                )
            else:
                raise InvalidCatalogUrl(f"the catalog runs on SQLite and PostgreSQL, not on {backend!r}")
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError) as error:
            raise InvalidCatalogUrl("the catalog URL cannot be read") from error
        except ImportError as error:
            raise InvalidCatalogUrl(
                f"the driver for {parsed.drivername} is not installed", hint=f"Install it: pip install {error.name}"
            ) from error
        self._sqlite = backend == "sqlite"
        self._timeout_s = timeout_s
        self._turn = Lock()
        sa.event.listen(self._engine, "connect", self._prepare)
        if self._sqlite:
            sa.event.listen(self._engine, "begin", self._begin)

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
        deadline = time.monotonic() + self._timeout_s
        with self._named_errors(), self._taking_turns(), self._engine.connect() as connection:
            # Of this process's writers the one whose turn it is waits for other processes alone, for what is left.
            left_ms = max(int((deadline - time.monotonic()) * 1000), 1)
            connection.execution_options(catalog_writes=True, catalog_busy_ms=left_ms)
            with connection.begin():
                if not self._sqlite:
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {left_ms}")
                connection.execute(sa.select(REVISIONS.c.value).where(REVISIONS.c.name == "writes").with_for_update())
                if self._marks is None:
                    yield connection
                    return
                held, in_file = self._meet(connection, self._marks)
                yield connection
                noted = self._note(connection, self._marks, held, in_file)
            if noted:
                self._unused = None

    def _meet(self, connection: sa.Connection, file: MarksFile) -> tuple[Marks | None, Marks]:
        """Raise the catalog's marks to the file's; return its own, before, and the file's."""
        held, in_file = numbering.marks(connection), file.read()
        # What this process noted and then could not commit is not given out: used now, it leaves no gap.
        if held is not None and (held, in_file) != self._unused and in_file.above(held) != held:
            numbering.raise_to(connection, in_file.above(held))
        return held, in_file

    def _note(self, connection: sa.Connection, file: MarksFile, held: Marks | None, in_file: Marks) -> bool:
        """Write the marks to the file where the transaction raised them; the commit comes after."""
        now = numbering.marks(connection)
        if held is None or now is None or now in (held, in_file):
            return False
        self._unused = (held, now)
        file.write(now)
        return True

    def note_marks(self, connection: sa.Connection) -> None:
        """Write the marks' file where there is none yet. Only in a writing transaction."""
        if self._marks is not None and not self._marks.exists():
            self._marks.write(numbering.marks(connection) or Marks())

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
                        # Rebuilding a table may take its time.
                        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
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
            raise self._named(error) from error
        except sa.exc.TimeoutError as error:
            raise self._late("all connections to its database are busy") from error
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
                limit_ms = max(int(self._timeout_s * 1000), 1)
                cursor.execute(f"SET lock_timeout = {limit_ms}")
                cursor.execute(f"SET statement_timeout = {limit_ms}")
                cursor.execute(f"SET idle_in_transaction_session_timeout = {_IDLE_MS}")
                cursor.close()
                connection.commit()
        except BaseException:
            connection.close()  # it has not reached the pool, so nobody else would
            raise

    def _begin(self, connection: sa.Connection) -> None:
        """Begin a transaction on SQLite; a writer takes its lock now, when waiting for it cannot deadlock."""
        options = connection.get_execution_options()
        busy_ms = options.get("catalog_busy_ms", int(self._timeout_s * 1000))
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {busy_ms}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("catalog_writes", False) else "BEGIN")

    def _switch_to_wal(self, connection: DBAPIConnection) -> None:
        """Set the file's journal to write-ahead logging, which lasts.

        SQLite does not wait for locks here as it does elsewhere, so when several processes open a new file at once,
        all but one get "locked": wait for the one.
        """
        deadline = time.monotonic() + self._timeout_s
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
            raise self._named(error.orig or error) from error
        except sa.exc.TimeoutError as error:
            raise self._late("all connections to its database are busy") from error

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self._timeout_s):
            raise self._late("others are writing to it")
        try:
            yield
        finally:
            self._turn.release()

    def _late(self, why: str) -> CatalogUnavailable:
        return CatalogUnavailable(
            f"the catalog did not answer within {self._timeout_s:g} s: {why}", within_s=self._timeout_s
        )

    def _named(self, error: BaseException) -> CatalogError:
        """Return the catalog's error for a driver's, with the first line of its text."""
        text = str(error).strip().partition("\n")[0]
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        if state in _MISSING_TABLE_OR_COLUMN or text.startswith(("no such table", "no such column")):
            return SchemaOutdated(f"the catalog's tables are not those this program needs ({text})")
        if state in _WAITED or type(error).__name__ == "ConnectionTimeout" or text == "database is locked":
            return self._late(text)
        dbapi = self._engine.dialect.loaded_dbapi
        unavailable = tuple(getattr(dbapi, name) for name in ("OperationalError", "InterfaceError", "InternalError"))
        if isinstance(error, unavailable):
            return CatalogUnavailable(f"the catalog's database is unavailable: {text}")
        file = f" {self._engine.url.database}" if self._sqlite else ""
        return CatalogFault(f"the catalog's database{file} refused a statement: {text}")


_REVISION_SQL = {
    "apps": "SELECT value FROM revisions WHERE name = 'apps'",
    "keys": "SELECT value FROM revisions WHERE name = 'keys'",
}


def _lifelines(url: sa.URL, timeout_s: float) -> dict[str, Any]:
    """Return the parameters by which libpq gives up a server that is gone, as far as the URL says nothing of them.

    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
    """
    wanted = {
        "connect_timeout": max(math.ceil(timeout_s), 2),  # less than 2 is not taken
        "tcp_user_timeout": int(timeout_s * 1000),
        "keepalives_idle": max(math.ceil(timeout_s), 1),
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }
    return {name: value for name, value in wanted.items() if name not in url.query}
