"""Usage events as the columns of one insert."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tokenboard.event import UsageEvent
from tokenboard.event_table import MISFITS, table_of

_TIME = pa.timestamp("ms", "UTC")
_EPOCH = date(1970, 1, 1)
_DAY_MS = 86_400_000
_REASON = 200  # characters of a library's complaint

FIRST_TIME_MS, LAST_TIME_MS = 0, 4_291_747_200_000 - 1
"""The times an event may have, inclusive: 1970 to 2105. Beyond, the columns of days and hours would take another day's
number silently; they end early in 2106, and the hourly figures' end is five weeks later than themselves."""

OUT_OF_TIME = "does not fit the ledger: a time is before 1970 or after 2105"
"""Why an event whose time has no place is left out."""

_OF_EVENT = MappingProxyType({"ts": "ts_ms", "received": "received_ms"})
_COLUMNS = (
    "id", "ts", "received", "source", "account_id", "key_id", "app_id", "reason", "model", "provider", "endpoint",
    "streamed", "status", "failed", "usage_source", "prompt_tokens", "completion_tokens", "cached_tokens",
    "reasoning_tokens", "cost", "latency_ms", "first_token_ms", "tool_calls",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rows:
    """One batch ready to be inserted: the table's columns, and the UTC days it touches, in order."""

    table: pa.Table
    days: tuple[date, ...]


def fit_events(events: Sequence[UsageEvent]) -> tuple[pa.Table, dict[int, str]]:
    """Return those of the events that fit as a table of events, and the positions of the others, each with why."""
    refused: dict[int, str] = {}
    try:
        return table_of(events), refused
    except MISFITS:
        for position, event in enumerate(events):
            try:
                table_of([event])
            except MISFITS as error:
                refused[position] = f"does not fit the ledger: {str(error)[:_REASON] or type(error).__name__}"
    return table_of([event for position, event in enumerate(events) if position not in refused]), refused


def misfit_times(table: pa.Table) -> NDArray[np.int64]:
    """Return the positions of the events of a table whose own time, or that of their arrival, has no place."""
    outside = np.zeros(table.num_rows, np.bool_)
    for name in _OF_EVENT.values():
        times = table.column(name).to_numpy()
        outside |= (times < FIRST_TIME_MS) | (times > LAST_TIME_MS)
    return np.flatnonzero(outside)


def arrange_table(table: pa.Table, app_ids: NDArray[np.int64], reasons: "pa.Array[Any]") -> Rows:
    """Return a table of events, all of which fit, as the rows of one insert.

    ``app_ids`` has one app a row, 0 for none; ``reasons`` says why none, or null. Equal events make equal rows,
    whatever pieces the table came in: the whole is one piece, which is what the ledger knows again.

    Raises:
        ValueError: an app id is no 32-bit number.

    """
    if app_ids.size and not 0 <= int(app_ids.min()) <= int(app_ids.max()) < 2**32:
        raise ValueError("an app id is no 32-bit number")
    columns = {name: table.column(_OF_EVENT.get(name, name)) for name in _COLUMNS if name != "app_id"}
    columns["ts"], columns["received"] = columns["ts"].cast(_TIME), columns["received"].cast(_TIME)
    columns["app_id"] = pa.array(app_ids.astype(np.uint32))
    columns["reason"] = pc.fill_null(reasons, "")
    days = np.unique(table.column("ts_ms").to_numpy() // _DAY_MS).tolist()
    rows = pa.table({name: columns[name] for name in _COLUMNS}).combine_chunks()
    return Rows(rows, tuple(_EPOCH + timedelta(days=day) for day in days))
