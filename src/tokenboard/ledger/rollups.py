"""The rollups' maintenance: rebuilt from raw events month by month, compared with them, and raw events dropped for age.

A rollup's sums are defined once, by `_sums`: for its view, and narrowed to a month to rebuild or check a partition,
or to a batch that a crash has left in pieces. Months are numbers: 202601 is January 2026. On a cluster each shard's
sums are of its own raw events, so that what is rebuilt lies where the views would have put it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from clickhouse_connect.driver.client import Client

from tokenboard.ledger.engines import Engines
from tokenboard.ledger.kinds import kind_columns
from tokenboard.ledger.sql import query_text

ROLLUPS: Mapping[str, str] = MappingProxyType(
    {"app_daily": "day", "app_model_daily": "day", "model_daily": "day", "app_hourly": "hour", "key_daily": "day"}
)
"""The rollups and the column that says when."""

FIGURES = ("requests", "failed", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "cost")
"""The figures of every rollup, in the order in which they are reported."""

SHOWN_DIFFERENCES = 10_000
"""Differences of one rollup and month that are reported one by one; of more, the number."""

_KINDS = kind_columns()
_FIRST_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "app_daily": ("day", "app_id"),
        "app_model_daily": ("day", "app_id", "model"),
        "model_daily": ("day", "model"),
        "app_hourly": ("hour", "app_id"),
        "key_daily": ("day", "key_id"),
    }
)  # those of the schema's 0009_batches
_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {rollup: (*keys, "writer") for rollup, keys in {**_FIRST_KEYS, "model_daily": ("day", "model", *_KINDS)}.items()}
)  # those of 0012_writers
_OF_RAW = MappingProxyType(
    {
        "day": "toDate(usage.ts)",
        "hour": "toStartOfHour(toDateTime(usage.ts, 'UTC'))",
        "app_id": "usage.app_id",
        "model": "usage.model",
        "key_id": "usage.key_id",
        "writer": "usage.writer",
        **_KINDS,
    }
)
_ADDED_LATER = ("key_daily", "model_daily")  # rollups that older ledgers lack, or hold without kinds
_HOURS_KEPT = timedelta(weeks=5)  # the TTL of app_hourly: what is older may be there or be gone
_FIRST_DAY = date(1970, 1, 1)
_OF_MONTH = "toYYYYMM(usage.ts) = {month:UInt32} AND toDate(usage.ts) >= {since:Date}"


@dataclass(frozen=True, slots=True)
class RollupDifference:
    """One key of one rollup (``at`` a UTC day or hour, as text) whose figures differ from what its raw events say.

    ``writer`` is whose events they are: 0 for those from before there were several writers. ``raw`` and ``held`` have
    one value for each of `FIGURES`; ``app_id``, ``model``, ``key_id`` and ``kind`` (context bucket, output, use of
    tools; '' is unknown) are None where the rollup does not go by them.
    """

    rollup: str
    at: str
    app_id: int | None
    model: str | None
    key_id: int | None
    raw: tuple[int | Decimal, ...]
    held: tuple[int | Decimal, ...]
    kind: tuple[str, ...] | None = None
    writer: int = 0


@dataclass(frozen=True, slots=True)
class RollupCheck:
    """One rollup in one month: the sums of `FIGURES` by raw events and by the rollup, and where they differ.

    ``differences`` are `SHOWN_DIFFERENCES` at most, by time; ``differing`` is how many there are.
    """

    rollup: str
    month: int
    raw: tuple[int | Decimal, ...]
    held: tuple[int | Decimal, ...]
    differing: int
    differences: tuple[RollupDifference, ...]


def first_of(month: int) -> date:
    """Return the first day of a month given by its number."""
    return date(month // 100, month % 100, 1)


def last_of(month: int) -> date:
    """Return the last day of a month given by its number."""
    return (first_of(month) + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def months_held(client: Client, engines: Engines, table: str) -> list[int]:
    """Return the months that have rows in a table, in order."""
    names = engines.names()
    rows = client.query(
        query_text("months_held", parts=names["parts"]), parameters={"table": table + names["local"]}
    ).result_rows
    return [int(month) for (month,) in rows]


def months_dropped(client: Client) -> list[int]:
    """Return the months whose raw events were dropped for their age, in order."""
    return [int(month) for (month,) in client.query(query_text("raw_dropped")).result_rows]


def drop_raw_month(client: Client, engines: Engines, month: int) -> None:
    """Drop a month's raw events and note it; the rollups keep theirs."""
    # Noted first: a month that is noted and still there is dropped again, one that is gone and not noted would be
    # taken for a month without usage.
    if month not in months_dropped(client):
        client.insert("raw_dropped", [[month]], column_names=["month"])
    _alter(client, engines, "usage", f"DROP PARTITION {month:d}")


def rebuild_rollup(client: Client, engines: Engines, rollup: str, month: int, today: date) -> None:
    """Rebuild one month of one rollup and put it in the place of the old partition.

    Readers find the old partition or the new one. A crash may leave both (the engine renames one directory after the
    other): then it is to be done again before anything is read. No event of the month may arrive meanwhile.
    """
    # One day more than is whole for sure: of that day, hours are still kept.
    since = _since(rollup, today - timedelta(days=1))
    if last_of(month) < since:
        return
    names = engines.names()
    fresh = f"{rollup}_rebuilt"
    local, on = names["local"], names["on"]
    _drop(client, engines, fresh)
    client.command(f"CREATE TABLE {fresh}{local}{on} AS {rollup}{local}")
    for statement in engines.covers(fresh):
        client.command(statement)
    for shard in range(engines.shards):
        of_shard, there = engines.on_shard(shard)
        text = insert_sums(fresh, rollup=rollup, which=f"{_OF_MONTH} AND {of_shard}")
        client.command(text, parameters={"month": month, "since": since}, settings=there)
    for statement in engines.caught_up(fresh):
        client.command(statement)
    if months_held(client, engines, fresh):
        _alter(client, engines, rollup, f"REPLACE PARTITION {month:d} FROM {fresh}{local}")
    else:
        _alter(client, engines, rollup, f"DROP PARTITION {month:d}")
    _drop(client, engines, fresh)


def _drop(client: Client, engines: Engines, table: str) -> None:
    names = engines.names()
    for each in dict.fromkeys((table, table + names["local"])):  # what lies over it first
        client.command(f"DROP TABLE IF EXISTS {each}{names['on']} SYNC")


def _alter(client: Client, engines: Engines, table: str, change: str) -> None:
    names = engines.names()
    client.command(f"ALTER TABLE {table}{names['local']}{names['on']} {change}")


def days_with_rows(client: Client, month: int) -> list[date]:
    """Return the UTC days of a month that the raw events or the figures per app know."""
    days = "SELECT toDate(ts) AS day FROM usage WHERE toYYYYMM(ts) = {month:UInt32}"
    known = "SELECT day FROM app_daily WHERE toYYYYMM(day) = {month:UInt32}"
    rows = client.query(
        f"SELECT DISTINCT day FROM ({days} UNION ALL {known}) ORDER BY day",  # noqa: S608 - constants
        parameters={"month": month},
    ).result_rows
    return [day for (day,) in rows]


def insert_sums(table: str, *, rollup: str, which: str) -> str:
    """Return the statement that sums the raw events of a condition into a table made as this rollup."""
    keys = _KEYS[rollup]
    return f"INSERT INTO {table} ({', '.join((*keys, *FIGURES, 'batch'))}) {_sums(keys, which)}"


def sums_of_views(engines: Engines) -> dict[str, str]:
    """Return the SELECTs of views by the names that schema files call them: each rollup's first, and later ones."""
    which, source = "NOT usage.summed_apart", f"usage{engines.names()['local']} AS usage"
    first = {f"{rollup}_sums": _sums(keys, which, source) for rollup, keys in _FIRST_KEYS.items()}
    by_kind = {"model_daily_sums_by_kind": _sums(("day", "model", *_KINDS), which, source)}
    return first | by_kind | {f"{rollup}_sums_by_writer": _sums(keys, which, source) for rollup, keys in _KEYS.items()}


def check_rollup(client: Client, rollup: str, month: int, today: date) -> RollupCheck:
    """Compare one month of one rollup with its raw events; of hours only those of the last weeks, which are kept."""
    keys = _KEYS[rollup]
    bucket = ROLLUPS[rollup]
    parameters = {"month": month, "since": _since(rollup, today), "limit": SHOWN_DIFFERENCES}
    text = query_text(
        "rollup_differences",
        from_raw=_sums(keys, _OF_MONTH),
        rollup=rollup,
        bucket=bucket,
        keys=", ".join(keys),
        shown_app=next((key for key in keys if key in {"app_id", "key_id"}), "NULL"),
        shown_model="model" if "model" in keys else "NULL",
        shown_kind=f"[{', '.join(f'toString({name})' for name in _KINDS if name in keys)}]",
    )
    rows = client.query(text, parameters=parameters).result_rows
    kept = (
        f"SELECT * FROM {rollup} "  # noqa: S608 - our own tables' names
        f"WHERE toYYYYMM({bucket}) = {{month:UInt32}} AND toDate({bucket}) >= {{since:Date}}"
    )
    raw, held = (
        _figures(client.query(query_text("month_totals", rows=rows_of), parameters=parameters).result_rows[0])
        for rows_of in (_sums(keys, _OF_MONTH), kept)
    )
    differences = tuple(_difference(rollup, row) for row in rows)
    return RollupCheck(rollup, month, raw, held, int(rows[0][-1]) if rows else 0, differences)


def rollups_to_fill(client: Client) -> list[str]:
    """Return the rollups that were added to a ledger in use and do not have its older events, or their kinds, yet."""
    filled = {name for (name,) in client.query("SELECT name FROM rollups_filled").result_rows}
    return [rollup for rollup in _ADDED_LATER if rollup not in filled]


def note_filled(client: Client, rollup: str) -> None:
    """Note that a rollup has all events."""
    client.insert("rollups_filled", [[rollup]], column_names=["name"])


def _sums(keys: Sequence[str], which: str, source: str = "usage") -> str:
    """Return the SELECT of a rollup's rows (its keys, `FIGURES` and the batch) over the raw events of a condition."""
    return query_text(
        "rollup_sums",
        keys=", ".join(f"{_OF_RAW[key]} AS {key}" for key in keys),
        names=", ".join(keys),
        source=source,
        which=which,
    )


def _since(rollup: str, today: date) -> date:
    """Return the first day from which a rollup holds whole days for sure."""
    return today - _HOURS_KEPT + timedelta(days=1) if rollup == "app_hourly" else _FIRST_DAY


def _difference(rollup: str, row: Sequence[Any]) -> RollupDifference:
    at, writer, who, model, kind, raw_counts, held_counts, raw_cost, held_cost, _ = row
    by_key = "key_id" in _KEYS[rollup]
    number = None if who is None else int(who)
    return RollupDifference(
        rollup=rollup,
        at=str(at),
        app_id=None if by_key else number,
        model=None if model is None else str(model),
        key_id=number if by_key else None,
        raw=_figures((*raw_counts, raw_cost)),
        held=_figures((*held_counts, held_cost)),
        kind=tuple(kind) or None,
        writer=int(writer),
    )


def _figures(row: Sequence[Any]) -> tuple[int | Decimal, ...]:
    return (*map(int, row[:-1]), Decimal(row[-1]))
