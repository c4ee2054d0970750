"""``/``: one screen: who is on top, what grows, what this board is, and how to be on it."""

from dataclasses import dataclass
from typing import Any

from tokenboard.analytics import ModelPage
from tokenboard.rankings import Question, Sort
from tokenboard.tables import Column, Kind, Table, instant
from tokenboard.web import filters
from tokenboard.web.layout import FeedLink, Layout, address, twins
from tokenboard.web.meta import left_out, of_span
from tokenboard.web.numbers import counted
from tokenboard.web.pages.apps import Card, trending
from tokenboard.web.pages.apps_twins import row_document
from tokenboard.web.pages.page import Page
from tokenboard.web.pages.rankings import TopApps, top_apps
from tokenboard.web.parameters import SPAN
from tokenboard.web.request import PageRequest, Span, parse_board_span
from tokenboard.web.services import WebServices
from tokenboard.web.view import View

PATH = "/"
APP_ROWS = 7
MODEL_ROWS = 7
TRENDING = 4


@dataclass(frozen=True, slots=True)
class Start:
    """What the start page shows."""

    span: Span
    top: TopApps
    models: ModelPage
    trending: tuple[Card, ...]


def _view(services: WebServices, request: PageRequest) -> View:
    span = parse_board_span(services, request)
    question = Question(Sort.POPULAR, None, None, span.window, limit=APP_ROWS, offset=0)
    top = top_apps(services, question)
    start = Start(
        span,
        top,
        services.analytics.models(span.window, limit=MODEL_ROWS),
        trending(services, span.window, TRENDING),
    )
    traffic = top.answer.ranking.totals.all_traffic
    layout = Layout(
        title=services.site.title,
        description=(
            f"{counted(traffic.tokens, 'token')} in {counted(traffic.requests, 'request')}, {span.phrase}: "
            "which apps used them, and of which models."
        ),
        address=address(PATH, span.query),
        as_of=top.answer.as_of,
        twins=twins(PATH, span.query),
        feeds=(FeedLink("Movements in the app ranking", "/feeds/apps.atom"),),
        og_image=address("/share/rankings.png", span.query),
    )
    context = {
        "start": start,
        "top": top,
        "models": start.models,
        "totals": top.answer.ranking.totals,
        "listed": top.answer.ranking.listed,
        "span": span,
        "rankings": address("/rankings", span.query),
        "all_models": address("/models", span.query),
        "growing": address("/apps", (*span.query, ("sort", "trending"))),
        "periods": filters.periods(PATH, span.query, span),
    }
    return View(layout, "home.html", context, document=_document(start), table=lambda: _table(start))


def _document(start: Start) -> dict[str, Any]:
    answer = start.top.answer
    return {
        "data": {
            "apps": [
                {
                    "app_id": row.app.app_id,
                    "app_name": row.app.name,
                    "url": row.app.url,
                    "categories": row.app.categories,
                    "rank": row.app.rank,
                    "previous_rank": row.app.previous,
                    "total_tokens": str(row.app.tokens),
                    "total_requests": row.app.requests,
                    "share": row.share,
                }
                for row in start.top.rows
            ],
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
                for row in start.models.rows
            ],
            "trending": [row_document(card.row) for card in start.trending],
        },
        "meta": {
            **of_span(start.span, answer.as_of),
            "listed": answer.ranking.listed,
            "models": start.models.total,
            **left_out(answer.ranking.totals),
        },
    }


def _table(start: Start) -> Table:
    """Return the page's three lists as one table: ``list`` is ``apps``, ``models`` or ``trending``."""
    window, as_of = start.span.window, start.top.answer.as_of
    found: list[tuple[Any, ...]] = []
    found += [
        ("apps", app.app.rank, app.app.app_id, app.app.name, app.app.url, app.app.tokens, app.app.requests, app.growth)
        for app in start.top.rows
    ]
    found += [
        ("models", row.rank, None, row.model, None, row.figures.tokens, row.figures.requests, None)
        for row in start.models.rows
    ]
    found += [
        ("trending", one.rank, one.app.app_id, one.app.name, one.app.url, one.tokens, one.requests, one.growth)
        for one in (card.row for card in start.trending)
    ]
    return Table(
        columns=(
            Column("list", Kind.TEXT),
            Column("rank", Kind.COUNT),
            Column("app_id", Kind.COUNT),
            Column("name", Kind.TEXT),
            Column("url", Kind.TEXT),
            Column("total_tokens", Kind.BIG),
            Column("total_requests", Kind.COUNT),
            Column("growth", Kind.RATIO),
            Column("start_date", Kind.DAY),
            Column("end_date", Kind.DAY),
            Column("as_of", Kind.TIME),
        ),
        rows=[(*row, window.start, window.end, as_of) for row in found],
        meta={"as_of": instant(as_of), "start_date": str(window.start), "end_date": str(window.end)},
    )


HOME = Page(PATH, _view, SPAN)
