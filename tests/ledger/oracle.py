"""What the ledger must hold, added up row by row in plain Python; and what it does hold, asked table by table."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from tests.events import DAY_MS
from tokenboard.event import UsageEvent
from tokenboard.ledger import Ledger

HOUR_MS = 3_600_000

BUCKETS = ((1_000, "1K"), (10_000, "10K"), (100_000, "100K"), (1_000_000, "1M"))


def kind_of(event: UsageEvent) -> tuple[str, str, str]:
    """Return the context bucket, the output and the use of tools, '' where unknown."""
    bucket = ""
    if event.prompt_tokens is not None:
        bucket = next((name for most, name in BUCKETS if event.prompt_tokens <= most), "10M")
    output = "text" if event.endpoint or event.completion_tokens else ""
    if event.endpoint == "embeddings":
        output = "vectors"
    return bucket, output, {None: "", True: "called", False: "none"}[event.tool_calls]


Figures = tuple[int, int, int, int, int, int, Decimal]
"""requests, failed, prompt, completion, cached, reasoning, cost"""

KEYS: Mapping[str, tuple[str, Callable[[UsageEvent, int], tuple[Any, ...]]]] = {
    "usage": (
        "toInt64(toUnixTimestamp(toStartOfDay(ts))) * 1000, app_id, model",
        lambda event, app: (event.ts_ms // DAY_MS * DAY_MS, app, event.model),
    ),
    "app_daily": ("toInt64(toUInt16(day))", lambda event, app: (event.ts_ms // DAY_MS, app)),
    "app_model_daily": ("toInt64(toUInt16(day))", lambda event, app: (event.ts_ms // DAY_MS, app, event.model)),
    "model_daily": (
        "toInt64(toUInt16(day))",
        lambda event, app: (event.ts_ms // DAY_MS, event.model, *kind_of(event)),
    ),
    "app_hourly": ("toInt64(toUnixTimestamp(hour))", lambda event, app: (event.ts_ms // HOUR_MS * 3600, app)),
    "key_daily": ("toInt64(toUInt16(day))", lambda event, app: (event.ts_ms // DAY_MS, event.key_id)),
}
"""Per table: its time as a number (and for the raw table its whole key), and the key of an event."""

_REST = {
    "usage": "",
    "app_daily": ", app_id",
    "app_model_daily": ", app_id, model",
    "model_daily": ", model, context_bucket, output, tool_use",
    "app_hourly": ", app_id",
    "key_daily": ", key_id",
}
_COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")


def expected(table: str, rows: Iterable[tuple[UsageEvent, int]]) -> dict[tuple[Any, ...], Figures]:
    """Add up these events, each with its app id, under the table's key."""
    sums: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0, 0, 0, 0, 0, 0, Decimal(0)])
    key = KEYS[table][1]
    for event, app in rows:
        figures = sums[key(event, app)]
        figures[1 if event.failed else 0] += 1
        for place, name in enumerate(_COUNTS, 2):
            figures[place] += getattr(event, name) or 0
        figures[6] += event.cost or 0
    return {key: tuple(figures) for key, figures in sums.items()}


def held(ledger: Ledger, table: str) -> dict[tuple[Any, ...], Figures]:
    """Return what the table holds under its key."""
    keys = KEYS[table][0] + _REST[table]
    if table == "usage":
        counted = "countIf(NOT failed), countIf(failed)"
        sums = [f"sum(toUInt128(ifNull({name}, 0)))" for name in _COUNTS] + ["sum(ifNull(cost, 0))"]
    else:
        counted = "sum(requests), sum(failed)"
        sums = [f"sum({name})" for name in (*_COUNTS, "cost")]
    width = keys.count(",") + 1
    rows = ask(ledger, f"SELECT {keys}, {counted}, {', '.join(sums)} FROM {table} GROUP BY ALL")
    return {tuple(row[:width]): tuple(row[width:]) for row in rows}


def ask(ledger: Ledger, sql: str) -> list[tuple[Any, ...]]:
    """Ask the engine anything."""
    if sql.lstrip("( \n").upper().startswith(("SELECT", "WITH", "SHOW", "EXISTS", "EXPLAIN")):
        return [tuple(row) for row in ledger._connections.run(lambda client: client.query(sql).result_rows)]
    ledger._connections.run(lambda client: client.command(sql))
    return []
