"""``/models/{model}``: one model over time, and the apps that use it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from tokenboard.analytics import Consumption, ModelAppRow, ModelApps, ModelDetail, Window
from tokenboard.ledger import NOTHING
from tokenboard.tables import Column, Kind, Table, instant
from tokenboard.web import filters
from tokenboard.web.charts import Drawing, Size, parts_by_day
from tokenboard.web.filters import Filter, FilterOption
from tokenboard.web.layout import Layout, Query, address, twins
from tokenboard.web.meta import of_span, of_window
from tokenboard.web.pages.models import chart_window
from tokenboard.web.pages.page import Page, PageResource, chart_resource
from tokenboard.web.pages.rankings import MOST_DAYS_SHOWN
from tokenboard.web.parameters import SIZE, SPAN, Parameter
from tokenboard.web.request import PageRequest, Span, changed, model_period, parse_span
from tokenboard.web.services import WebServices
from tokenboard.web.text import path_of
from tokenboard.web.view import PageNotFound, View

PATH = "/models/{model:path}"
CHART_PATH = "/charts/models/{model:path}.svg"
APPS = 50
MAX_NAME = 500
"""Longest name of a model that is looked for, in characters."""


class Tab(StrEnum):
    """The two halves of the page."""

    OVERVIEW = "overview"
    APPS = "apps"


_LABELS = {Tab.OVERVIEW: "Overview", Tab.APPS: "Apps"}


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day of the model, also one without use."""

    day: date
    figures: Consumption


def _view(services: WebServices, request: PageRequest) -> View:
    name = _name(request)
    span = parse_span(services, request, model_period(services, name))
    tab = request.choice("tab", Tab.OVERVIEW)
    detail = _find(services, name, span.window)
    query: Query = (*span.query, ("tab", "" if tab is Tab.OVERVIEW else tab.value))
    path = f"/models/{path_of(name)}"
    layout = Layout(
        title=f"Apps using {name}" if tab is Tab.APPS else name,
        description=_description(detail, span),
        address=address(path, query),
        section="models",
        as_of=detail.as_of,
        twins=twins(path, query),
        og_image=f"/share{path}.png",
    )
    context = {
        "model": detail,
        "span": span,
        "tab": tab.value,
        "tabs": Filter(
            "Parts of this page",
            tuple(
                FilterOption(
                    _LABELS[each],
                    address(path, changed(query, tab="" if each is Tab.OVERVIEW else each.value)),
                    each is tab,
                )
                for each in Tab
            ),
        ),
        "periods": filters.periods(path, query, span),
    }
    if tab is Tab.APPS:
        return _apps_view(services, layout, context, name, span)
    return _overview(services, layout, context, detail, span)


def _overview(
    services: WebServices, layout: Layout, context: Mapping[str, Any], detail: ModelDetail, span: Span
) -> View:
    drawn = _find(services, detail.model, chart_window(services, span.window))
    days = _days(drawn)
    more = {
        "days": days[::-1],
        "shows_days": len(days) <= MOST_DAYS_SHOWN,
        "chart": address(f"/charts/models/{path_of(detail.model)}.svg", span.query),
        "chart_title": _chart_title(drawn),
    }
    document = {
        "data": {
            **_model_document(detail),
            "daily": [{"date": each.day.isoformat(), **_figures(each.figures)} for each in _days(detail)],
        },
        "meta": of_span(span, detail.as_of),
    }
    return View(layout, "model.html", {**context, **more}, document=document, table=lambda: _days_table(detail))


def _apps_view(services: WebServices, layout: Layout, context: Mapping[str, Any], name: str, span: Span) -> View:
    apps = services.analytics.model_apps(name, span.window, APPS)
    if apps is None:
        raise PageNotFound(_unknown(name))
    detail: ModelDetail = context["model"]
    document = {
        "data": {**_model_document(detail), "apps": [_app_document(row) for row in apps.rows]},
        "meta": {
            **of_span(span, apps.as_of),
            "listed": apps.listed,
            "total_tokens": str(apps.all_traffic.tokens),
            "total_requests": apps.all_traffic.requests,
            "unlisted_tokens": str(apps.unlisted.tokens),
            "unlisted_requests": apps.unlisted.requests,
            "unattributed_tokens": str(apps.unattributed.tokens),
            "unattributed_requests": apps.unattributed.requests,
        },
    }
    more = {"apps": apps, "beyond": apps.listed - len(apps.rows)}
    return View(layout, "model_apps.html", {**context, **more}, document=document, table=lambda: _apps_table(apps))


def _name(request: PageRequest) -> str:
    name = str(request.parts["model"])
    if not name or len(name) > MAX_NAME:
        raise PageNotFound("No model of this name has answered here; /models lists those that have.")
    return name


def _find(services: WebServices, name: str, window: Window) -> ModelDetail:
    detail = services.analytics.model(name, window)
    if detail is None:
        raise PageNotFound(_unknown(name))
    return detail


def _unknown(name: str) -> str:
    shown = name if len(name) <= 100 else f"{name[:100]}…"
    return f"No model called {shown} has answered here; /models lists those that have."


def _days(detail: ModelDetail) -> tuple[Day, ...]:
    used = {each.day: each.figures for each in detail.days}
    window = detail.window
    return tuple(
        Day(day, used.get(day, NOTHING)) for day in (window.start + timedelta(days=at) for at in range(window.days))
    )


def _description(detail: ModelDetail, span: Span) -> str:
    place = f"#{detail.rank} of all models" if detail.rank is not None else "no tokens"
    return f"{detail.model}: {place}, {span.phrase}. Tokens over time, and the apps that use it."


def _chart_title(detail: ModelDetail) -> str:
    window = detail.window
    return f"Prompt and completion tokens per day of {detail.model}, {window.start} to {window.end}"


def _figures(figures: Consumption) -> dict[str, Any]:
    return {
        "total_tokens": str(figures.tokens),
        "prompt_tokens": str(figures.prompt),
        "completion_tokens": str(figures.completion),
        "cached_tokens": str(figures.cached),
        "reasoning_tokens": str(figures.reasoning),
        "total_requests": figures.requests,
        "failed_requests": figures.failed,
    }


def _model_document(detail: ModelDetail) -> dict[str, Any]:
    return {
        "model": detail.model,
        "author": detail.author,
        "rank": detail.rank,
        "previous_rank": detail.previous,
        "share": detail.share,
        **_figures(detail.total),
    }


def _app_document(row: ModelAppRow) -> dict[str, Any]:
    return {
        "app_id": row.app.app_id,
        "app_name": row.app.name,
        "url": row.app.url,
        "rank": row.rank,
        "overall_rank": row.overall_rank,
        "total_tokens": str(row.tokens),
        "total_requests": row.requests,
        "share": row.share,
    }


def _days_table(detail: ModelDetail) -> Table:
    return Table(
        columns=(
            Column("date", Kind.DAY),
            Column("model", Kind.TEXT),
            Column("total_tokens", Kind.BIG),
            Column("prompt_tokens", Kind.BIG),
            Column("completion_tokens", Kind.BIG),
            Column("cached_tokens", Kind.BIG),
            Column("reasoning_tokens", Kind.BIG),
            Column("total_requests", Kind.COUNT),
            Column("failed_requests", Kind.COUNT),
            Column("as_of", Kind.TIME),
        ),
        rows=[
            (
                each.day,
                detail.model,
                each.figures.tokens,
                each.figures.prompt,
                each.figures.completion,
                each.figures.cached,
                each.figures.reasoning,
                each.figures.requests,
                each.figures.failed,
                detail.as_of,
            )
            for each in _days(detail)
        ],
        meta=of_window(detail.window, detail.as_of),
    )


def _apps_table(apps: ModelApps) -> Table:
    return Table(
        columns=(
            Column("rank", Kind.COUNT),
            Column("app_id", Kind.COUNT),
            Column("app_name", Kind.TEXT),
            Column("url", Kind.TEXT),
            Column("model", Kind.TEXT),
            Column("total_tokens", Kind.BIG),
            Column("total_requests", Kind.COUNT),
            Column("share", Kind.RATIO),
            Column("overall_rank", Kind.COUNT),
            Column("start_date", Kind.DAY),
            Column("end_date", Kind.DAY),
            Column("as_of", Kind.TIME),
        ),
        rows=[
            (
                row.rank,
                row.app.app_id,
                row.app.name,
                row.app.url,
                apps.model,
                row.tokens,
                row.requests,
                row.share,
                row.overall_rank,
                apps.window.start,
                apps.window.end,
                apps.as_of,
            )
            for row in apps.rows
        ],
        meta={
            "as_of": instant(apps.as_of),
            "start_date": str(apps.window.start),
            "end_date": str(apps.window.end),
            "unlisted_tokens": str(apps.unlisted.tokens),
            "unattributed_tokens": str(apps.unattributed.tokens),
        },
    )


def _chart(services: WebServices, request: PageRequest, size: Size) -> Drawing:
    name = _name(request)
    window = chart_window(services, parse_span(services, request, model_period(services, name)).window)
    detail = _find(services, name, window)
    days = _days(detail)
    return parts_by_day(
        tuple(each.day for each in days),
        tuple(each.figures.prompt for each in days),
        tuple(each.figures.completion for each in days),
        size,
        title=_chart_title(detail),
    )


MODEL = Page(PATH, _view, (*SPAN, Parameter("tab", Tab.OVERVIEW)))
MODEL_CHART = PageResource(CHART_PATH, chart_resource(_chart), (*SPAN, SIZE))
