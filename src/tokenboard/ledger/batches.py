"""A batch into the raw table and every rollup: each month of each table in one step, and once.

    rows ─▶ usage ─▶ summed from there: app_daily · app_model_daily · model_daily · app_hourly · key_daily
                  ─▶ last of all: day_changes

The engine writes one month of one table whole or not at all, and nothing larger: of a batch that a crash interrupted
some months of some tables are there. The row that says so is the row that holds the figures: its ``batch``. So before a
batch is written again each table is asked which months of it it has, and is given the others.

The engine's own memory of what it was given (``insert_deduplication_token``) is a second guard, for a server that still
works on what its client gave up on. Alone it would not do: a token is written down before the rows it stands for, so a
crash in between makes the engine take rows for known that it does not have; and it is not synced, so a power cut makes
it forget tokens of rows that it has.
"""

from collections.abc import Callable, Collection
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from numpy.typing import NDArray

from tokenboard.ledger.columns import Rows
from tokenboard.ledger.rollups import ROLLUPS, insert_sums
from tokenboard.ledger.sql import insert_row_lists, query_text

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
    "async_insert": 0,
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
        for table in ("usage", *ROLLUPS):
            self._complete(table, fresh=fresh)
        if fresh or self._run(lambda: last_batch(self._client)) < self._number:
            noted = [[day, 1, self._number] for day in self._rows.days]
            self._run(lambda: insert_row_lists(self._client, "day_changes", ("day", "changes", "batch"), noted))

    def _complete(self, table: str, *, fresh: bool) -> None:
        token = f"{self._number}-{table}"
        if fresh:
            self._write(table, self._months, token)
            return
        if missing := self._missing(table):
            self._write(table, missing, token)
        if missing and (missing := self._missing(table)):
            # It takes them for known: it noted the token and went down before it had the rows.
            self._write(table, missing, f"{token}-{uuid4()}")

    def _write(self, table: str, months: Collection[int], token: str) -> None:
        settings = _ONE_PIECE | {"insert_deduplication_token": token}
        if table == "usage":
            rows = self._raw_rows(months)
            self._run(lambda: self._client.insert_arrow("usage", rows, settings=settings))
        else:
            text = insert_sums(table, rollup=table, which=_OF_BATCH)
            parameters = self._about | {"months": sorted(months)}
            self._run(lambda: self._client.command(text, parameters=parameters, settings=settings))

    def _raw_rows(self, months: Collection[int]) -> pa.Table:
        table = self._rows.table
        if set(months) != self._months:
            table = table.take(pa.array(np.flatnonzero(np.isin(self._month_of_row, list(months))))).combine_chunks()
        return table.append_column("batch", pa.array(np.full(table.num_rows, self._number, np.uint64)))

    def _missing(self, table: str) -> set[int]:
        text = (
            query_text("raw_months_of_batch")
            if table == "usage"
            else query_text("rollup_months_of_batch", rollup=table, bucket=ROLLUPS[table])
        )
        held = self._run(lambda: self._client.query(text, parameters=self._about).result_rows)
        return self._months - {int(month) for (month,) in held}


def last_batch(client: Client) -> int:
    """Return the number of the last batch that is in every table, 0 when none is."""
    return int(client.query(query_text("last_batch")).result_rows[0][0])


def _months(times_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the UTC month of each time as a number: 202601 is January 2026."""
    since_1970: NDArray[np.int64] = times_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    return (1970 + since_1970 // 12) * 100 + since_1970 % 12 + 1


def _day(time_ms: int) -> date:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date()
