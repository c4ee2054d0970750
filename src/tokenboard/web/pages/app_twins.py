"""The twins of one app's page: the same figures, exact."""

from typing import Any

from tokenboard.analytics import AppDetail, AppPlacement, AppUsage, Consumption, HourPattern, RankPoint
from tokenboard.tables import Column, Kind, Table, instant
from tokenboard.web.meta import as_text, of_span
from tokenboard.web.pages.app_use import DailyUse
from tokenboard.web.request import Span, as_day


def app_document(
    detail: AppDetail,
    span: Span,
    usage: AppUsage,
    daily: DailyUse,
    hours: HourPattern,
    places: tuple[RankPoint, ...],
) -> dict[str, Any]:
    """Return the JSON twin."""
    app = detail.app
    return {
        "data": {
            "app_id": app.app_id,
            "name": app.name,
            "url": app.url,
            "categories": app.categories,
            "first_seen": instant(app.first_seen),
            "last_seen": as_day(detail.last_day) if detail.last_day else None,
            "today": _placement(detail.today),
            **{period.value: _placement(placement) for period, placement in detail.placements.items()},
            "total": _figures(usage.total),
            "models": [
                {"model": share.model, "share": share.share, **_figures(share.figures)} for share in usage.models
            ],
            "daily": {
                "days": [as_day(day) for day in daily.days],
                "models": [{"model": model, "total_tokens": as_text(values)} for model, values in daily.models],
                "requests": daily.requests,
                "prompt_tokens": as_text(daily.prompt),
                "completion_tokens": as_text(daily.completion),
                "cached_tokens": as_text(daily.cached),
                "reasoning_tokens": as_text(daily.reasoning),
                "rank": [point.rank for point in places],
            },
            "hours": {
                "start_date": as_day(hours.window.start),
                "end_date": as_day(hours.window.end),
                "cells": [
                    {
                        "weekday": cell.weekday,
                        "hour": cell.hour,
                        "total_tokens": str(cell.tokens),
                        "total_requests": cell.requests,
                    }
                    for cell in hours.cells
                ],
            },
        },
        "meta": {
            **of_span(span, detail.as_of),
            "left_out": "requests that named another app, or none; failed requests have no tokens",
        },
    }


def _placement(placement: AppPlacement) -> dict[str, Any]:
    return {
        "start_date": as_day(placement.window.start),
        "end_date": as_day(placement.window.end),
        "rank": placement.rank,
        "listed": placement.listed,
        "total_tokens": str(placement.tokens),
        "total_requests": placement.requests,
    }


def _figures(figures: Consumption) -> dict[str, Any]:
    return {
        "total_tokens": str(figures.tokens),
        "total_requests": figures.requests,
        "prompt_tokens": str(figures.prompt),
        "completion_tokens": str(figures.completion),
        "cached_tokens": str(figures.cached),
        "reasoning_tokens": str(figures.reasoning),
    }


def app_table(detail: AppDetail, usage: AppUsage) -> Table:
    """Return the use by day and model: the table behind the page; a model of None sums those not named."""
    return Table(
        columns=(
            Column("date", Kind.DAY),
            Column("app_id", Kind.COUNT),
            Column("name", Kind.TEXT),
            Column("model", Kind.TEXT),
            Column("total_tokens", Kind.BIG),
            Column("total_requests", Kind.COUNT),
            Column("prompt_tokens", Kind.BIG),
            Column("completion_tokens", Kind.BIG),
            Column("cached_tokens", Kind.BIG),
            Column("reasoning_tokens", Kind.BIG),
            Column("start_date", Kind.DAY),
            Column("end_date", Kind.DAY),
            Column("as_of", Kind.TIME),
        ),
        rows=[
            (
                point.start.date(),
                detail.app.app_id,
                detail.app.name,
                point.model,
                point.figures.tokens,
                point.figures.requests,
                point.figures.prompt,
                point.figures.completion,
                point.figures.cached,
                point.figures.reasoning,
                usage.window.start,
                usage.window.end,
                detail.as_of,
            )
            for point in usage.points
        ],
        meta={
            "as_of": instant(detail.as_of),
            "start_date": as_day(usage.window.start),
            "end_date": as_day(usage.window.end),
        },
    )
