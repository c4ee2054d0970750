"""A batch into the raw table and every rollup: each month of each table once.

    rows ─▶ usage ─▶ views sum them: app_daily · app_model_daily · model_daily · app_hourly · key_daily
         ─▶ last of all: day_changes

The engine writes one month of one table whole or not at all, and nothing larger: of a batch that a crash interrupted
some months of some tables are there. The row that says so is the row that holds the figures: its ``batch``. So before a
batch is written again each table is asked which months of it it has, and is given the others.

The engine's own memory of what it was given (``insert_deduplication_token``) is exact as long as the engine lives:
which is what it takes with a server that still works on what its client gave up on. Beyond, it is not: a token is noted
before the rows it stands for are there, so a crash in between makes the engine take rows for known that it does not
have; and the note is not synced, so a power cut makes it forget tokens of rows that it has.
"""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from numpy.typing import NDArray

from tokenboard.ledger.columns import Rows
from tokenboard.ledger.rollups import ROLLUPS, insert_sums
from tokenboard.ledger.sql import query_text

Answer = TypeVar("Answer")
Run = Callable[[Callable[[], Answer]], Answer]

_ONE_PIECE = {
    # One block of rows a month and table, whatever their number: a part, which is written whole or not at all.
    "max_insert_block_size": 100_000_000,
    "min_insert_block_size_rows": 100_000_000,
    "min_insert_block_size_bytes": 0,
    "max_block_size": 100_000_000,
    "max_insert_threads": 1,
    "max_threads": 1,
    "group_by_two_level_threshold": 0,
    "group_by_two_level_threshold_bytes": 0,
    "max_partitions_per_insert_block": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "async_insert": 0,  # deduplication in views does not hold for asynchronous inserts
}
_OF_BATCH = (
    "usage.batch = {batch:UInt64} AND has({months:Array(UInt32)}, toYYYYMM(usage.ts)) AND usage.ts BETWEEN "
    "fromUnixTimestamp64Milli({first_ms:Int64}) AND fromUnixTimestamp64Milli({last_ms:Int64})"
)


class BatchWriter:
    """Writes one batch; ``run`` takes each statement to the engine's thread, so that readers come in between."""

    def __init__(self, client: Client, run: "Run[Any]", number: int, rows: Rows) -> None:
        self._client = client
        self._run = run
        self._number = number
        self._rows = rows
        times = rows.table.column("ts").cast(pa.int64()).to_numpy()
        self._month_of_row = _months(times)
        self._months = set(np.unique(self._month_of_row).tolist())
        self._about = {
            "batch": number,
            "first_ms": int(times.min()),
            "last_ms": int(times.max()),
            "first_day": _day(int(times.min())),
            "last_day": _day(int(times.max())),
        }

    def write(self, *, fresh: bool) -> None:
        """Write what is not there yet; ``fresh`` says that nothing is, without asking."""
        if fresh:
            self._send()
        elif missing := self._missing():
            if self._known_to_the_engine():
                self._send()
                missing = self._missing()
            for table, months in missing.items():
                self._complete(table, months)
        if fresh or self._run(lambda: last_batch(self._client)) < self._number:
            noted = [[day, 1, self._number] for day in self._rows.days]
            self._run(lambda: self._client.insert("day_changes", noted, column_names=["day", "changes", "batch"]))

    def _known_to_the_engine(self) -> bool:
        """Whether the engine lives since before the batch got its number, which is the time in microseconds."""
        lives_s = int(self._run(lambda: self._client.query("SELECT uptime()").result_rows[0][0]))
        return lives_s >= time.time() - self._number / 1e6

    def _send(self) -> None:
        rows = self._raw_rows(self._months, summed_apart=False)
        settings = _ONE_PIECE | {"insert_deduplication_token": str(self._number)}
        self._run(lambda: self._client.insert_arrow("usage", rows, settings=settings))

    def _complete(self, table: str, months: set[int]) -> None:
        """Write these months to one table; the raw table comes first, as the sums are taken from there."""
        settings = _ONE_PIECE | {"insert_deduplication_token": f"{self._number}-{uuid4()}"}
        if table == "usage":
            rows = self._raw_rows(months, summed_apart=True)
            self._run(lambda: self._client.insert_arrow("usage", rows, settings=settings))
        else:
            text = insert_sums(table, rollup=table, which=_OF_BATCH)
            parameters = self._about | {"months": sorted(months)}
            self._run(lambda: self._client.command(text, parameters=parameters, settings=settings))

    def _raw_rows(self, months: set[int], *, summed_apart: bool) -> pa.Table:
        table = self._rows.table
        if months != self._months:
            table = table.take(pa.array(np.flatnonzero(np.isin(self._month_of_row, list(months))))).combine_chunks()
        rows = table.num_rows
        table = table.append_column("batch", pa.array(np.full(rows, self._number, np.uint64)))
        return table.append_column("summed_apart", pa.array(np.full(rows, summed_apart, np.bool_)))

    def _missing(self) -> dict[str, set[int]]:
        """Return the months of this batch that tables lack, by table, the raw table first."""
        missing = {table: self._months - self._held(table) for table in ("usage", *ROLLUPS)}
        return {table: months for table, months in missing.items() if months}

    def _held(self, table: str) -> set[int]:
        text = (
            query_text("raw_months_of_batch")
            if table == "usage"
            else query_text("rollup_months_of_batch", rollup=table, bucket=ROLLUPS[table])
        )
        held = self._run(lambda: self._client.query(text, parameters=self._about).result_rows)
        return {int(month) for (month,) in held}


def last_batch(client: Client) -> int:
    """Return the number of the last batch that is in every table, 0 when none is."""
    return int(client.query(query_text("last_batch")).result_rows[0][0])


def _months(times_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the UTC month of each time as a number: 202601 is January 2026."""
    since_1970: NDArray[np.int64] = times_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    return (1970 + since_1970 // 12) * 100 + since_1970 % 12 + 1


def _day(time_ms: int) -> date:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date()
