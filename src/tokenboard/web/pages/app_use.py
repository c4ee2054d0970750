"""What a page of one app reads: which app, and its use day by day."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from tokenboard.analytics import AppDetail, AppUsage, Consumption
from tokenboard.query import Window
from tokenboard.web.layout import address
from tokenboard.web.pages.rankings import window_to
from tokenboard.web.request import PageRequest, Span, app_period, parse_span
from tokenboard.web.services import WebServices
from tokenboard.web.view import PageNotFound, Redirect

PATH = "/apps/{app_id}"
NAMED_MODELS = 8
"""Models that charts name; the others are one series."""

MODEL_ROWS = 12
"""Models that the table names."""

LEAST_CHARTED = 7
"""Days that a chart shows at least; one makes no picture."""

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_NOBODY = "No app has this number here. It may have been merged, hidden, or never been."


@dataclass(frozen=True, slots=True)
class DailyUse:
    """An app's use on each UTC day of a window, days without any included; every array is as long as ``days``.

    ``models`` are tokens by model, the most used first, None for those not named.
    """

    days: tuple[date, ...]
    models: tuple[tuple[str | None, tuple[int, ...]], ...]
    requests: tuple[int, ...]
    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    cached: tuple[int, ...]
    reasoning: tuple[int, ...]

    @property
    def tokens(self) -> tuple[int, ...]:
        """Prompt and completion tokens."""
        return tuple(map(sum, zip(self.prompt, self.completion, strict=True)))


def find_app(services: WebServices, request: PageRequest) -> AppDetail:
    """Return the app that an address is about.

    Raises:
        PageNotFound: no visible app has this number; the same for hidden, private and unknown ones.
        Redirect: the number is an alias's; its app has the same address under its own.

    """
    given = str(request.parts["app_id"])
    if not _NUMBER.fullmatch(given):
        raise PageNotFound(_NOBODY)
    detail = services.analytics.app(int(given))
    if detail is None:
        raise PageNotFound(_NOBODY)
    if detail.by_alias:
        raise moved(request, given, detail.app.app_id)
    return detail


def moved(request: PageRequest, given: str, app_id: int) -> Redirect:
    """Return the address of the app itself instead of its alias's, in the same form and with the same parameters."""
    path = request.path.replace(f"/apps/{given}", f"/apps/{app_id}", 1)
    return Redirect(address(path, request.query), permanent=True)


def parse_app_span(services: WebServices, request: PageRequest, detail: AppDetail) -> Span:
    """Return the days that a page of an app is about; see `app_period` for those unasked."""
    return parse_span(services, request, app_period(detail))


def charted(services: WebServices, window: Window) -> Window:
    """Return the days that charts show of a window."""
    if window.days >= LEAST_CHARTED:
        return window
    return window_to(window.end, LEAST_CHARTED, services.floor)


def use_of(services: WebServices, app_id: int, window: Window) -> AppUsage:
    """Return an app's use by its top models; raises PageNotFound when it may not be shown any more."""
    usage = services.analytics.usage(app_id, window, models=MODEL_ROWS)
    if usage is None:
        raise PageNotFound(_NOBODY)
    return usage


def by_day(usage: AppUsage) -> DailyUse:
    """Return the use of every day of a window."""
    days = tuple(usage.window.start + timedelta(days=day) for day in range(usage.window.days))
    places = {day: place for place, day in enumerate(days)}

    def sums(figure: Callable[[Consumption], int]) -> tuple[int, ...]:
        found = [0] * len(days)
        for point in usage.points:
            found[places[point.start.date()]] += figure(point.figures)
        return tuple(found)

    order = [share.model for share in usage.models]
    named = [model for model in order if model is not None][:NAMED_MODELS]
    models: dict[str | None, list[int]] = {model: [0] * len(days) for model in (*named, None)}
    for point in usage.points:
        model = point.model if point.model in models else None
        models[model][places[point.start.date()]] += point.figures.tokens
    if not any(models[None]):
        del models[None]
    return DailyUse(
        days=days,
        models=tuple((model, tuple(values)) for model, values in models.items()),
        requests=sums(lambda figures: figures.requests),
        prompt=sums(lambda figures: figures.prompt),
        completion=sums(lambda figures: figures.completion),
        cached=sums(lambda figures: figures.cached),
        reasoning=sums(lambda figures: figures.reasoning),
    )


def per_request(tokens: int, requests: int) -> int:
    """Return the mean number of tokens of a request, rounded, halves up; 0 without requests."""
    return (2 * tokens + requests) // (2 * requests) if requests else 0
