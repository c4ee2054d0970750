"""A batch into the raw table and every rollup: each piece of each table once, one month of it on one shard.

    rows ─▶ usage ─▶ views sum them: app_daily · app_model_daily · model_daily · app_hourly · key_daily
         ─▶ last of all: day_changes

The engine writes a piece whole or not at all, and nothing larger: of a batch that a crash interrupted some pieces are
there. The row that says so is the row that holds the figures: its ``writer`` and ``batch``. So before a batch is
written again each table is asked which pieces of it it has, and is given the others.

    still at work on an earlier attempt? ─▶ later
    within the memory that replicas share ─▶ all of it, with its token: exact, whichever node fails
    nothing of it there ─▶ all of it, with its token, in case the earlier attempt was only late
    some of it there, and nothing new for a while ─▶ the missing pieces

The engine's memory of what it was given (``insert_deduplication_token``) is never all there is. On one node a token is
noted before the rows it stands for are there, so a crash in between makes the engine take rows for known that it does
not have; and the note is not synced, so a power cut makes it forget tokens of rows that it has. Replicas note token and
rows in one transaction of Keeper, for a week.
"""

import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple
from uuid import uuid4

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from numpy.typing import NDArray

from tokenboard.ledger.analyst import HOURS_KEPT_DAYS
from tokenboard.ledger.columns import Rows
from tokenboard.ledger.connections import SILENT_S, Connections
from tokenboard.ledger.engines import Engines
from tokenboard.ledger.errors import LedgerUnavailable, TwoWriters
from tokenboard.ledger.rollups import ROLLUPS, insert_sums
from tokenboard.ledger.sql import query_text

UNOWNED: Final = 0
"""The writer of all rows from before there were several."""

SETTLED_S: Final = 15.0
"""How long after the last attempt at a batch, or after the start, pieces of it may still come in, in seconds."""

_ONE_PIECE: Final = {
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
_SOON_S: Final = 3_600  # rows that go within the hour may be gone by the server's clock
_OF_BATCH: Final = (
    "usage.writer = {writer:UInt64} AND usage.batch = {batch:UInt64} "
    "AND has({months:Array(UInt32)}, toYYYYMM(usage.ts)) AND usage.ts BETWEEN "
    "fromUnixTimestamp64Milli({first_ms:Int64}) AND fromUnixTimestamp64Milli({last_ms:Int64})"
)


class BatchId(NamedTuple):
    """Which batch: whose, and the number he gave it, in microseconds since 1970 or more."""

    writer: int
    number: int


class Piece(NamedTuple):
    """What a table takes at once: one month (202601 is January 2026) on one shard, counted from 0."""

    shard: int
    month: int


class Attempts:
    """When batches were last tried in this process; what is known of attempts before it is that they are older."""

    def __init__(self, settled_s: float) -> None:
        self._settled_s = settled_s
        self._began = time.monotonic()
        self._last: tuple[BatchId, float] | None = None

    def tried(self, batch: BatchId) -> None:
        """Note that an attempt at a batch ends now."""
        self._last = (batch, time.monotonic())

    def unsettled_s(self, batch: BatchId) -> float:
        """Return for how long pieces of an earlier attempt at a batch may still come in, in seconds; 0: none will."""
        since = self._last[1] if self._last is not None and self._last[0] == batch else self._began
        return max(since + self._settled_s - time.monotonic(), 0.0)


class BatchWriter:
    """Writes one batch; each statement is a call of its own, so that readers of an embedded engine come in between."""

    def __init__(
        self, connections: Connections, engines: Engines, attempts: Attempts, batch: BatchId, rows: Rows
    ) -> None:
        self._connections = connections
        self._engines = engines
        self._attempts = attempts
        self._batch = batch
        self._rows = rows
        times = rows.table.column("ts").cast(pa.int64()).to_numpy()
        self._month_of_row = _months(times)
        self._shard_of_row = rows.table.column("app_id").to_numpy().astype(np.int64) % engines.shards
        pairs = _pairs(self._shard_of_row, self._month_of_row)
        self._pieces = pairs
        self._times = times
        self._about = {
            "writer": batch.writer,
            "batch": batch.number,
            "first_ms": int(times.min()),
            "last_ms": int(times.max()),
            "first_day": _day(int(times.min())),
            "last_day": _day(int(times.max())),
        }

    def write(self, *, fresh: bool) -> None:
        """Write what is not there yet; ``fresh`` says that nothing is, without asking.

        Raises:
            LedgerUnavailable: some of it may be there; to be called again.
            TwoWriters: the ledger has a later batch of this writer.

        """
        if fresh:
            self._send()
        else:
            self._again()
        if fresh or self._last() < self._batch.number:
            noted = [[day, 1, self._batch.number, self._batch.writer] for day in self._rows.days]
            names = ["day", "changes", "batch", "writer"]
            self._connections.run(lambda client: client.insert("day_changes", noted, column_names=names))

    def _again(self) -> None:
        if not self._connections.embedded:
            self._wait_for_nobody()
        if self._is_remembered():
            self._send()
            return
        for table in ("usage", *ROLLUPS):
            for statement in self._engines.caught_up(table):
                self._connections.run(lambda client, text=statement: client.command(text))  # type: ignore[misc]
        missing = self._missing()
        if missing and self._last() > self._batch.number:
            raise TwoWriters("the ledger has a later batch of this board than the one it is about to complete")
        if missing and all(missing.get(table, set()) == self._wanted(table) for table in ("usage", *ROLLUPS)):
            self._send()
            missing = self._missing()
        elif missing and not self._connections.embedded and (wait_s := self._attempts.unsettled_s(self._batch)):
            raise LedgerUnavailable(
                f"a batch is partly there, and an earlier attempt may still come in: completed in {wait_s:.0f} s"
            )
        for table, pieces in missing.items():
            self._complete(table, pieces)

    def _wait_for_nobody(self) -> None:
        text = query_text("attempts", processes=self._engines.names()["processes"])
        asked = {"attempts": self._query_id("")}
        rows = self._connections.run(lambda client: client.query(text, parameters=asked).result_rows)
        if rows[0][0]:
            raise LedgerUnavailable("the ledger is still at work on an earlier attempt at this batch")

    def _is_remembered(self) -> bool:
        """Whether replicas know for certain what they have of the batch, by its token: half of that time is left."""
        return time.time() - self._batch.number / 1e6 < self._engines.exact_tokens_s / 2

    def _last(self) -> int:
        return self._connections.run(lambda client: last_batch(client, self._engines, {self._batch.writer}))

    def _query_id(self, attempt: str) -> str:
        return f"tokenboard-{self._batch.writer}-{self._batch.number}-{attempt}"

    def _settings(self, token: str) -> dict[str, Any]:
        settings = _ONE_PIECE | {"insert_deduplication_token": token}
        if self._connections.embedded:
            return settings
        # A driver that hears of progress waits for ever: the server ends what takes so long.
        return settings | {"query_id": self._query_id(uuid4().hex), "max_execution_time": SILENT_S}

    def _send(self) -> None:
        settings = self._settings(f"{self._batch.writer}-{self._batch.number}")
        rows = self._raw_rows(self._pieces, summed_apart=False)
        try:
            self._connections.run(lambda client: client.insert_arrow("usage", rows, settings=settings))
        finally:
            self._attempts.tried(self._batch)

    def _complete(self, table: str, pieces: set[Piece]) -> None:
        """Write these pieces to one table; the raw table comes first, as the sums are taken from there."""
        for shard in sorted({piece.shard for piece in pieces}):
            months = {piece.month for piece in pieces if piece.shard == shard}
            try:
                self._complete_on(table, shard, months)
            finally:
                self._attempts.tried(self._batch)

    def _complete_on(self, table: str, shard: int, months: set[int]) -> None:
        of_shard, there = self._engines.on_shard(shard)
        settings = self._settings(f"{self._batch.writer}-{self._batch.number}-{uuid4()}") | there
        if table == "usage":
            rows = self._raw_rows({Piece(shard, month) for month in months}, summed_apart=True)
            self._connections.run(lambda client: client.insert_arrow("usage", rows, settings=settings))
        else:
            text = insert_sums(table, rollup=table, which=f"{_OF_BATCH} AND {of_shard}")
            parameters = self._about | {"months": sorted(months)}
            self._connections.run(lambda client: client.command(text, parameters=parameters, settings=settings))

    def _raw_rows(self, pieces: set[Piece], *, summed_apart: bool) -> pa.Table:
        table = self._rows.table
        if pieces != self._pieces:
            chosen = np.zeros(table.num_rows, np.bool_)
            for shard, month in pieces:
                chosen |= (self._shard_of_row == shard) & (self._month_of_row == month)
            table = table.take(pa.array(np.flatnonzero(chosen))).combine_chunks()
        rows = table.num_rows
        table = table.append_column("batch", pa.array(np.full(rows, self._batch.number, np.uint64)))
        table = table.append_column("writer", pa.array(np.full(rows, self._batch.writer, np.uint64)))
        return table.append_column("summed_apart", pa.array(np.full(rows, summed_apart, np.bool_)))

    def _missing(self) -> dict[str, set[Piece]]:
        """Return the pieces of this batch that tables lack, by table, the raw table first."""
        missing = {table: self._wanted(table) - self._held(table) for table in ("usage", *ROLLUPS)}
        return {table: pieces for table, pieces in missing.items() if pieces}

    def _wanted(self, table: str) -> set[Piece]:
        """Return the pieces that a table must have by now: figures by hour are kept for some weeks only."""
        if table != "app_hourly":
            return self._pieces
        kept = self._times >= int((time.time() + _SOON_S) * 1000) - HOURS_KEPT_DAYS * 86_400_000
        return _pairs(self._shard_of_row[kept], self._month_of_row[kept])

    def _held(self, table: str) -> set[Piece]:
        text = (
            query_text("raw_pieces_of_batch")
            if table == "usage"
            else query_text("rollup_pieces_of_batch", rollup=table, bucket=ROLLUPS[table])
        )
        held = self._connections.run(lambda client: client.query(text, parameters=self._about).result_rows)
        # A table that is not spread has no number of a shard: 0, where others count from 1.
        return {Piece(max(int(shard) - 1, 0), int(month)) for shard, month in held}


def last_batch(client: Client, engines: Engines, writers: set[int]) -> int:
    """Return the number of the last batch of these writers that is in every table, 0 when none is."""
    parameters: Mapping[str, Any] = {"writers": sorted(writers)}
    text = query_text("last_batch", all_day_changes=engines.names()["all_day_changes"])
    return int(client.query(text, parameters=dict(parameters)).result_rows[0][0])


def _pairs(shards: NDArray[np.int64], months: NDArray[np.int64]) -> set[Piece]:
    pairs = np.unique(np.stack([shards, months]), axis=1)
    return {Piece(int(shard), int(month)) for shard, month in pairs.T.tolist()}


def _months(times_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the UTC month of each time as a number: 202601 is January 2026."""
    since_1970: NDArray[np.int64] = times_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    return (1970 + since_1970 // 12) * 100 + since_1970 % 12 + 1


def _day(time_ms: int) -> date:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date()
