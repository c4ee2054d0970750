"""The drawings of one app's page: ``/charts/apps/{app_id}/….svg``."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tokenboard.analytics import AppDetail
from tokenboard.query import Window
from tokenboard.web.charts import Drawing, Series, Size, hours, lines, parts_by_day, ranks, single, stacked_days
from tokenboard.web.charts.layout import name_of
from tokenboard.web.numbers import compact
from tokenboard.web.pages.app_use import DailyUse, by_day, charted, find_app, parse_app_span, per_request, use_of
from tokenboard.web.pages.page import PageResource, chart_resource
from tokenboard.web.pages.rankings import window_to
from tokenboard.web.parameters import SIZE, SPAN
from tokenboard.web.request import PageRequest
from tokenboard.web.services import WebServices
from tokenboard.web.view import PageNotFound

PATH: Final = "/charts/apps/{app_id}"
MOST_MEANS: Final = 120
"""Days of which means are drawn at most: beyond them a chart sums weeks, and a sum of means means nothing."""

Read = Callable[[WebServices, AppDetail, Window, Size], Drawing]


def chart_path(app_id: int, name: str) -> str:
    """Return the address of one of an app's charts."""
    return f"{PATH.format(app_id=app_id)}/{name}.svg"


def models_title(name: str, window: Window) -> str:
    """Return what the chart of models is called."""
    return f"Tokens of {name} by model, {_dates(window)}"


def tokens_title(name: str, window: Window) -> str:
    """Return what the chart of prompt and completion tokens is called."""
    return f"Prompt and completion tokens of {name}, {_dates(window)}"


def kinds_title(name: str, window: Window) -> str:
    """Return what the chart of cached and reasoning tokens is called."""
    return f"Cached and reasoning tokens of {name}, {_dates(window)}"


def hours_title(name: str, window: Window) -> str:
    """Return what the chart of weekdays and hours is called."""
    return f"Tokens of {name} by weekday and hour, {_dates(window)}"


def means_title(name: str, window: Window) -> str:
    """Return what the chart of tokens per request is called."""
    return f"Tokens per request of {name} day by day, {_dates(window)}"


def ranks_title(name: str, window: Window) -> str:
    """Return what the chart of places is called."""
    return f"Rank of {name} among all apps day by day, {_dates(window)}"


def means_window(services: WebServices, window: Window) -> Window:
    """Return the days of which means are drawn."""
    return window if window.days <= MOST_MEANS else window_to(window.end, MOST_MEANS, services.floor)


def means_of(use: DailyUse) -> tuple[int, ...]:
    """Return tokens per request of each day."""
    return tuple(per_request(*pair) for pair in zip(use.tokens, use.requests, strict=True))


def _dates(window: Window) -> str:
    return f"{window.start} to {window.end}"


def _use(services: WebServices, detail: AppDetail, window: Window) -> DailyUse:
    return by_day(use_of(services, detail.app.app_id, window))


def _models(services: WebServices, detail: AppDetail, window: Window, size: Size) -> Drawing:
    use = _use(services, detail, window)
    named = [(model, values) for model, values in use.models if model is not None]
    series = [Series(model, slot, values) for slot, (model, values) in enumerate(named, start=1)]
    series += [Series("other models", 0, values) for model, values in use.models if model is None]
    return stacked_days(use.days, tuple(series), size, title=models_title(name_of(detail.app.name), window))


def _tokens(services: WebServices, detail: AppDetail, window: Window, size: Size) -> Drawing:
    use = _use(services, detail, window)
    return parts_by_day(
        use.days, use.prompt, use.completion, size, title=tokens_title(name_of(detail.app.name), window)
    )


def _kinds(services: WebServices, detail: AppDetail, window: Window, size: Size) -> Drawing:
    use = _use(services, detail, window)
    series = (Series("cached", 3, use.cached), Series("reasoning", 2, use.reasoning))
    return lines(use.days, series, size, title=kinds_title(name_of(detail.app.name), window), filled=True)


def _hours(services: WebServices, detail: AppDetail, window: Window, size: Size) -> Drawing:
    pattern = services.analytics.hours(detail.app.app_id, window)
    if pattern is None:
        raise PageNotFound("There is no such chart.")
    cells = [(cell.weekday, cell.hour, cell.tokens) for cell in pattern.cells]
    return hours(cells, size, title=hours_title(name_of(detail.app.name), pattern.window))


def _means(services: WebServices, detail: AppDetail, window: Window, size: Size) -> Drawing:
    recent = means_window(services, window)
    use = _use(services, detail, recent)
    title, means = means_title(name_of(detail.app.name), recent), means_of(use)
    drawing = single(use.days, means, size, title=title, unit="tokens per request")
    some = [mean for mean in means if mean]
    words = f"Between {compact(min(some))} and {compact(max(some))}." if some else "No requests."
    return replace(drawing, description=f"Tokens per request by UTC day. {words}")  # means have no sum


def _ranks(services: WebServices, detail: AppDetail, window: Window, size: Size) -> Drawing:
    history = services.analytics.rank_history(detail.app.app_id, window)
    if history is None:
        raise PageNotFound("There is no such chart.")
    days, places = tuple(point.day for point in history), tuple(point.rank for point in history)
    return ranks(days, places, size, title=ranks_title(name_of(detail.app.name), window))


_CHARTS: Final[dict[str, Read]] = {
    "models": _models,
    "tokens": _tokens,
    "kinds": _kinds,
    "hours": _hours,
    "means": _means,
    "ranks": _ranks,
}


def _resource(read: Read) -> Callable[[WebServices, PageRequest, Size], Drawing]:
    def draw(services: WebServices, request: PageRequest, size: Size) -> Drawing:
        detail = find_app(services, request)
        return read(services, detail, charted(services, parse_app_span(services, request, detail).window), size)

    return draw


APP_CHARTS = tuple(
    PageResource(f"{PATH}/{name}.svg", chart_resource(_resource(read)), (*SPAN, SIZE)) for name, read in _CHARTS.items()
)
