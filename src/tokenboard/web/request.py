"""What a reader asks a page for: the query's parameters, parsed once, each refusal naming its parameter."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from tokenboard.analytics import Activity, AppDetail, Period
from tokenboard.query import ParameterError, Parameters, Window
from tokenboard.rankings import MAX_OFFSET, Question, RankMetric, Sort
from tokenboard.web.layout import Query
from tokenboard.web.services import WebServices

MAX_SEARCH = 200
"""Longest text searched for, in characters."""

MAX_TEXT = 2_000
"""Longest value of any other parameter, in characters: no query string is longer."""

Value = TypeVar("Value", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request for a page: its path, the path's parameters, and the query in its canonical form.

    ``known`` are the parameters that the page may look at, None for all: what it looks at without having said so
    would not be part of what is kept of it.
    """

    path: str
    parts: Mapping[str, Any]
    query: Query
    known: frozenset[str] | None = None

    def text(self, name: str, longest: int = MAX_TEXT) -> str:
        """Return a parameter, stripped, empty without one; raises ParameterError when it is too long or given twice."""
        return self._parameters(name).text(name, longest)

    def choice(self, name: str, default: Value) -> Value:
        """Return a parameter that is one of an enumeration's values. Raises ParameterError."""
        return self._parameters(name).choice(name, default)

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """Return a parameter that is a whole number. Raises ParameterError."""
        return self._parameters(name).number(name, least, most, default)

    def categories(self) -> tuple[str | None, str | None]:
        """Return ``category`` and ``subcategory``, None where not given. Raises ParameterError."""
        return self._parameters("category", "subcategory").categories()

    def window(self, *, floor: date, today: date) -> Window:
        """Return the window of ``start_date`` and ``end_date``, by the Data API's rules. Raises ParameterError."""
        return self._parameters("start_date", "end_date").window(floor=floor, today=today)

    def search(self, name: str = "q") -> str:
        """Return a text to search for; raises ParameterError when it is too long."""
        return self.text(name, MAX_SEARCH)

    def _parameters(self, *names: str) -> Parameters:
        if self.known is not None and (unknown := set(names) - self.known):
            raise LookupError(f"a page looks at parameters that are none of its own: {', '.join(sorted(unknown))}")
        return Parameters(self.query, names, lenient=True)


@dataclass(frozen=True, slots=True)
class Span:
    """The days a page is about: a period, or a window of the reader's own.

    ``unasked`` is the period that the page shows without being asked for one. ``complete`` says whether all its days
    are over: figures of today are those so far.
    """

    window: Window
    period: Period | None
    unasked: Period = Period.WEEK
    complete: bool = True

    @property
    def query(self) -> Query:
        """The parameters that ask for it; none for what the page shows unasked."""
        if self.period is None:
            return (("start_date", str(self.window.start)), ("end_date", str(self.window.end)))
        return () if self.period is self.unasked else (("period", self.period.value),)

    @property
    def phrase(self) -> str:
        """How a sentence names it."""
        if self.period is not None:
            return _PHRASES[self.period]
        if self.window.days == 1:
            return str(self.window.start)
        return f"{self.window.start} to {self.window.end}"


_PHRASES = {
    Period.TODAY: "today so far (UTC)",
    Period.DAY: "yesterday",
    Period.WEEK: "the last 7 days",
    Period.MONTH: "the last 30 days",
}


def board_period(services: WebServices) -> Period:
    """Return the period that pages of the whole board show unasked: the last 7 days.

    While they have nothing to show, and while today shows more than they do, it is today: the first to use
    a board sees so at once.
    """
    analytics = services.analytics
    week = analytics.activity(analytics.window(Period.WEEK))
    if week.ranked or (week.used and analytics.activity(_today(services)) <= week):
        return Period.WEEK
    return Period.TODAY


def app_period(detail: AppDetail) -> Period:
    """Return the period that a page of an app shows unasked: the last 30 days, or today when that shows more."""
    month, today = (
        Activity(ranked=placement.tokens > 0, used=placement.requests > 0)
        for placement in (detail.placements[Period.MONTH], detail.today)
    )
    return Period.TODAY if today > month else Period.MONTH


def model_period(services: WebServices, model: str) -> Period:
    """Return the period that a page of a model shows unasked: the last 7 days, or today when only today it was used."""
    analytics = services.analytics
    week = analytics.model(model, analytics.window(Period.WEEK))
    if week is None or week.days:
        return Period.WEEK
    today = analytics.model(model, _today(services))
    return Period.TODAY if today is not None and today.days else Period.WEEK


def _today(services: WebServices) -> Window:
    return services.analytics.window(Period.TODAY)


def parse_span(services: WebServices, request: PageRequest, default: Period) -> Span:
    """Return the days asked for: ``period``, or ``start_date`` and ``end_date`` by the Data API's rules.

    Unasked they are those of ``default``.

    Raises:
        ParameterError: a parameter is wrong, or both ways are mixed.

    """
    today = services.analytics.today
    if not (request.text("start_date") or request.text("end_date")):
        period = request.choice("period", default)
        window = services.analytics.window(period)
        return Span(window, period, default, complete=window.end < today)
    if request.text("period"):
        raise ParameterError("period", "period and dates are both given; leave one out.")
    window = request.window(floor=services.floor, today=today)
    return Span(window, None, default, complete=window.end < today)


def parse_board_span(services: WebServices, request: PageRequest) -> Span:
    """Return the days that a page of the whole board is about; see `board_period` and `parse_span`."""
    return parse_span(services, request, board_period(services))


def parse_ranking(request: PageRequest, span: Span, *, limit: int) -> Question:
    """Return the question to the rankings that a page asks: sort, metric, category, page.

    Raises:
        ParameterError: a parameter is wrong.

    """
    category, subcategory = request.categories()
    return Question(
        sort=request.choice("sort", Sort.POPULAR),
        category=category,
        subcategory=subcategory,
        window=span.window,
        limit=limit,
        offset=request.number("offset", 0, 0, MAX_OFFSET),
        metric=request.choice("metric", RankMetric.TOKENS),
    )


def ranking_query(question: Question, span: Span, *, offset: int | None = None) -> Query:
    """Return the parameters that ask a page for this question; what is the default is left out."""
    start = question.offset if offset is None else offset
    return (
        *span.query,
        ("sort", unless(Sort.POPULAR, question.sort)),
        ("metric", unless(RankMetric.TOKENS, question.metric)),
        ("category", "" if question.subcategory else question.category or ""),
        ("subcategory", question.subcategory or ""),
        ("offset", str(start) if start else ""),
    )


def unless(default: StrEnum, value: StrEnum) -> str:
    """Return how a query asks for a value: by nothing when it is the default."""
    return "" if value is default else value.value


def changed(query: Query, **values: str) -> Query:
    """Return a query with some parameters changed; an empty text removes one."""
    kept = [(name, value) for name, value in query if name not in values]
    return (*kept, *((name, value) for name, value in values.items() if value))


def as_day(day: date) -> str:
    """Return a day as parameters and twins write it."""
    return day.isoformat()
