"""Many events as the columns of one table: a field a column, in the ledger's types."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from tokenboard.event import Source, UsageEvent

COST_UNIT = Decimal("1e-12")
"""A cost is rounded to so many USD, half to even: the ledger's twelve places."""

COST_LIMIT = Decimal(10) ** 16
"""What every cost is below, in USD, so that sums of billions of them fit the ledger's 38 digits."""

COLUMNS: Mapping[str, pa.DataType] = MappingProxyType(
    {
        "id": pa.string(),
        "ts_ms": pa.int64(),
        "received_ms": pa.int64(),
        "source": pa.string(),
        "account_id": pa.uint32(),
        "key_id": pa.uint32(),
        "app_key": pa.string(),
        "reason": pa.string(),
        "title": pa.string(),
        "categories": pa.string(),  # joined by line feeds, which no category holds
        "model": pa.string(),
        "provider": pa.string(),
        "endpoint": pa.string(),
        "streamed": pa.bool_(),
        "status": pa.uint16(),
        "failed": pa.bool_(),
        "usage_source": pa.string(),
        "prompt_tokens": pa.uint64(),
        "completion_tokens": pa.uint64(),
        "cached_tokens": pa.uint64(),
        "reasoning_tokens": pa.uint64(),
        "cost": pa.decimal128(38, 12),
        "latency_ms": pa.uint32(),
        "first_token_ms": pa.uint32(),
        "tool_calls": pa.bool_(),
    }
)
"""The fields of `UsageEvent` in their order, with the type of each one's column."""

SCHEMA = pa.schema(list(COLUMNS.items()))

MISFITS = (ValueError, OverflowError, TypeError, InvalidOperation, pa.ArrowException)
"""What making a table raises when a value fits no column."""

_UINT32_MAX = 2**32 - 1


def table_of(events: Sequence[UsageEvent]) -> pa.Table:
    """Return events as a table, in order.

    Raises:
        ValueError: a value does not fit its column; or another of `MISFITS`.

    """
    rows = [msgspec.structs.astuple(event) for event in events]
    return event_table(dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(COLUMNS, ()))


def event_table(values: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Return a table of events out of equally long columns of what `UsageEvent` has in these fields.

    A cost is rounded to `COST_UNIT`; durations are clamped to what fits, as they are no part of any sum.

    Raises:
        ValueError: a value does not fit its column; or another of `MISFITS`.

    """
    return pa.table([_column(name, values[name], kind) for name, kind in COLUMNS.items()], schema=SCHEMA)


def events_of(table: pa.Table) -> Iterator[UsageEvent]:
    """Yield the table's events, in order."""
    for row in table.to_pylist():
        row["source"] = Source(row["source"])
        row["categories"] = tuple(row["categories"].split("\n")) if row["categories"] else ()
        yield UsageEvent(**row)


def _column(name: str, values: Sequence[Any], kind: pa.DataType) -> "pa.Array[Any]":
    if name == "categories":
        return _categories(values, kind)
    if name == "cost":
        return _costs(values, kind)
    return _durations(values, kind) if name.endswith("_ms") and kind == pa.uint32() else pa.array(values, kind)


def _categories(values: Sequence[tuple[str, ...]], kind: pa.DataType) -> "pa.Array[Any]":
    return pa.array(["\n".join(value) if value else "" for value in values], kind)


def _costs(values: Sequence[Decimal | None], kind: pa.DataType) -> "pa.Array[Any]":
    try:
        costs = pa.array(values, kind)
    except pa.ArrowInvalid:
        # Some have more places than are kept.
        costs = pa.array([None if cost is None else _rounded(cost) for cost in values], kind)
    if costs.null_count != sum(cost is None for cost in values):
        raise ValueError("a cost is no number")
    bounds = pc.min_max(costs).as_py()
    if bounds["min"] is not None and not 0 <= bounds["min"] <= bounds["max"] < COST_LIMIT:
        raise ValueError("a cost is negative or too large")
    return costs


def _rounded(cost: Decimal) -> Decimal:
    if not (cost.is_finite() and cost >= 0):
        raise ValueError("a cost is negative or no number")
    return cost.quantize(COST_UNIT, ROUND_HALF_EVEN)


def _durations(values: Sequence[int | None], kind: pa.DataType) -> "pa.Array[Any]":
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, OverflowError):
        return pa.array([None if value is None else min(max(value, 0), _UINT32_MAX) for value in values], kind)
