"""The ledger's client: schema, idempotent inserts, the questions asked of it."""

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from string import Template
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import clickhouse_connect
import numpy as np
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from numpy.typing import NDArray

from tokenboard.ledger.analyst import Analyst
from tokenboard.ledger.batches import BatchWriter, last_batch
from tokenboard.ledger.columns import FIRST_TIME_MS, LAST_TIME_MS, Rows
from tokenboard.ledger.engines import SINGLE_NODE, Engines
from tokenboard.ledger.errors import LedgerError, LedgerOutdated, LedgerUnavailable
from tokenboard.ledger.faults import end_at_once
from tokenboard.ledger.generation import Generation
from tokenboard.ledger.rollups import (
    ROLLUPS,
    RollupCheck,
    check_rollup,
    days_with_rows,
    drop_raw_month,
    last_of,
    months_dropped,
    months_held,
    note_filled,
    note_rebuild,
    note_rebuilt,
    open_rebuilds,
    rebuild_rollup,
    rollups_to_fill,
    sums_of_views,
)
from tokenboard.ledger.spending import Spending
from tokenboard.ledger.sql import query_text as _query
from tokenboard.ledger.sql import schema_files as _schema_files

Answer = TypeVar("Answer")

TIMEOUT_S = 30.0
"""How long a caller waits for the answer to a question, and anybody for a connection to a server, in seconds."""

SILENT_S = 300
"""How long a server may be silent about a statement of the board's own, such as a batch, in seconds."""

_TIMEOUT = "TIMEOUT_EXCEEDED"
_EMBEDDED = "chdb:"
_ENGINE = {"memory_worker_period_ms": 1_000}
"""Settings of the embedded engine's process. It looks twenty times a second how much memory it has by default, which
is a fifth of a percent of a core for as long as the board is idle."""

GENERATION_WITHIN_MS = 60_000
"""How far an event may be from the time that a caller knows of it, in milliseconds."""


@dataclass(frozen=True, slots=True)
class DayRows:
    """Figures per UTC day and app, one row each, as equally long arrays.

    ``day`` int32, days since 1970-01-01; ``app_id`` int64, 0 for unattributed traffic; ``requests`` int64; ``tokens``
    (prompt + completion), ``prompt``, ``cached`` and ``reasoning`` tokens each int64, or objects (Python ints) when a
    value of that column reaches 2**62.
    """

    day: NDArray[Any]
    app_id: NDArray[Any]
    requests: NDArray[Any]
    tokens: NDArray[Any]
    prompt: NDArray[Any]
    cached: NDArray[Any]
    reasoning: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of one UTC day of one table; cost in USD."""

    day: str
    requests: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost: Any


class Ledger:
    """Usage in ClickHouse: embedded (``chdb:///folder``) or a server (``clickhouse://…``).

    The embedded engine allows one process per folder and one folder per process. Every call runs on one thread the
    ledger owns (the engine releases the GIL meanwhile), so methods block and are safe from any thread. What a caller
    waits for, the questions of ``analyst``, `generation` and `key_usage`, is given up after ``timeout_s``.

    Raises:
        LedgerUnavailable: from any method, when the engine does not answer or refuses a statement.

    """

    def __init__(self, dsn: str, engines: Engines = SINGLE_NODE, *, timeout_s: float = TIMEOUT_S) -> None:
        self._engines = engines
        self._timeout_s = timeout_s
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self.analyst = Analyst(self._ask)
        try:
            self._client = self._run(lambda: _connect(dsn, timeout_s))
        except LedgerError:
            self._thread.shutdown()
            raise
        if dsn.startswith(_EMBEDDED):
            end_at_once()

    # --- schema ----------------------------------------------------------------------------------------------------

    def migrate(self) -> list[str]:
        """Apply the schema files not applied yet, in order, and return their names.

        Raises:
            LedgerOutdated: the ledger has files applied that this program does not know; nothing was changed.

        """
        return self._run(self._migrate)

    def check(self) -> None:
        """Make sure the schema is the one this program writes.

        Raises:
            LedgerOutdated: a file is missing in the ledger, or one is there that this program does not know.

        """
        applied, known = self._run(self._applied), [name for name, _ in _schema_files()]
        if applied != known:
            raise LedgerOutdated(
                f"the ledger's schema is at {applied[-1] if applied else 'nothing'}, this program's at {known[-1]}"
            )

    # --- the board's side ------------------------------------------------------------------------------------------

    def board(self) -> str | None:
        """Return the id of the board that the ledger belongs to, None before one was set."""
        rows = self._run(lambda: self._client.query(_query("board")).result_rows)
        return str(rows[0][0]) if rows else None

    def join_board(self, board: str) -> None:
        """Make the ledger one of this board's."""
        self._run(lambda: self._client.insert("board", [[board]], column_names=["id"]))

    def ids(self) -> tuple[set[int], set[int]]:
        """Return the ids of all apps and of all keys that the sums hold, 0 for none among them."""
        apps, keys = (self._ask(question, {}) for question in ("app_ids", "key_ids"))
        return {int(row[0]) for row in apps}, {int(row[0]) for row in keys}

    def highest_ids(self) -> tuple[int, int, int]:
        """Return the highest ids of apps, keys and accounts in the raw events; reads three columns of all of them."""
        ((app_id, key_id, account_id),) = self._ask("highest_ids", {})
        return int(app_id), int(key_id), int(account_id)

    # --- the drain's side ------------------------------------------------------------------------------------------

    def last_batch(self) -> int:
        """Return the number of the last batch that is in every table, 0 when there is none."""
        return self._run(lambda: last_batch(self._client))

    def insert(self, batch: int, rows: Rows, *, fresh: bool = False) -> None:
        """Write one fixed batch to the raw table and every rollup: once, however often it is called.

        ``batch`` is its number, greater than that of every batch written before. A batch that was interrupted half way
        is completed by calling again with the same number and rows, before any other: there is one writer. ``fresh``
        says that it was never tried, and saves asking which of it is there.
        """
        if rows.days:
            BatchWriter(self._client, self._run, batch, rows).write(fresh=fresh)

    # --- the readers' side -----------------------------------------------------------------------------------------

    def day_changes(self) -> dict[date, int]:
        """Return for every UTC day with usage a number that grows whenever the day's figures have changed."""
        rows = self._run(lambda: self._client.query(_query("day_changes")).result_rows)
        return {day: int(changes) for day, changes in rows}

    def read_days(self, days: Collection[date] | None = None) -> DayRows:
        """Return the figures of these UTC days (None: of all), sorted by day and app."""
        parameters = {"all_days": days is None, "days": sorted(days or ())}

        def read() -> DayRows:
            table = self._client.query_arrow(_query("read_days"), parameters=parameters)
            column = {name: table.column(name).to_numpy() for name in table.column_names}
            return DayRows(
                column["day_number"].astype(np.int32),
                column["app_id"],
                column["requests"],
                **{name: _whole(column, name) for name in ("tokens", "prompt", "cached", "reasoning")},
            )

        return self._run(read)

    def totals(self) -> dict[str, list[Totals]]:
        """Return the sums per UTC day, by table (raw and rollups): they agree unless something is wrong."""

        def read() -> dict[str, list[Totals]]:
            found = {"usage": self._client.query(_query("totals_usage")).result_rows}
            for rollup, bucket in ROLLUPS.items():
                found[rollup] = self._client.query(_query("totals_rollup", rollup=rollup, bucket=bucket)).result_rows
            return {table: [Totals(*row) for row in rows] for table, rows in found.items()}

        return self._run(read)

    def generation(self, event_id: str, account_id: int, *, near_ms: int | None = None) -> Generation | None:
        """Return one account's event by its id, None when it is not here; of several the latest.

        ``near_ms`` is the event's time, to `GENERATION_WITHIN_MS` each way, where the caller knows it: the look-up is
        then as quick in a large ledger as in a small one.
        """
        first_ms, last_ms = FIRST_TIME_MS, LAST_TIME_MS
        if near_ms is not None:
            first_ms = max(first_ms, near_ms - GENERATION_WITHIN_MS)
            last_ms = min(last_ms, near_ms + GENERATION_WITHIN_MS)
        parameters = {"id": event_id, "account_id": account_id, "first_ms": first_ms, "last_ms": last_ms}
        rows = self._ask("generation", parameters)
        return Generation(*rows[0]) if rows else None

    def key_usage(self, key_id: int, today: date) -> Spending:
        """Return what a key has cost so far; ``today`` is the UTC day."""
        parameters = {
            "key_id": key_id,
            "day": today,
            "week": today - timedelta(days=today.weekday()),
            "month": today.replace(day=1),
        }
        rows = self._ask("key_usage", parameters)
        return Spending(*rows[0])

    # --- upkeep ----------------------------------------------------------------------------------------------------
    #
    # Nothing may be inserted while one of these changes a month: a batch that is in some tables only must be complete
    # before, and the next one wait until after.

    def raw_months(self) -> list[int]:
        """Return the months with raw events, in order, as numbers: 202601 is January 2026."""
        return self._run(lambda: months_held(self._client, "usage"))

    def dropped_months(self) -> list[int]:
        """Return the months whose raw events were dropped for their age, in order; of these the rollups are all."""
        return self._run(lambda: months_dropped(self._client))

    def drop_raw_before(self, day: date) -> list[int]:
        """Drop the raw events of the months that end before this UTC day and return these months; rollups stay."""

        def drop() -> list[int]:
            old = [month for month in months_held(self._client, "usage") if last_of(month) < day]
            for month in old:
                drop_raw_month(self._client, month)
            return old

        return self._run(drop)

    def rebuild_month(self, month: int, today: date) -> None:
        """Rebuild one month of every rollup from its raw events; ``today`` is the UTC day.

        May be done any number of times. Then every day of the month is noted as changed. After a crash in the midst
        `finish_rebuilds` is due before anything is read.

        Raises:
            LedgerError: the month's raw events are not here any more: its rollups are all there is of it.

        """

        def rebuild() -> None:
            if month in months_dropped(self._client) or month not in months_held(self._client, "usage"):
                raise LedgerError(f"{month} has no raw events any more")
            days = days_with_rows(self._client, month)
            note_rebuild(self._client, month)
            for rollup in ROLLUPS:
                rebuild_rollup(self._client, rollup, month, today)
            self._client.insert("day_changes", [[day, 1] for day in days], column_names=["day", "changes"])
            note_rebuilt(self._client, month)

        self._run(rebuild)

    def finish_rebuilds(self, today: date) -> list[int]:
        """Rebuild the months again whose rebuilding a crash interrupted, and return them."""
        months = [month for month, _ in self._run(lambda: open_rebuilds(self._client))]
        for month in months:
            self.rebuild_month(month, today)
        return months

    def check_month(self, month: int, today: date) -> list[RollupCheck]:
        """Compare one month of every rollup with its raw events; ``today`` is the UTC day."""
        return self._run(lambda: [check_rollup(self._client, rollup, month, today) for rollup in ROLLUPS])

    def fill_new_rollups(self, today: date) -> list[str]:
        """Fill the rollups that a newer program has added, or widened, from the raw events that were there before.

        Returns their names; may be interrupted and called again. Views fill them from their making on.
        """

        def fill() -> list[str]:
            fresh = rollups_to_fill(self._client)
            for rollup in fresh:
                # Of a month whose raw events were dropped for their age, what is left of them is not all.
                dropped = set(months_dropped(self._client))
                for month in months_held(self._client, "usage"):
                    if month not in dropped:
                        rebuild_rollup(self._client, rollup, month, today)
                note_filled(self._client, rollup)
            return fresh

        return self._run(fill)

    def close(self) -> None:
        """Let go of the engine; no other method works afterwards."""
        if not self._closed:
            self._closed = True
            try:
                self._thread.submit(self._client.close).result()
            finally:
                self._thread.shutdown()

    # --- within ----------------------------------------------------------------------------------------------------

    def _ask(self, question: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        return self._answer(_query(question), parameters)

    def _answer(self, text: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return the rows that answer a caller's question, who waits ``timeout_s`` for his turn and the answer."""
        deadline = time.monotonic() + self._timeout_s

        def ask() -> Sequence[Sequence[Any]]:
            # The engine takes whole seconds: a query whose caller has given up ends soon after.
            left_s = max(math.ceil(deadline - time.monotonic()), 1)
            limits = {"max_execution_time": left_s, "timeout_overflow_mode": "throw"}
            return self._client.query(text, parameters=dict(parameters), settings=limits).result_rows

        return self._run(ask, self._timeout_s)

    def _run(self, call: Callable[[], Answer], within_s: float | None = None) -> Answer:
        try:
            answer = self._thread.submit(call)
        except RuntimeError as error:
            raise LedgerUnavailable("the ledger is closed") from error
        try:
            return answer.result(within_s)
        except TimeoutError as error:
            answer.cancel()
            raise self._late() from error
        except (ClickHouseError, OSError) as error:
            if within_s is not None and _TIMEOUT in str(error):
                raise self._late() from error
            raise LedgerUnavailable(f"the ledger did not answer: {_first_line(error)}") from error

    def _late(self) -> LedgerUnavailable:
        return LedgerUnavailable(f"the ledger did not answer within {self._timeout_s:g} s", within_s=self._timeout_s)

    def _migrate(self) -> list[str]:
        if self._applied() == [name for name, _ in _schema_files()]:
            return []  # and nothing to write, on a full disk for one
        self._client.command(
            Template(
                "CREATE TABLE IF NOT EXISTS schema_files (name String, applied DateTime DEFAULT now()) "
                "ENGINE = $merge_tree ORDER BY name"
            ).substitute(self._engines.names())
        )
        names = self._engines.names() | sums_of_views()
        applied, done = set(self._applied()), []
        if unknown := sorted(applied - {name for name, _ in _schema_files()}):
            raise LedgerOutdated(f"a newer program has applied {unknown[-1]} to the ledger")
        for name, text in _schema_files():
            if name in applied:
                continue
            # Every statement may be repeated, so a file interrupted half way is simply applied again.
            for statement in Template(text).substitute(names).split(";\n"):
                self._client.command(statement)
            self._client.insert("schema_files", [[name]], column_names=["name"])
            done.append(name)
        return done

    def _applied(self) -> list[str]:
        if not self._client.command("EXISTS TABLE schema_files"):
            return []
        return [
            row[0] for row in self._client.query("SELECT DISTINCT name FROM schema_files ORDER BY name").result_rows
        ]


def _connect(dsn: str, timeout_s: float) -> Client:
    if dsn.startswith(_EMBEDDED):
        return clickhouse_connect.get_client(dsn=dsn, chdb_options=_ENGINE)
    limits: dict[str, Any] = {"connect_timeout": max(math.ceil(timeout_s), 1), "send_receive_timeout": SILENT_S}
    asked = parse_qs(urlsplit(dsn).query)
    return clickhouse_connect.get_client(dsn=dsn, **{name: s for name, s in limits.items() if name not in asked})


def _whole(column: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    """Return a column that came in two: its low 62 bits, and the rest above them."""
    low, high = column[f"{name}_low"], column[f"{name}_high"]
    whole: NDArray[Any] = low.astype(object) + high.astype(object) * 2**62 if high.any() else low
    return whole


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:500]
