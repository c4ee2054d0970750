"""Usage events as the columns of one insert."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from tokenboard.event import UsageEvent

_COST_UNIT = Decimal("1e-12")
_COST = pa.decimal128(38, 12)
_TIME = pa.timestamp("ms", "UTC")
_EPOCH = date(1970, 1, 1)
_DAY_MS = 86_400_000
_MISFITS = (ValueError, OverflowError, TypeError, InvalidOperation, pa.ArrowException)
_UINT32_MAX = 2**32 - 1
_REASON = 200  # characters of a library's complaint

FIRST_TIME_MS, LAST_TIME_MS = 0, 4_291_747_200_000 - 1
"""The times an event may have, inclusive: 1970 to 2105. Beyond, the columns of days and hours would take another day's
number without a word; they end early in 2106, and the hourly figures' end is five weeks later than themselves."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One batch ready to be inserted: the table's columns, the UTC days it touches, and what would not fit, with why.

    ``refused`` maps positions of the events given to the reason they were left out.
    """

    table: pa.Table
    days: tuple[date, ...]
    refused: Mapping[int, str]


def arrange_rows(events: Sequence[UsageEvent], app_ids: Sequence[int], reasons: Sequence[str | None]) -> Rows:
    """Arrange events as columns; an event with a value that fits no column is left out and named."""
    refused: dict[int, str] = {}
    try:
        table = usage_columns(events, app_ids, reasons)
    except _MISFITS:
        for position, event in enumerate(events):
            try:
                usage_columns([event], [app_ids[position]], [reasons[position]])
            except _MISFITS as error:
                refused[position] = f"does not fit the ledger: {str(error)[:_REASON] or type(error).__name__}"
        kept = [position for position in range(len(events)) if position not in refused]
        events = [events[position] for position in kept]
        table = usage_columns(events, [app_ids[at] for at in kept], [reasons[at] for at in kept])
    days = sorted({event.ts_ms // _DAY_MS for event in events})
    return Rows(table, tuple(_EPOCH + timedelta(days=day) for day in days), refused)


def usage_columns(events: Sequence[UsageEvent], app_ids: Sequence[int], reasons: Sequence[str | None]) -> pa.Table:
    """Return one Arrow table with a row per event, in the order and types of the table ``usage``.

    Raises:
        ValueError: a value does not fit its column (as do OverflowError, TypeError, decimal.InvalidOperation and
            pyarrow.ArrowException).

    """
    return pa.table(
        {
            "id": pa.array([event.id for event in events], pa.string()),
            "ts": _times([event.ts_ms for event in events]),
            "received": _times([event.received_ms for event in events]),
            "source": pa.array([event.source.value for event in events], pa.string()),
            "account_id": pa.array([event.account_id for event in events], pa.uint32()),
            "key_id": pa.array([event.key_id for event in events], pa.uint32()),
            "app_id": pa.array(app_ids, pa.uint32()),
            "reason": pa.array([reason or "" for reason in reasons], pa.string()),
            "model": pa.array([event.model for event in events], pa.string()),
            "provider": pa.array([event.provider for event in events], pa.string()),
            "endpoint": pa.array([event.endpoint for event in events], pa.string()),
            "streamed": pa.array([event.streamed for event in events], pa.bool_()),
            "status": pa.array([event.status for event in events], pa.uint16()),
            "failed": pa.array([event.failed for event in events], pa.bool_()),
            "usage_source": pa.array([event.usage_source for event in events], pa.string()),
            "prompt_tokens": pa.array([event.prompt_tokens for event in events], pa.uint64()),
            "completion_tokens": pa.array([event.completion_tokens for event in events], pa.uint64()),
            "cached_tokens": pa.array([event.cached_tokens for event in events], pa.uint64()),
            "reasoning_tokens": pa.array([event.reasoning_tokens for event in events], pa.uint64()),
            "cost": pa.array([_cost(event.cost) for event in events], _COST),
            "latency_ms": pa.array([_milliseconds(event.latency_ms) for event in events], pa.uint32()),
            "first_token_ms": pa.array([_milliseconds(event.first_token_ms) for event in events], pa.uint32()),
        }
    )


def _times(times: list[int]) -> "pa.Array[Any]":
    if times and not FIRST_TIME_MS <= min(times) <= max(times) <= LAST_TIME_MS:
        raise ValueError("a time is before 1970 or after 2105")
    return pa.array(times, _TIME)


def _cost(cost: Decimal | None) -> Decimal | None:
    if cost is None:
        return None
    if not (cost.is_finite() and cost >= 0):
        raise ValueError("a cost is negative or no number")
    return cost.quantize(_COST_UNIT, ROUND_HALF_EVEN)


def _milliseconds(duration: int | None) -> int | None:
    return None if duration is None else min(max(duration, 0), _UINT32_MAX)
