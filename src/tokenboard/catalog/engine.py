"""The database behind the catalog: connections, transactions, and whose errors they are.

One transaction writes at a time, on every engine: SQLite by ``BEGIN IMMEDIATE``, PostgreSQL by locking one row. So a
writer sees all earlier writers' work, ids can be given out in order, and revisions are committed in the order of
their numbers. Readers are never held up and each reading transaction sees one snapshot.

Writers of this process wait for their turn without a connection, so that however many they are, readers find one. No
wait is without end: not for a turn, a connection, another process's lock, nor for a statement.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from threading import Lock
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from tokenboard.catalog import numbering
from tokenboard.catalog.backend import Backend, ServerFacts, ServerOptions, first_line, of_kind
from tokenboard.catalog.errors import (
    CatalogError,
    CatalogFault,
    CatalogUnavailable,
    InvalidCatalogUrl,
    SchemaOutdated,
    late,
)
from tokenboard.catalog.numbering import Marks, MarksFile
from tokenboard.catalog.sqlite import SqliteBackend

TIMEOUT_S = 10.0
"""How long a call waits, for its turn, a connection, a lock or a statement, before `CatalogUnavailable`, in seconds."""

ATTEMPTS = 3
"""How often a call is made before what cuts it off is told to its caller."""

_REST_S = 0.05
_T = TypeVar("_T")


class Database:
    """An engine for one catalog URL. Safe to use from several threads. Connects when first used, not before.

    ``timeout_s`` is how long anything is waited for, in seconds; ``server`` says otherwise for a server, and the
    parameters in the URL come before both.

    ``marks`` is the file that knows the highest ids given out: they are met before a transaction that writes begins its
    work, and noted before it is committed.

    Raises:
        InvalidCatalogUrl: the URL is malformed, in memory, of another database, or its driver is not installed.

    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        server: ServerOptions | None = None,
        marks: MarksFile | None = None,
    ) -> None:
        self._marks = marks
        self._unused: tuple[Marks, Marks] | None = None
        self._timeout_s = timeout_s
        self._turn = Lock()
        self._backend = _open(url, timeout_s, server or ServerOptions())
        self._engine = self._backend.engine
        self.on_server = not isinstance(self._backend, SqliteBackend)
        sa.event.listen(self._engine, "connect", self._prepare)

    def close(self) -> None:
        """Close the connections that no transaction is using."""
        self._engine.dispose()

    def read(self, work: Callable[[sa.Connection], _T]) -> _T:
        """Do the work in one transaction that sees one snapshot, and return what it returns; anew when it is cut off.

        Raises: as ``reading``.
        """
        return self._again(self.reading, work)

    def write(self, work: Callable[[sa.Connection], _T]) -> _T:
        """Do the work in one transaction, alone among writers, and return what it returns; anew when it is cut off.

        What may have been committed is never done again. The work must not change what is outside the database.

        Raises: as ``writing``.
        """
        return self._again(self.writing, work)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Run the block in one transaction that sees one snapshot, and roll it back.

        Raises:
            CatalogUnavailable: the database is locked, unreachable or full.
            SchemaOutdated: a table is missing.
            CatalogFault: the database refused a statement for another reason.

        """
        with self._named_errors(), self._connected() as connection:
            self._backend.reads(connection)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Run the block in one transaction, alone among writers; commit it, or roll it back when the block raises.

        Raises: as ``reading``; after any of these nothing of the block is stored, except that a connection lost while
            committing leaves it unknown, which the error says.
        """
        deadline = time.monotonic() + self._timeout_s
        with self._named_errors() as stage, self._taking_turns(), self._connected() as connection:
            # Of this process's writers the one whose turn it is waits for other processes alone, for what is left.
            left_s = deadline - time.monotonic()
            self._backend.writes(connection, left_s)
            with connection.begin():
                self._backend.locks_writers_out(connection, left_s)
                if self._marks is None:
                    yield connection
                    stage.committing = True
                    return
                held, in_file = self._meet(connection, self._marks)
                yield connection
                noted = self._note(connection, self._marks, held, in_file)
                stage.committing = True
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
        """Write the marks to the file where the transaction raised them; the commit comes after.

        What another board has given out is noted too: a catalog set back is then met by each board's file.
        """
        now = numbering.marks(connection)
        if held is None or now is None or now == in_file:
            return False
        if now == held:
            if file.exists() and in_file.above(now) != in_file:
                file.write(in_file.above(now))
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
        with (
            self._named_errors(),
            self._connected() as connection,
            self._backend.migrating(connection),
            connection.begin(),
        ):
            self._backend.begins_migration(connection)
            yield connection
            self._backend.ends_migration(connection)

    def facts(self) -> ServerFacts | None:
        """Return what the database server tells of itself, None when there is none; raises as ``reading``."""
        return self.read(self._backend.facts)

    def revision(self, name: str) -> int:
        """Return one counter, past SQLAlchemy's execution: about 10 µs on SQLite. Raises as ``reading``."""
        with self._named_errors():
            with self._backend.connecting():
                connection = self._engine.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute(_REVISION_SQL[name])
                row = cursor.fetchone()
                cursor.close()
            finally:
                connection.close()
        if row is None:
            raise SchemaOutdated(f"the catalog has no counter {name!r}")
        return int(row[0])

    def _prepare(self, connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        """Set up a new connection."""
        try:
            self._backend.prepare(connection)
        except BaseException:
            connection.close()  # it has not reached the pool, so nobody else would
            raise

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        """Take a connection for the block."""
        with self._backend.connecting():
            connection = self._engine.connect()
        with connection:
            yield connection

    def _again(
        self, transaction: Callable[[], AbstractContextManager[sa.Connection]], work: Callable[[sa.Connection], _T]
    ) -> _T:
        """Do the work in a transaction, and again while what cuts it off is passing and there is time."""
        deadline = time.monotonic() + self._timeout_s
        attempt = 1
        while True:
            try:
                with transaction() as connection:
                    return work(connection)
            except CatalogUnavailable as error:
                if not error.passing or attempt == ATTEMPTS or time.monotonic() >= deadline:
                    raise
            time.sleep(_REST_S * attempt)
            attempt += 1

    @contextmanager
    def _named_errors(self) -> Iterator["_Stage"]:
        """Let SQLAlchemy's and the driver's errors leave as the catalog's."""
        stage = _Stage()
        try:
            yield stage
        except sa.exc.DBAPIError as error:
            raise self._named(error.orig or error, stage, lost=error.connection_invalidated) from error
        except sa.exc.TimeoutError as error:
            raise late(self._timeout_s, "all connections to its database are busy") from error
        except self._engine.dialect.loaded_dbapi.Error as error:
            raise self._named(error, stage, lost=False) from error

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self._timeout_s):
            raise late(self._timeout_s, "others are writing to it")
        try:
            yield
        finally:
            self._turn.release()

    def _named(self, error: BaseException, stage: "_Stage", *, lost: bool) -> CatalogError:
        """Return the catalog's error for a driver's, with the first line of its text."""
        text = first_line(error)
        named = self._backend.named(error)
        if named is None:
            if of_kind(self._engine, error, "OperationalError", "InterfaceError", "InternalError"):
                named = CatalogUnavailable(f"the catalog's database is unavailable: {text}")
            else:
                file = "" if self.on_server else f" {self._engine.url.database}"
                named = CatalogFault(f"the catalog's database{file} refused a statement: {text}")
        if isinstance(named, CatalogUnavailable):
            if stage.committing:
                unsure = "whether the change is stored is not known"
                named = CatalogUnavailable(f"{named}; {unsure}", hint=named.hint, within_s=named.within_s)
            elif lost and named.within_s is None:
                named.passing = True
        return named


class _Stage:
    """How far a transaction has come: after ``committing`` nobody knows by an error what is stored."""

    committing = False


_REVISION_SQL = {
    "apps": "SELECT value FROM revisions WHERE name = 'apps'",
    "keys": "SELECT value FROM revisions WHERE name = 'keys'",
}


def _open(url: str, timeout_s: float, server: ServerOptions) -> Backend:
    """Return the database of a URL; raises InvalidCatalogUrl."""
    try:
        parsed = sa.make_url(url)
        if parsed.drivername == "postgres":  # as some services still write it
            parsed = parsed.set(drivername="postgresql")
        kind = parsed.get_backend_name()
        if kind == "sqlite":
            return SqliteBackend(parsed, timeout_s)
        if kind != "postgresql":
            raise InvalidCatalogUrl(f"the catalog runs on SQLite and PostgreSQL, not on {kind!r}")
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError) as error:
        raise InvalidCatalogUrl("the catalog URL cannot be read") from error
    try:
        # Its driver is installed where it is asked for.
        backend: Backend = import_module("tokenboard.catalog.postgres").PostgresBackend(parsed, timeout_s, server)
    except ImportError as error:
        raise InvalidCatalogUrl(
            "the driver for PostgreSQL is not installed", hint="Install it: pip install 'tokenboard[postgres]'."
        ) from error
    return backend
