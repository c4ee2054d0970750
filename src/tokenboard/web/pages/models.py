"""``/models``: which models are used most, the days of the top nine, and the market share of their authors."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tokenboard.analytics import Authors, ModelPage, Window
from tokenboard.query import ParameterError
from tokenboard.tables import Column, Kind, Table, instant
from tokenboard.web import filters
from tokenboard.web.charts import Drawing, Series, Share, Size, shares, stacked_days
from tokenboard.web.layout import Layout, Query, address, twins
from tokenboard.web.meta import as_text, of_span
from tokenboard.web.numbers import top_of
from tokenboard.web.pages.page import Page, PageResource, chart_resource
from tokenboard.web.pages.rankings import MOST_DAYS_SHOWN, SPARK_DAYS, window_to
from tokenboard.web.parameters import OFFSET, SEARCH, SIZE, SPAN
from tokenboard.web.request import PageRequest, Span, changed, parse_board_span
from tokenboard.web.services import WebServices
from tokenboard.web.view import View

PATH = "/models"
CHART_PATH = "/charts/models.svg"
AUTHORS_PATH = "/charts/authors.svg"
ROWS = 30
BARS = 9
AUTHORS = 8
"""Authors that the chart of market shares names; the others are one bar together."""

MOST_OFFSET = 100_000
_OTHER = "other"  # what the daily rankings call the models beyond a day's first fifty


@dataclass(frozen=True, slots=True)
class ModelBar:
    """One model's tokens of each day of a chart."""

    model: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelsDaily:
    """The top models of a window day by day, and all others together, each as long as ``days``."""

    days: tuple[date, ...]
    bars: tuple[ModelBar, ...]
    other: tuple[int, ...]
    window: Window


def models_daily(services: WebServices, window: Window, top: int = BARS) -> ModelsDaily:
    """Return the days of the ``top`` models of a window; their sums are those of the models' ranking."""
    analytics = services.analytics
    named = [row.model for row in analytics.models(window, limit=top).rows]
    by_model: dict[str, dict[date, int]] = {model: {} for model in named}
    whole: dict[date, int] = {}
    cut: set[date] = set()
    for row in analytics.rankings_daily(window).rows:
        whole[row.day] = whole.get(row.day, 0) + row.tokens
        if row.model in by_model:
            by_model[row.model][row.day] = row.tokens
        elif row.model == _OTHER:
            cut.add(row.day)
    for model, found in by_model.items():
        # Beyond the first fifty of a day a model is part of that day's rest: its own days have the figures.
        if not cut <= found.keys() and (detail := analytics.model(model, window)) is not None:
            found.update((each.day, each.figures.tokens) for each in detail.days)
    days = tuple(window.start + timedelta(days=day) for day in range(window.days))
    bars = tuple(ModelBar(model, tuple(by_model[model].get(day, 0) for day in days)) for model in named)
    other = tuple(whole.get(day, 0) - sum(by_model[model].get(day, 0) for model in named) for day in days)
    return ModelsDaily(days, bars, other, window)


def chart_window(services: WebServices, window: Window) -> Window:
    """Return the days that a page about a window draws: 30 at least, as one or seven make no picture."""
    return window if window.days >= SPARK_DAYS else window_to(window.end, SPARK_DAYS, services.floor)


def _view(services: WebServices, request: PageRequest) -> View:
    span = parse_board_span(services, request)
    search = request.search()
    offset = request.number("offset", 0, 0, MOST_OFFSET)
    query: Query = (*span.query, ("q", search), ("offset", str(offset) if offset else ""))
    page = services.analytics.models(span.window, limit=ROWS, offset=offset, search=search)
    if offset and offset >= page.total:
        raise ParameterError("offset", f"offset {offset} is past the last of {page.total} models; use a smaller one.")
    authors = services.analytics.authors(span.window)
    daily = models_daily(services, chart_window(services, span.window))
    last = offset + len(page.rows)
    layout = Layout(
        title=f"Models, {span.phrase}",
        description=_description(page, span),
        address=address(PATH, query),
        section="models",
        as_of=page.as_of,
        twins=twins(PATH, query),
        og_image="/share/rankings.png",
    )
    context = {
        "span": span,
        "models": page,
        "authors": authors,
        "author_names": AUTHORS,
        "daily": daily,
        "shows_days": len(daily.days) <= MOST_DAYS_SHOWN,
        "chart": address(CHART_PATH, span.query),
        "chart_title": _chart_title(daily),
        "authors_chart": address(AUTHORS_PATH, span.query),
        "authors_title": _authors_title(span),
        "periods": filters.periods(PATH, query, span),
        "search": search,
        "kept": span.query,
        "all": address(PATH, span.query),
        "before": address(PATH, changed(query, offset=str(max(0, offset - ROWS) or ""))) if offset else "",
        "after": address(PATH, changed(query, offset=str(last))) if page.total > last else "",
        "first": offset + 1,
        "last": last,
    }
    return View(
        layout,
        "models.html",
        context,
        document=_document(page, span, authors, daily, search, offset),
        table=lambda: _table(page),
    )


def _description(page: ModelPage, span: Span) -> str:
    names = ", ".join(f"{row.rank}. {row.model}" for row in page.rows[:3])
    return f"Which models took the most tokens, {span.phrase}" + (f": {names}." if names else ".")


def _chart_title(daily: ModelsDaily) -> str:
    return f"Tokens per day of {top_of(len(daily.bars), 'model')}, {daily.window.start} to {daily.window.end}"


def _authors_title(span: Span) -> str:
    return f"Share of all tokens by author of the model, {span.window.start} to {span.window.end}"


def _document(
    page: ModelPage, span: Span, authors: Authors, daily: ModelsDaily, search: str, offset: int
) -> dict[str, Any]:
    return {
        "data": {
            "models": [
                {
                    "model": row.model,
                    "author": row.author,
                    "rank": row.rank,
                    "previous_rank": row.previous,
                    "total_tokens": str(row.figures.tokens),
                    "prompt_tokens": str(row.figures.prompt),
                    "completion_tokens": str(row.figures.completion),
                    "total_requests": row.figures.requests,
                    "share": row.share,
                }
                for row in page.rows
            ],
            "authors": [
                {
                    "author": row.author,
                    "rank": row.rank,
                    "models": row.models,
                    "total_tokens": str(row.figures.tokens),
                    "total_requests": row.figures.requests,
                    "share": row.share,
                }
                for row in authors.rows
            ],
            "daily": {
                "days": [day.isoformat() for day in daily.days],
                "models": [{"model": bar.model, "values": as_text(bar.values)} for bar in daily.bars],
                "other": as_text(daily.other),
            },
        },
        "meta": {
            **of_span(span, page.as_of),
            "search": search or None,
            "offset": offset,
            "listed": page.total,
            "total_tokens": str(page.all_traffic.tokens),
            "total_requests": page.all_traffic.requests,
        },
    }


def _table(page: ModelPage) -> Table:
    return Table(
        columns=(
            Column("rank", Kind.COUNT),
            Column("previous_rank", Kind.COUNT),
            Column("model", Kind.TEXT),
            Column("author", Kind.TEXT),
            Column("total_tokens", Kind.BIG),
            Column("prompt_tokens", Kind.BIG),
            Column("completion_tokens", Kind.BIG),
            Column("total_requests", Kind.COUNT),
            Column("share", Kind.RATIO),
            Column("start_date", Kind.DAY),
            Column("end_date", Kind.DAY),
            Column("as_of", Kind.TIME),
        ),
        rows=[
            (
                row.rank,
                row.previous,
                row.model,
                row.author,
                row.figures.tokens,
                row.figures.prompt,
                row.figures.completion,
                row.figures.requests,
                row.share,
                page.window.start,
                page.window.end,
                page.as_of,
            )
            for row in page.rows
        ],
        meta={
            "as_of": instant(page.as_of),
            "start_date": str(page.window.start),
            "end_date": str(page.window.end),
            "total_tokens": str(page.all_traffic.tokens),
        },
    )


def _chart(services: WebServices, request: PageRequest, size: Size) -> Drawing:
    daily = models_daily(services, chart_window(services, parse_board_span(services, request).window))
    series = [Series(bar.model, slot, bar.values) for slot, bar in enumerate(daily.bars, start=1)]
    series.append(Series("other", 0, daily.other))
    return stacked_days(daily.days, tuple(series), size, title=_chart_title(daily))


def _authors_chart(services: WebServices, request: PageRequest, size: Size) -> Drawing:
    span = parse_board_span(services, request)
    rows = services.analytics.authors(span.window).rows
    bars = [Share(row.author or "no author named", row.figures.tokens, row.share) for row in rows[:AUTHORS]]
    if rest := rows[AUTHORS:]:
        bars.append(Share("others", sum(row.figures.tokens for row in rest), sum(row.share for row in rest)))
    return shares(tuple(bars), size, title=_authors_title(span))


MODELS = Page(PATH, _view, (*SPAN, SEARCH, OFFSET))
MODELS_CHART = PageResource(CHART_PATH, chart_resource(_chart), (*SPAN, SIZE))
AUTHORS_CHART = PageResource(AUTHORS_PATH, chart_resource(_authors_chart), (*SPAN, SIZE))
