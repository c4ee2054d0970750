"""The ledger's client: schema, idempotent inserts, the questions asked of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from clickhouse_connect.driver.client import Client
from numpy.typing import NDArray

from tokenboard.ledger.address import Address, parse_dsn
from tokenboard.ledger.analyst import Analyst
from tokenboard.ledger.batches import SETTLED_S, UNOWNED, Attempts, BatchId, BatchWriter, last_batch
from tokenboard.ledger.columns import FIRST_TIME_MS, LAST_TIME_MS, Rows
from tokenboard.ledger.connections import Connections
from tokenboard.ledger.engines import SINGLE_NODE, Cluster, Engines
from tokenboard.ledger.errors import LedgerError, LedgerMisplaced
from tokenboard.ledger.faults import end_at_once
from tokenboard.ledger.generation import Generation
from tokenboard.ledger.holds import GRACE_S, Holder, refuse_while_held
from tokenboard.ledger.inspection import Finding, inspect
from tokenboard.ledger.migration import check_schema, migrate
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
    rebuild_rollup,
    rollups_to_fill,
)
from tokenboard.ledger.spending import Spending
from tokenboard.ledger.sql import query_text as _query

TIMEOUT_S: Final = 30.0
"""How long a caller waits for the answer to a question, and anybody for a connection to a server, in seconds."""

GENERATION_WITHIN_MS: Final = 60_000
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
    """Usage in ClickHouse: embedded (``chdb:///folder``), a server (``clickhouse://…``) or a ``cluster`` of them.

    The embedded engine allows one process per folder and one folder per process. Every call runs on a thread the ledger
    owns (the engine releases the GIL meanwhile), so methods block and are safe from any thread. What a caller waits
    for, the questions of ``analyst``, `generation` and `key_usage`, is given up after ``timeout_s``. ``password`` is
    the one for a DSN without. ``settled_s`` and ``grace_s`` are waited for what other attempts, and other writers, may
    still be at.

    Raises:
        LedgerUnavailable: from any method, when the engine does not answer or refuses a statement.
        LedgerMisplaced: the DSN leads nowhere, or the server knows no such cluster.

    """

    def __init__(
        self,
        dsn: str,
        *,
        cluster: str = "",
        password: str = "",
        timeout_s: float = TIMEOUT_S,
        settled_s: float = SETTLED_S,
        grace_s: float = GRACE_S,
        engines: Engines | None = None,
    ) -> None:
        address = parse_dsn(dsn, password=password)
        self.engines = engines or _engines(address, cluster, timeout_s)
        self._connections = Connections(address, timeout_s, self.engines.settings)
        if address.embedded:
            end_at_once()
        self._attempts = Attempts(settled_s)
        self._database, self._cluster = address.database, cluster
        self._grace_s = grace_s
        self.analyst = Analyst(lambda question, parameters: self._connections.ask(_query(question), parameters))

    def inspect(self) -> list[Finding]:
        """Return what is found of the server, or the cluster; nothing of the embedded engine, which is this program."""
        return list(inspect(self._connections, self._database, self._cluster)) if self.shared else []

    @property
    def shared(self) -> bool:
        """Whether others may write to it too."""
        return not self._connections.embedded

    # --- schema ----------------------------------------------------------------------------------------------------

    def migrate(self) -> list[str]:
        """Apply the schema files not applied yet, in order, and return their names.

        Raises:
            LedgerOutdated: the ledger has files applied that this program does not know; nothing was changed.

        """
        return self._connections.run(lambda client: migrate(client, self.engines))

    def check(self) -> None:
        """Make sure the schema is the one this program writes.

        Raises:
            LedgerOutdated: a file is missing in the ledger, or one is there that this program does not know.

        """
        self._connections.run(check_schema)

    # --- the board's side ------------------------------------------------------------------------------------------

    def board(self) -> str | None:
        """Return the id of the board that the ledger belongs to, None before one was set."""
        rows = self._connections.run(lambda client: client.query(_query("board")).result_rows)
        return str(rows[0][0]) if rows else None

    def join_board(self, board: str) -> None:
        """Make the ledger one of this board's."""
        self._connections.run(lambda client: client.insert("board", [[board]], column_names=["id"]))

    def ids(self) -> tuple[set[int], set[int]]:
        """Return the ids of all apps and of all keys that the sums hold, 0 for none among them."""
        apps, keys = (self._ask(question) for question in ("app_ids", "key_ids"))
        return {int(row[0]) for row in apps}, {int(row[0]) for row in keys}

    def highest_ids(self) -> tuple[int, int, int]:
        """Return the highest ids of apps, keys and accounts in the raw events; reads three columns of all of them."""
        ((app_id, key_id, account_id),) = self._ask("highest_ids")
        return int(app_id), int(key_id), int(account_id)

    # --- the drain's side ------------------------------------------------------------------------------------------

    def last_batch(self, writer: int) -> int:
        """Return the number of a writer's last batch that is in every table, 0 when there is none.

        What was written before there were several writers counts as everybody's.
        """
        return self._connections.run(lambda client: last_batch(client, self.engines, {writer, UNOWNED}))

    def insert(self, batch: BatchId, rows: Rows, *, fresh: bool = False) -> None:
        """Write one fixed batch to the raw table and every rollup: once, however often it is called.

        Its number is greater than that of every batch its writer wrote before. A batch that was interrupted half way
        is completed by calling again with the same number and rows, before any other of this writer. ``fresh`` says
        that it was never tried, and saves asking which of it is there.

        Raises:
            TwoWriters: another program writes as this writer.

        """
        if not rows.days:
            return
        if self.shared:
            self._connections.run(lambda client: refuse_while_held(client, batch.writer))
        BatchWriter(self._connections, self.engines, self._attempts, batch, rows).write(fresh=fresh)

    # --- the readers' side -----------------------------------------------------------------------------------------

    def day_changes(self) -> dict[date, int]:
        """Return for every UTC day with usage a number that grows whenever the day's figures have changed.

        On a cluster it grows once more when every replica has the change: what was read from one behind is read again.
        """
        text = _query("day_changes", change_number=self.engines.names()["change_number"])
        rows = self._connections.run(lambda client: client.query(text).result_rows)
        return {day: int(changes) for day, changes in rows}

    def read_days(self, days: Collection[date] | None = None) -> DayRows:
        """Return the figures of these UTC days (None: of all), sorted by day and app."""
        parameters = {"all_days": days is None, "days": sorted(days or ())}

        def read(client: Client) -> DayRows:
            table = client.query_arrow(_query("read_days"), parameters=parameters)
            column = {name: table.column(name).to_numpy() for name in table.column_names}
            return DayRows(
                column["day_number"].astype(np.int32),
                column["app_id"],
                column["requests"],
                **{name: _whole(column, name) for name in ("tokens", "prompt", "cached", "reasoning")},
            )

        return self._connections.run(read)

    def totals(self) -> dict[str, list[Totals]]:
        """Return the sums per UTC day, by table (raw and rollups): they agree unless something is wrong."""

        def read(client: Client) -> dict[str, list[Totals]]:
            found = {"usage": client.query(_query("totals_usage")).result_rows}
            for rollup, bucket in ROLLUPS.items():
                found[rollup] = client.query(_query("totals_rollup", rollup=rollup, bucket=bucket)).result_rows
            return {table: [Totals(*row) for row in rows] for table, rows in found.items()}

        return self._connections.run(read)

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
    # Nothing of this writer may be inserted while one of these changes a month: a batch that is in some tables only
    # must be complete before, and the next one wait until after. Other writers are held meanwhile.

    def raw_months(self) -> list[int]:
        """Return the months with raw events, in order, as numbers: 202601 is January 2026."""
        return self._connections.run(lambda client: months_held(client, self.engines, "usage"))

    def dropped_months(self) -> list[int]:
        """Return the months whose raw events were dropped for their age, in order; of these the rollups are all."""
        return self._connections.run(months_dropped)

    def drop_raw_before(self, day: date) -> list[int]:
        """Drop the raw events of the months that end before this UTC day and return these months; rollups stay."""
        old = [month for month in self.raw_months() if last_of(month) < day]
        for month in old:
            self._connections.run(lambda client, month=month: drop_raw_month(client, self.engines, month))  # type: ignore[misc]
        return old

    def rebuild_month(self, month: int, today: date, *, writer: int = UNOWNED) -> None:
        """Rebuild one month of every rollup from its raw events, as ``writer``; ``today`` is the UTC day.

        May be done any number of times. Then every day of the month is noted as changed. After a crash in the midst
        `finish_rebuilds` is due before anything is read.

        Raises:
            LedgerError: the month's raw events are not here any more: its rollups are all there is of it.
            LedgerUnavailable: another writer is rebuilding.

        """
        if month in self.dropped_months() or month not in self.raw_months():
            raise LedgerError(f"{month} has no raw events any more")
        with self._holder(writer).holding(month):
            days = self._connections.run(lambda client: days_with_rows(client, month))
            self._rebuild(tuple(ROLLUPS), month, today)
            noted = [[day, 1, writer] for day in days]
            names = ["day", "changes", "writer"]
            self._connections.run(lambda client: client.insert("day_changes", noted, column_names=names))

    def finish_rebuilds(self, today: date, *, writer: int = UNOWNED) -> list[int]:
        """Rebuild the months again whose rebuilding a crash of this writer interrupted, or an abandoned one's did.

        Returns them.
        """
        holder = self._holder(writer)
        due = holder.due()
        for rebuild in due:
            holder.take_over(rebuild)
            self.rebuild_month(rebuild.month, today, writer=writer)
        return [rebuild.month for rebuild in due]

    def check_month(self, month: int, today: date) -> list[RollupCheck]:
        """Compare one month of every rollup with its raw events; ``today`` is the UTC day.

        A batch of another writer that comes in meanwhile may show as a difference: look again.
        """

        def check(client: Client) -> list[RollupCheck]:
            for table in ("usage", *ROLLUPS):
                for statement in self.engines.caught_up(table):
                    client.command(statement)
            return [check_rollup(client, rollup, month, today) for rollup in ROLLUPS]

        return self._connections.run(check)

    def fill_new_rollups(self, today: date, *, writer: int = UNOWNED) -> list[str]:
        """Fill the rollups that a newer program has added, or widened, from the raw events that were there before.

        Returns their names; may be interrupted and called again. Views fill them from their making on.
        """
        fresh = self._connections.run(rollups_to_fill)
        for rollup in fresh:
            # Of a month whose raw events were dropped for their age, what is left of them is not all.
            for month in sorted(set(self.raw_months()) - set(self.dropped_months())):
                with self._holder(writer).holding(month):
                    self._rebuild((rollup,), month, today)
            self._connections.run(lambda client, rollup=rollup: note_filled(client, rollup))  # type: ignore[misc]
        return fresh

    def close(self) -> None:
        """Let go of the engine; no other method works afterwards."""
        self._connections.close()

    # --- within ----------------------------------------------------------------------------------------------------

    def _ask(self, question: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        return self._connections.ask(_query(question), parameters or {})

    def _holder(self, writer: int) -> Holder:
        return Holder(self._connections, self.engines, writer, self._grace_s)

    def _rebuild(self, rollups: Sequence[str], month: int, today: date) -> None:
        def rebuild(client: Client) -> None:
            for rollup in rollups:
                rebuild_rollup(client, self.engines, rollup, month, today)

        self._connections.run(rebuild)


def _engines(address: Address, cluster: str, timeout_s: float) -> Engines:
    """Return the engines of one node, or of a cluster with as many shards as its servers say."""
    if not cluster:
        return SINGLE_NODE
    if address.embedded:
        raise LedgerMisplaced("[ledger] cluster goes with a clickhouse:// dsn: the embedded engine is alone")
    connections = Connections(address, timeout_s, {})
    try:
        rows = connections.ask(_query("shards"), {"cluster": cluster})
    finally:
        connections.close()
    shards = int(rows[0][0])
    if not shards:
        raise LedgerMisplaced(f"the server knows no cluster {cluster}: it names them in system.clusters")
    return Cluster(cluster, shards, address.database)


def _whole(column: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    """Return a column that came in two: its low 62 bits, and the rest above them."""
    low, high = column[f"{name}_low"], column[f"{name}_high"]
    whole: NDArray[Any] = low.astype(object) + high.astype(object) * 2**62 if high.any() else low
    return whole
