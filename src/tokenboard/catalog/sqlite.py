"""SQLite behind the catalog: one file in write-ahead logging, shared by threads and processes."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection

from tokenboard.catalog.backend import ServerFacts, first_line
from tokenboard.catalog.errors import CatalogError, CatalogFault, InvalidCatalogUrl, SchemaOutdated, late

_RETRY_S = 0.02


class SqliteBackend:
    """One SQLite file; anything is waited for ``timeout_s`` seconds. A `Backend`."""

    def __init__(self, url: sa.URL, timeout_s: float) -> None:
        if url.database in (None, "", ":memory:") or "mode=memory" in url.render_as_string():
            raise InvalidCatalogUrl("the catalog must be in a file: several connections share it")
        self._timeout_s = timeout_s
        self.engine = sa.create_engine(
            url, pool_timeout=timeout_s, connect_args={"isolation_level": None, "timeout": timeout_s}
        )
        sa.event.listen(self.engine, "begin", self._begin)

    def prepare(self, connection: DBAPIConnection) -> None:
        """Keep references, and what was committed, whatever happens."""
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()
        self._switch_to_wal(connection)

    def connecting(self) -> AbstractContextManager[None]:
        """A file is opened at once."""
        return nullcontext()

    def reads(self, connection: sa.Connection) -> None:
        """Every transaction sees one snapshot."""

    def writes(self, connection: sa.Connection, left_s: float) -> None:
        """Tell `_begin`, by options."""
        connection.execution_options(catalog_writes=True, catalog_busy_ms=max(int(left_s * 1000), 1))

    def locks_writers_out(self, connection: sa.Connection, left_s: float) -> None:
        """Its begin has."""

    @contextmanager
    def migrating(self, connection: sa.Connection) -> Iterator[None]:
        """Tables are rebuilt by copy and rename, during which references dangle; they are checked before commit."""
        connection.execution_options(catalog_writes=True)
        # The pragma does nothing inside a transaction.
        _pragma(connection, "foreign_keys = OFF")
        try:
            yield
        finally:
            if not connection.invalidated:
                _pragma(connection, "foreign_keys = ON")

    def begins_migration(self, connection: sa.Connection) -> None:
        """Its begin has done it."""

    def ends_migration(self, connection: sa.Connection) -> None:
        """Look for references to rows that are gone."""
        if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise CatalogFault("the migration would leave references to missing rows; nothing was changed")

    def named(self, error: BaseException) -> CatalogError | None:
        """Return what is SQLite's own."""
        text = first_line(error)
        if text.startswith(("no such table", "no such column")):
            return SchemaOutdated(f"the catalog's tables are not those this program needs ({text})")
        return late(self._timeout_s, text) if text == "database is locked" else None

    def facts(self, connection: sa.Connection) -> ServerFacts | None:
        """There is no server."""

    def _begin(self, connection: sa.Connection) -> None:
        """Begin a transaction; a writer takes its lock now, when waiting for it cannot deadlock."""
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
                except self.engine.dialect.loaded_dbapi.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() >= deadline:
                        raise
                    time.sleep(_RETRY_S)
                else:
                    return
        finally:
            cursor.close()


def _pragma(connection: sa.Connection, pragma: str) -> None:
    """Run a pragma outside any transaction."""
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
