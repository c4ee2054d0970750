"""PostgreSQL behind the catalog: no wait for its server is without end, and each of its refusals has a way out.

The server is told how long a statement, a lock and an idle transaction may take. A server that hangs, or a network that
swallows what is sent, keeps none of these promises; so every wait for an answer has a deadline here as well, a little
later than the server's own. Past it the connection is closed, and its caller told.
"""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import psycopg
import sqlalchemy as sa
from psycopg.abc import RV, PQGen
from sqlalchemy.engine.interfaces import DBAPIConnection

from tokenboard.catalog.backend import ServerFacts, ServerOptions, first_line
from tokenboard.catalog.errors import (
    CatalogError,
    CatalogRefused,
    CatalogUnavailable,
    InvalidCatalogUrl,
    SchemaOutdated,
    UnfitServer,
    late,
)
from tokenboard.catalog.schema import METADATA

OLDEST: Final = 14
"""The oldest major version of PostgreSQL that is worked with."""

GRACE_S: Final = 1.0
"""How much later than the server's own limit an answer is given up here, in seconds: the server's word is better."""

MIGRATION_S: Final = 3600.0
"""How long a migration may take, and be waited for by others that are to migrate, in seconds."""

_MIGRATION_LOCK = 7_461_021_850_319
"""The advisory lock that migrations hold; any fixed number not used otherwise."""

_SHORTEST_CONNECT_S = 2
"""libpq takes no less."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_MISSING_TABLE_OR_COLUMN = ("42P01", "42703")
_WAITED = ("55P03", "57014", "25P03")  # lock_not_available, query_canceled, idle_in_transaction_session_timeout
_COLLIDED = ("40001", "40P01")  # serialization_failure, deadlock_detected
_FORBIDDEN = "42501"
_READ_ONLY = "25006"

_call = threading.local()


class ServerSilent(psycopg.OperationalError):
    """The server did not answer in time; the connection is closed."""


class _Connection(psycopg.Connection[Any]):
    """A connection whose waits end: ``limit_s`` after they began, or when the call's own time is over."""

    limit_s: float = MIGRATION_S
    prepared = False

    def wait(self, gen: PQGen[RV], *args: Any, **kwargs: Any) -> RV:
        limit_s = min(self.limit_s, getattr(_call, "ping_s", self.limit_s)) if self.prepared else self.limit_s
        try:
            return super().wait(_until(gen, limit_s), *args, **kwargs)
        except ServerSilent:
            # Whatever it says later belongs to no question any more.
            self.pgconn.finish()
            raise


def _until(gen: PQGen[RV], limit_s: float) -> PQGen[RV]:
    """Pass on a generator's wishes, and what is answered to them, until it returns or the time is over.

    psycopg looks at the clock, and asks again, ten times a second.
    """
    deadline = time.monotonic() + limit_s
    try:
        wish = next(gen)
        while True:
            ready = yield wish
            late_s = time.monotonic() - deadline
            # What has come is taken even late, unless it comes bit by bit.
            if late_s >= (GRACE_S if ready else 0):
                gen.close()
                raise ServerSilent(f"the server has been silent for {limit_s:g} s")
            wish = gen.send(ready)
    except StopIteration as end:
        return cast("RV", end.value)


class PostgresBackend:
    """One database of a PostgreSQL server. A `Backend`."""

    def __init__(self, url: sa.URL, timeout_s: float, options: ServerOptions) -> None:
        if url.drivername not in ("postgresql", "postgresql+psycopg"):
            raise InvalidCatalogUrl(f"PostgreSQL is spoken to by psycopg, not by {url.get_driver_name()}")
        self._url = url.set(drivername="postgresql+psycopg")
        self._options = options
        self._timeout_s = timeout_s
        self._connect_s = timeout_s if options.connect_timeout_s is None else options.connect_timeout_s
        self._statement_s = timeout_s if options.statement_timeout_s is None else options.statement_timeout_s
        self._lock_s = timeout_s if options.lock_timeout_s is None else options.lock_timeout_s
        kept = min(options.pool_size, 5)
        self.engine = sa.create_engine(
            self._url,
            pool_pre_ping=True,
            pool_size=kept,
            max_overflow=options.pool_size - kept,
            pool_timeout=timeout_s if options.pool_timeout_s is None else options.pool_timeout_s,
            connect_args=_lifelines(url, self._connect_s, timeout_s),
        )
        sa.event.listen(self.engine, "do_connect", self._connect)

    def prepare(self, connection: DBAPIConnection) -> None:
        """Refuse a server that is too old, or that cannot store every text; tell others how long they may take."""
        own = cast("_Connection", connection)
        own.limit_s = max(self._statement_s, self._lock_s) + GRACE_S
        major = own.info.server_version // 10_000
        if major < OLDEST:
            raise UnfitServer(
                f"the catalog's server {self.place} is PostgreSQL {major}, older than {OLDEST}",
                hint=f"Upgrade the server to PostgreSQL {OLDEST} or newer.",
            )
        if (encoding := own.info.parameter_status("server_encoding")) != "UTF8":
            raise UnfitServer(
                f"the catalog's database {self.place} stores text as {encoding}, not as UTF8",
                hint="Make one that holds every script: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
            )
        settings = {
            "statement_timeout": _milliseconds(self._statement_s),
            "lock_timeout": _milliseconds(self._lock_s),
            "idle_in_transaction_session_timeout": _milliseconds(self._options.idle_s),
        }
        own.autocommit = True
        own.execute(
            f"SELECT {', '.join(['set_config(%s, %s, false)'] * len(settings))}".encode(),
            [text for pair in settings.items() for text in pair],
        )
        own.autocommit = False
        own.prepared = True

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Leave a connection that was kept half the time to show that it is alive, and a new one the rest."""
        _call.ping_s = max(self._timeout_s, GRACE_S) / 2
        _call.until = time.monotonic() + self._timeout_s
        try:
            yield
        finally:
            del _call.ping_s, _call.until

    def reads(self, connection: sa.Connection) -> None:
        """One snapshot a transaction, not one a statement."""
        connection.execution_options(isolation_level="REPEATABLE READ")

    def writes(self, connection: sa.Connection, left_s: float) -> None:
        """Nothing is to be set."""

    def locks_writers_out(self, connection: sa.Connection, left_s: float) -> None:
        """Wait for the row that every writer locks."""
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_milliseconds(min(left_s, self._lock_s))}")
        connection.exec_driver_sql("SELECT value FROM revisions WHERE name = 'writes' FOR UPDATE")

    @contextmanager
    def migrating(self, connection: sa.Connection) -> Iterator[None]:
        """Rebuilding a table may take its time, and so may others that do it."""
        own = cast("_Connection", connection.connection.driver_connection)
        before, own.limit_s = own.limit_s, MIGRATION_S + GRACE_S
        try:
            yield
        finally:
            own.limit_s = before

    def begins_migration(self, connection: sa.Connection) -> None:
        """Wait for others that migrate; then for tables no longer than anybody waits, as others need these too."""
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_milliseconds(MIGRATION_S)}")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_milliseconds(MIGRATION_S)}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_milliseconds(self._lock_s)}")

    def ends_migration(self, connection: sa.Connection) -> None:
        """The server keeps references by itself."""

    def named(self, error: BaseException) -> CatalogError | None:
        """Return what a refusal of PostgreSQL means, and how to go on."""
        text = first_line(error)
        state = getattr(error, "sqlstate", None)
        if state in _MISSING_TABLE_OR_COLUMN:
            return SchemaOutdated(f"the catalog's tables are not those this program needs ({text})")
        if state in _WAITED:
            return late(self._timeout_s, text)
        if isinstance(error, ServerSilent):
            return CatalogUnavailable(
                f"the catalog's server {self.place} did not answer in time: {text}",
                hint="Look whether it hangs, or the network between swallows what is sent; the work is retried.",
                within_s=self._timeout_s,
            )
        if isinstance(error, psycopg.errors.ConnectionTimeout):
            return CatalogUnavailable(
                f"the catalog did not answer within {self._connect_s:g} s: no connection to {self.place}",
                hint=_AWAY.format(place=self.place),
                within_s=self._connect_s,
            )
        if state in _COLLIDED:
            return CatalogUnavailable(f"the catalog's database is unavailable: {text}", passing=True)
        if state == _FORBIDDEN:
            return CatalogRefused(
                f"the catalog's server {self.place} forbids it: {text}",
                hint=f"Let {self._user} own the database, or grant it what `tokenboard doctor` names.",
            )
        if state == _READ_ONLY:
            return CatalogRefused(
                f"the catalog's server {self.place} takes no writes: {text}",
                hint="It may be a standby: name the primary, or several hosts with target_session_attrs=read-write.",
            )
        if isinstance(error, psycopg.OperationalError) and state is None:
            return self._not_connected(text)
        return None

    def facts(self, connection: sa.Connection) -> ServerFacts | None:
        """Ask the server; raises as any statement."""
        own = cast("_Connection", connection.connection.driver_connection)
        trips = []
        for _ in range(5):
            began = time.perf_counter()
            connection.exec_driver_sql("SELECT 1")
            trips.append(time.perf_counter() - began)
        told = connection.exec_driver_sql(
            "SELECT current_setting('server_version') AS version, current_user AS user_name, pg_is_in_recovery() AS"
            " standby, current_setting('default_transaction_read_only') = 'on' AS read_only,"
            " current_setting('max_connections')::int AS most, (SELECT count(*) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend') AS connections"
        ).one()
        return ServerFacts(
            version=str(told.version),
            place=self.place,
            user=str(told.user_name),
            round_trip_ms=min(trips) * 1000,
            encoding=str(own.info.parameter_status("server_encoding")),
            encrypted=bool(own.pgconn.ssl_in_use),
            connections=int(told.connections),
            connections_limit=int(told.most),
            read_only=bool(told.standby or told.read_only),
            missing_rights=tuple(_missing_rights(connection)),
        )

    @property
    def place(self) -> str:
        """Where the database is, for people: host, port and name, nothing secret."""
        host = self._url.host or _text(self._url.query.get("host")) or "the local socket"
        port = self._url.port or _text(self._url.query.get("port"))
        return f"{host}{f':{port}' if port else ''}/{self._url.database or self._user}"

    @property
    def _user(self) -> str:
        return self._url.username or _text(self._url.query.get("user")) or "its user"

    def _connect(self, _dialect: object, _record: object, args: Any, parameters: Any) -> DBAPIConnection:
        """Open a connection within what is left of the call's time; `prepare` sets it up."""
        parameters = dict(parameters)
        left_s = getattr(_call, "until", math.inf) - time.monotonic()
        if left_s <= 0:
            raise psycopg.errors.ConnectionTimeout("no time is left for a new connection")
        if left_s < float(parameters["connect_timeout"]):
            parameters["connect_timeout"] = max(math.ceil(left_s), _SHORTEST_CONNECT_S)
        if (password := self._options.password()) is not None:
            parameters["password"] = password
        connection = _Connection.connect(*args, **parameters)
        connection.limit_s = self._connect_s + GRACE_S
        return cast("DBAPIConnection", connection)

    def _not_connected(self, text: str) -> CatalogUnavailable:
        """Return what a connection that could not be made, or was lost, means.

        The server's reason comes as text alone, in its own language: what is not known gets the general hint.
        """
        known = next((hint for mark, hint in _REASONS if mark in text), _AWAY)
        name = self._url.database or self._user
        return CatalogUnavailable(
            f"the catalog's database is unavailable: {text}",
            hint=known.format(place=self.place, user=self._user, database=name),
        )


_AWAY = "Look whether PostgreSQL runs at {place} and lets this machine in; the work is retried."
_REASONS = (
    ("password authentication failed", "Check the password of {user}: [catalog] password_env, password_file or url."),
    ("no password supplied", "Name the variable or file that holds it: [catalog] password_env or password_file."),
    ("no pg_hba.conf entry", "Let {user} in from this machine in the server's pg_hba.conf, or set sslmode in the URL."),
    ("does not support SSL", "Let the server speak TLS, or set another sslmode in the URL."),
    ("certificate", "Name the server's authority in the URL: sslrootcert=FILE, sslmode=verify-full."),
    ('role "', "Make the user: CREATE ROLE {user} LOGIN PASSWORD '…'."),
    ('database "', "Make the database: CREATE DATABASE {database} OWNER {user} ENCODING 'UTF8' TEMPLATE template0."),
    ("too many clients", "Raise the server's max_connections, or lower [catalog] pool_size of its boards."),
    ("too many connections", "Raise the limit of connections of {user} or {database}, or lower [catalog] pool_size."),
    ("remaining connection slots", "Raise the server's max_connections, or lower [catalog] pool_size of its boards."),
    ("starting up", "It is starting; the work is retried."),
    ("shutting down", "It is being stopped; the work is retried."),
    ("translate host name", "Check the host in [catalog] url; no address is known for it."),
)  # fmt: skip
"""What the server's words mean, the first that fits: a piece of them, and the hint."""


def _missing_rights(connection: sa.Connection) -> Iterator[str]:
    """Yield what the user may not do and the program has to."""
    schema = connection.exec_driver_sql("SELECT current_schema()").scalar()
    if schema is None:
        yield "USAGE on any schema of its search_path"
        return
    if not connection.execute(sa.select(sa.func.has_schema_privilege(schema, "CREATE"))).scalar():
        yield f"CREATE on schema {schema}"
    for table in [*METADATA.sorted_tables, sa.Table("alembic_version", sa.MetaData())]:
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            # NULL where there is no such table yet.
            allowed = sa.select(sa.func.has_table_privilege(sa.func.to_regclass(table.name), right))
            if connection.execute(allowed).scalar() is False:
                yield f"{right} on {table.name}"


def _lifelines(url: sa.URL, connect_s: float, timeout_s: float) -> dict[str, Any]:
    """Return the parameters by which libpq gives up a server that is gone, as far as the URL says nothing of them.

    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
    """
    wanted = {
        "connect_timeout": max(math.ceil(connect_s), _SHORTEST_CONNECT_S),
        "tcp_user_timeout": _milliseconds(timeout_s),
        "keepalives_idle": max(math.ceil(timeout_s), 1),
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "client_encoding": "utf8",
        "fallback_application_name": "tokenboard",
    }
    given = {name: value for name, value in wanted.items() if name not in url.query}
    return given if "connect_timeout" in given else {**given, "connect_timeout": _text(url.query["connect_timeout"])}


def _milliseconds(seconds: float) -> str:
    return str(max(int(seconds * 1000), 1))


def _text(value: str | tuple[str, ...] | None) -> str:
    return ",".join(value) if isinstance(value, tuple) else value or ""
