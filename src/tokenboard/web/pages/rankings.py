"""``/rankings``: the top apps and the top models of a window, and the days of the top nine."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tokenboard.analytics import AppsDaily, Authors, ModelPage
from tokenboard.query import Window
from tokenboard.rankings import Answer, Extra, Question, RankedApp, RankMetric, Sort
from tokenboard.tables import Column, Kind, Table, instant
from tokenboard.web import filters
from tokenboard.web.charts import Drawing, Series, Size, stacked_days
from tokenboard.web.charts.bins import bins_of
from tokenboard.web.layout import FeedLink, Layout, address, twins
from tokenboard.web.meta import as_text, left_out, of_span
from tokenboard.web.numbers import top_of
from tokenboard.web.pages.page import Page, PageResource, chart_resource
from tokenboard.web.parameters import CATEGORY, METRIC, OFFSET, SIZE, SORT, SPAN
from tokenboard.web.request import PageRequest, Span, parse_board_span, parse_ranking, ranking_query
from tokenboard.web.services import WebServices
from tokenboard.web.text import label_of
from tokenboard.web.view import View

PATH = "/rankings"
CHART_PATH = "/charts/rankings.svg"
ROWS = 30
MODEL_ROWS = 10
SPARK_DAYS = 30
BARS = 9
MOST_DAYS_SHOWN = 31
"""Days up to which the chart's figures stand on the page; those of longer windows are in the twins."""

_EXTRAS = frozenset({Extra.URL, Extra.CATEGORIES, Extra.PREVIOUS, Extra.TREND, Extra.TOTALS})


@dataclass(frozen=True, slots=True)
class RankedRow:
    """A row of the table: the app, its share of all traffic, and its days for the small line."""

    app: RankedApp
    share: float
    spark: tuple[int, ...]

    @property
    def growth(self) -> float | None:
        """How much the window is above the mean of the three before; None when there was nothing before."""
        growth = self.app.trend.growth if self.app.trend is not None else None
        return None if growth is None else float(growth)


@dataclass(frozen=True, slots=True)
class TopApps:
    """The ranking as the page shows it."""

    question: Question
    answer: Answer
    rows: tuple[RankedRow, ...]

    @property
    def metric(self) -> RankMetric:
        """What it goes by."""
        return self.question.metric


def top_apps(services: WebServices, question: Question) -> TopApps:
    """Return a ranking with what a page's rows need; its figures are those of the Data API's ranking."""
    answer = services.rankings.answer(question, _EXTRAS)
    metric = question.metric
    total = metric.of(answer.ranking.totals.all_traffic)
    recent = window_to(question.window.end, SPARK_DAYS, services.floor)
    rows = tuple(
        RankedRow(
            app,
            metric.of(app) / total if total else 0.0,
            spark_of(services, app.app_id, recent, metric),
        )
        for app in answer.ranking.rows
    )
    return TopApps(question, answer, rows)


def spark_of(services: WebServices, app_id: int, window: Window, metric: RankMetric) -> tuple[int, ...]:
    """Return an app's figure of each day of a window; nothing when it may not be shown."""
    days = services.rankings.days(app_id, window)
    return () if days is None else metric.of(days)


def window_to(end: date, days: int, floor: date) -> Window:
    """Return the window of so many days that ends at ``end``, cut at the dataset's first day."""
    return Window(max(end - timedelta(days=days - 1), min(floor, end)), end)


def _view(services: WebServices, request: PageRequest) -> View:
    span = parse_board_span(services, request)
    question = parse_ranking(request, span, limit=ROWS)
    query = ranking_query(question, span)
    top = top_apps(services, question)
    models = services.analytics.models(span.window, limit=MODEL_ROWS)
    authors = services.analytics.authors(span.window)
    daily = _daily(services, question)
    ranking = top.answer.ranking
    last = question.offset + len(ranking.rows)
    layout = Layout(
        title=_title(question, span),
        description=_description(top, span),
        address=address(PATH, query),
        section="rankings",
        as_of=top.answer.as_of,
        twins=twins(PATH, query),
        feeds=(FeedLink("Movements in the app ranking", "/feeds/apps.atom"),),
        og_image=address("/share/rankings.png", query),
    )
    context = {
        "span": span,
        "top": top,
        "question": question,
        "models": models,
        "authors": authors,
        "daily": daily,
        "shows_days": len(daily.days) <= MOST_DAYS_SHOWN,
        "chart": address(CHART_PATH, query),
        "chart_title": _chart_title(question, daily),
        "chart_note": bins_of(daily.days).note(),
        "choices": (
            filters.periods(PATH, query, span),
            filters.sorts(PATH, query, question),
            filters.metrics(PATH, query, question.metric),
        ),
        "categories": filters.categories(PATH, query, question.category, question.subcategory),
        "trending": question.sort is Sort.TRENDING,
        "before": address(PATH, ranking_query(question, span, offset=max(0, question.offset - ROWS)))
        if question.offset
        else "",
        "after": address(PATH, ranking_query(question, span, offset=last))
        if ranking.listed > last and last <= 100
        else "",
        "kept": [(name, value) for name, value in query if name not in {"period", "start_date", "end_date", "offset"}],
        "floor": services.floor,
        "today": services.analytics.today,
    }
    return View(
        layout,
        "rankings.html",
        context,
        document=_document(top, span, models, authors, daily),
        table=lambda: _table(top),
    )


def _daily(services: WebServices, question: Question) -> AppsDaily:
    """Return the days of the chart: those of the window, 30 at least, as one or seven make no picture."""
    window = question.window
    if window.days < SPARK_DAYS:
        window = window_to(window.end, SPARK_DAYS, services.floor)
    return services.analytics.apps_daily(
        window, top=BARS, metric=question.metric, category=question.category, subcategory=question.subcategory
    )


def _title(question: Question, span: Span) -> str:
    what = "Trending apps" if question.sort is Sort.TRENDING else "Top apps"
    narrower = question.subcategory or question.category
    where = f" in {label_of(narrower)}" if narrower else ""
    return f"{what}{where}, {span.phrase}"


def _description(top: TopApps, span: Span) -> str:
    names = ", ".join(f"{row.app.rank}. {row.app.name}" for row in top.rows[:3])
    return f"Which apps use the most {top.metric.unit}, {span.phrase}" + (f": {names}." if names else ".")


def _chart_title(question: Question, daily: AppsDaily) -> str:
    days = f"{daily.window.start} to {daily.window.end}"
    return f"{question.metric.label} per day of {top_of(len(daily.bars), 'app')}, {days}"


def _document(top: TopApps, span: Span, models: ModelPage, authors: Authors, daily: AppsDaily) -> dict[str, Any]:
    answer = top.answer
    return {
        "data": {
            "apps": [_app_document(row) for row in top.rows],
            "models": [
                {
                    "model": row.model,
                    "author": row.author,
                    "rank": row.rank,
                    "previous_rank": row.previous,
                    "total_tokens": str(row.figures.tokens),
                    "total_requests": row.figures.requests,
                    "share": row.share,
                }
                for row in models.rows
            ],
            "authors": [
                {
                    "author": row.author,
                    "rank": row.rank,
                    "models": row.models,
                    "total_tokens": str(row.figures.tokens),
                    "share": row.share,
                }
                for row in authors.rows
            ],
            "daily": {
                "metric": top.metric.value,
                "days": [day.isoformat() for day in daily.days],
                "apps": [
                    {"app_id": bar.app.app_id, "app_name": bar.app.name, "values": as_text(bar.values)}
                    for bar in daily.bars
                ],
                "other": as_text(daily.other),
                "unlisted": as_text(daily.unlisted),
                "unattributed": as_text(daily.unattributed),
            },
        },
        "meta": {
            **of_span(span, answer.as_of),
            "sort": top.question.sort.value,
            "metric": top.metric.value,
            "category": top.question.category,
            "subcategory": top.question.subcategory,
            "offset": top.question.offset,
            "listed": answer.ranking.listed,
            **left_out(answer.ranking.totals),
        },
    }


def _app_document(row: RankedRow) -> dict[str, Any]:
    app = row.app
    return {
        "app_id": app.app_id,
        "app_name": app.name,
        "url": app.url,
        "categories": app.categories,
        "rank": app.rank,
        "previous_rank": app.previous,
        "total_tokens": str(app.tokens),
        "total_requests": app.requests,
        "share": row.share,
        "growth": row.growth,
        "last_days": as_text(row.spark),
    }


def _table(top: TopApps) -> Table:
    window = top.question.window
    return Table(
        columns=(
            Column("rank", Kind.COUNT),
            Column("previous_rank", Kind.COUNT),
            Column("app_id", Kind.COUNT),
            Column("app_name", Kind.TEXT),
            Column("url", Kind.TEXT),
            Column("categories", Kind.LIST),
            Column("total_tokens", Kind.BIG),
            Column("total_requests", Kind.COUNT),
            Column("share", Kind.RATIO),
            Column("growth", Kind.RATIO),
            Column("start_date", Kind.DAY),
            Column("end_date", Kind.DAY),
            Column("as_of", Kind.TIME),
        ),
        rows=[
            (
                row.app.rank,
                row.app.previous,
                row.app.app_id,
                row.app.name,
                row.app.url,
                row.app.categories,
                row.app.tokens,
                row.app.requests,
                row.share,
                row.growth,
                window.start,
                window.end,
                top.answer.as_of,
            )
            for row in top.rows
        ],
        meta={"as_of": instant(top.answer.as_of), "start_date": str(window.start), "end_date": str(window.end)},
    )


def _chart(services: WebServices, request: PageRequest, size: Size) -> Drawing:
    question = parse_ranking(request, parse_board_span(services, request), limit=ROWS)
    daily = _daily(services, question)
    series = [Series(bar.app.name, slot, bar.values) for slot, bar in enumerate(daily.bars, start=1)]
    series.append(Series("other", 0, daily.other))
    return stacked_days(daily.days, tuple(series), size, title=_chart_title(question, daily), unit=question.metric.unit)


RANKING = (*SPAN, *CATEGORY, SORT, METRIC, OFFSET)
"""What a ranking is asked by, as a page, a chart or an image."""

RANKINGS = Page(PATH, _view, RANKING)
RANKINGS_CHART = PageResource(CHART_PATH, chart_resource(_chart), (*RANKING, SIZE))
