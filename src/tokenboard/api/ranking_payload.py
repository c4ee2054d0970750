"""A ranking of apps as a payload: the five fields of OpenRouter's Data API, and the extras that were asked for."""

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tokenboard.api.formats import Payload
from tokenboard.query import Window
from tokenboard.rankings import Answer, Extra, Figures, Question, RankedApp, Totals
from tokenboard.tables import Column, Kind, Table, instant

VERSION = "v1"
"""Version of the datasets, as in ``meta.version``."""

_BASE = (
    Column("app_id", Kind.COUNT),
    Column("app_name", Kind.TEXT),
    Column("rank", Kind.COUNT),
    Column("total_requests", Kind.COUNT),
    Column("total_tokens", Kind.BIG),
)
_EXTRA_COLUMNS: dict[Extra, tuple[Column, ...]] = {
    Extra.URL: (Column("url", Kind.TEXT),),
    Extra.CATEGORIES: (Column("categories", Kind.LIST),),
    Extra.SPLIT: tuple(
        Column(name, Kind.BIG) for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
    ),
    Extra.TREND: (
        *(Column(f"trend_{name}", Kind.BIG) for name in ("window", "baseline_1", "baseline_2", "baseline_3")),
        Column("trend_excess_times_three", Kind.BIG),
        Column("trend_growth", Kind.RATIO),
    ),
    Extra.HISTORY: (Column("history", Kind.LIST),),
    Extra.PREVIOUS: (Column("previous_rank", Kind.COUNT),),
    Extra.TOTALS: (),
}


def ranking_payload(answer: Answer, question: Question, extras: Collection[Extra]) -> Payload:
    """Return the payload of an answer; extras come in a fixed order, whatever the order they were asked in."""
    window, asked = question.window, [extra for extra in Extra if extra in extras]
    meta = meta_of(window, answer.as_of)
    if Extra.TOTALS in extras:
        meta["totals"] = totals_of(answer.ranking.totals)
    columns = [*_BASE, *(column for extra in asked for column in _EXTRA_COLUMNS[extra])]
    rows = answer.ranking.rows
    return Payload(
        name=f"app-rankings_{window.start}_{window.end}",
        data=[_as_object(row, window, asked) for row in rows],
        meta=meta,
        table=Table(tuple(columns), [_as_cells(row, asked) for row in rows], table_meta(meta)),
    )


def meta_of(window: Window, as_of: datetime) -> dict[str, Any]:
    """Return what every dataset says of itself."""
    return {
        "as_of": instant(as_of),
        "end_date": window.end.isoformat(),
        "start_date": window.start.isoformat(),
        "version": VERSION,
    }


def table_meta(meta: dict[str, Any]) -> dict[str, str]:
    """Return the part of a meta that is plain text: what goes into a Parquet file."""
    return {name: value for name, value in meta.items() if isinstance(value, str)}


def totals_of(totals: Totals) -> dict[str, Any]:
    """Return all traffic and its three shares."""
    return {
        "all": figures_of(totals.all_traffic),
        "listed": figures_of(totals.listed),
        "unlisted": figures_of(totals.unlisted),
        "unattributed": figures_of(totals.unattributed),
    }


def figures_of(figures: Figures) -> dict[str, Any]:
    """Return tokens and requests; tokens as a decimal string, as everywhere in the Data API."""
    return {"total_requests": figures.requests, "total_tokens": str(figures.tokens)}


def _as_object(row: RankedApp, window: Window, extras: list[Extra]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "app_id": row.app_id,
        "app_name": row.name,
        "rank": row.rank,
        "total_requests": row.requests,
        "total_tokens": str(row.tokens),
    }
    for extra in extras:
        found |= _extra_object(row, window, extra)
    return found


def _extra_object(row: RankedApp, window: Window, extra: Extra) -> dict[str, Any]:
    match extra:
        case Extra.URL:
            return {"url": row.url}
        case Extra.CATEGORIES:
            return {"categories": row.categories or ()}
        case Extra.SPLIT if row.split:
            cells = zip(_EXTRA_COLUMNS[extra], _extra_cells(row, extra), strict=True)
            return {"split": {column.name: str(value) for column, value in cells}}
        case Extra.TREND if row.trend:
            trend = row.trend
            return {
                "trend": {
                    "window": str(trend.window),
                    "baselines": [str(each) for each in trend.baselines],
                    "excess": _decimal(trend.excess),
                    "excess_times_three": str(trend.excess_times_three),
                    "growth": _ratio(trend.growth),
                }
            }
        case Extra.HISTORY:
            days = (window.start + timedelta(days=day) for day in range(window.days))
            history = zip(days, row.history or (), strict=True)
            return {"history": [{"date": day.isoformat(), "total_tokens": str(tokens)} for day, tokens in history]}
        case Extra.PREVIOUS:
            return {"previous_rank": row.previous}
        case _:
            return {}


def _as_cells(row: RankedApp, extras: list[Extra]) -> list[Any]:
    cells: list[Any] = [row.app_id, row.name, row.rank, row.requests, row.tokens]
    for extra in extras:
        cells += _extra_cells(row, extra)
    return cells


def _extra_cells(row: RankedApp, extra: Extra) -> list[Any]:
    match extra:
        case Extra.URL:
            return [row.url]
        case Extra.CATEGORIES:
            return [row.categories or ()]
        case Extra.SPLIT if row.split:
            return [row.split.prompt, row.split.completion, row.split.cached, row.split.reasoning]
        case Extra.TREND if row.trend:
            trend = row.trend
            return [trend.window, *trend.baselines, trend.excess_times_three, _ratio(trend.growth)]
        case Extra.HISTORY:
            return [[str(tokens) for tokens in row.history or ()]]
        case Extra.PREVIOUS:
            return [row.previous]
        case _:
            return []


def _decimal(value: Fraction) -> str:
    """Write a number of thirds as a decimal, exact where that is possible, else to six places."""
    if value.denominator == 1:
        return str(value.numerator)
    whole, rest = divmod(abs(value), 1)
    sixths = round(rest * 10**6)
    return f"{'-' if value < 0 else ''}{whole}.{sixths:06d}"


def _ratio(value: Fraction | None) -> float | None:
    return None if value is None else float(Decimal(value.numerator) / Decimal(value.denominator))
