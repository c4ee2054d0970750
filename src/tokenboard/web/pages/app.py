"""``/apps/{app_id}``: one app: its places, the models it uses, what its tokens are, and when it works."""

from dataclasses import dataclass

from tokenboard.analytics import PERIOD_DAYS, AppDetail, AppUsage, HourPattern, Period, RankPoint
from tokenboard.query import Window
from tokenboard.tables import instant
from tokenboard.web import filters
from tokenboard.web.charts.bins import Bins, bins_of
from tokenboard.web.charts.layout import name_of
from tokenboard.web.filters import Filter, FilterOption
from tokenboard.web.layout import FeedLink, Layout, Query, address, twins
from tokenboard.web.numbers import counted
from tokenboard.web.pages import app_charts
from tokenboard.web.pages.app_twins import app_document, app_table
from tokenboard.web.pages.app_use import (
    PATH,
    DailyUse,
    by_day,
    charted,
    find_app,
    parse_app_span,
    per_request,
    use_of,
)
from tokenboard.web.pages.page import Page
from tokenboard.web.pages.rankings import window_to
from tokenboard.web.parameters import SPAN
from tokenboard.web.request import PageRequest, Span, as_day
from tokenboard.web.services import WebServices
from tokenboard.web.text import host_of, is_web
from tokenboard.web.view import PageNotFound, View

MOST_DAYS_SHOWN = 31
"""Days up to which tables show single days; longer windows are summed by seven, single days are in the twins."""

_LONGER = (("90 days", 90), ("Year", 365))
_PLACES = {Period.DAY: "Yesterday", Period.WEEK: "Last 7 days", Period.MONTH: "Last 30 days"}
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and the table beside it: ``head`` names the columns after the first, ``rows`` are label and cells.

    ``keys`` are slots of colours and what they stand for. ``note`` is about the rows, ``drawn`` about what is drawn.
    ``exact`` says whether cells have their exact figures behind the short ones; tables of months would be too large.
    """

    name: str
    title: str
    href: str
    label: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int | None, ...]], ...]
    keys: tuple[tuple[int, str], ...] = ()
    note: str = ""
    drawn: str = ""
    exact: bool = True


def _view(services: WebServices, request: PageRequest) -> View:
    detail = find_app(services, request)
    span = parse_app_span(services, request, detail)
    shown = charted(services, span.window)
    app_id = detail.app.app_id
    usage = use_of(services, app_id, span.window)
    pattern = services.analytics.hours(app_id, shown)
    places = services.analytics.rank_history(app_id, shown)
    if pattern is None or places is None:
        raise PageNotFound("No app has this number here.")
    daily = by_day(use_of(services, app_id, shown))
    path = PATH.format(app_id=app_id)
    layout = Layout(
        title=detail.app.name,
        description=_description(services, detail, span),
        address=address(path, span.query),
        section="apps",
        as_of=detail.as_of,
        twins=twins(path, span.query),
        feeds=(FeedLink(f"Movements of {detail.app.name}", f"/feeds/apps/{app_id}.atom"),),
        og_image=address(f"/share/apps/{app_id}.png", span.query),
    )
    context = {
        "detail": detail,
        "app": detail.app,
        "link": detail.app.url if is_web(detail.app.url) else "",
        "span": span,
        "placements": [
            ("Today so far", detail.today),
            *((label, detail.placements[period]) for period, label in _PLACES.items()),
        ],
        "periods": _periods(services, path, span),
        "usage": usage,
        "mean": per_request(usage.total.tokens, usage.total.requests),
        "charts": _charts(services, detail, span, shown, daily, pattern, places),
        "shown": shown,
        "floor": services.floor,
        "today": services.analytics.today,
        "path": path,
        "badge": f"/badge/apps/{app_id}.svg",
        "citation": _citation(services, detail, span, usage),
    }
    return View(
        layout,
        "app.html",
        context,
        document=app_document(detail, span, usage, daily, pattern, places),
        table=lambda: app_table(detail, usage),
    )


def _description(services: WebServices, detail: AppDetail, span: Span) -> str:
    app = detail.app
    placement = services.rankings.placement(app.app_id, span.window)
    figures = "no tokens"
    if placement is not None:
        figures = f"rank {placement.rank} of {placement.listed} by tokens, {counted(placement.tokens, 'token')}"
    return f"{app.name} ({host_of(app.url)}), {span.phrase}: {figures}."


def _periods(services: WebServices, path: str, span: Span) -> Filter:
    """Return the choice of day, week and month, and of more, as far as the dataset reaches."""
    plain: Query = () if span.period is None else span.query
    given = filters.periods(path, plain, span)
    last = services.analytics.window(Period.MONTH).end
    longer = []
    for label, days in _LONGER:
        window = window_to(last, days, services.floor)
        if window.days > PERIOD_DAYS[Period.MONTH]:
            query = (("start_date", as_day(window.start)), ("end_date", as_day(window.end)))
            longer.append(FilterOption(label, address(path, query), window == span.window))
    return Filter(given.label, (*given.options, *longer))


def _charts(
    services: WebServices,
    detail: AppDetail,
    span: Span,
    window: Window,
    daily: DailyUse,
    pattern: HourPattern,
    places: tuple[RankPoint, ...],
) -> dict[str, Chart]:
    name, app_id = name_of(detail.app.name), detail.app.app_id
    bins = bins_of(daily.days, weekly_beyond=MOST_DAYS_SHOWN)
    recent = app_charts.means_window(services, window)
    sums = bins_of(daily.days).note()

    def chart(
        key: str,
        title: str,
        head: tuple[str, ...],
        rows: tuple[tuple[str, tuple[int | None, ...]], ...],
        keys: tuple[tuple[int, str], ...] = (),
        label: str = "Days" if bins.weekly else "Day",
        note: str = bins.note().replace("bar", "row"),
        drawn: str = "",
    ) -> Chart:
        href = address(app_charts.chart_path(app_id, key), span.query)
        return Chart(key, title, href, label, head, rows, keys, note, drawn, exact=not bins.weekly)

    slots = tuple(
        (slot if model is not None else 0, model if model is not None else "other models")
        for slot, (model, _) in enumerate(daily.models, start=1)
    )
    requests = bins.sums(daily.requests)
    means = tuple(
        per_request(tokens, count) if count else None
        for tokens, count in zip(bins.sums(daily.tokens), requests, strict=True)
    )
    return {
        "models": chart(
            "models",
            app_charts.models_title(name, window),
            tuple(label for _, label in slots),
            _rows(bins, *(bins.sums(values) for _, values in daily.models)),
            slots,
            drawn=sums,
        ),
        "tokens": chart(
            "tokens",
            app_charts.tokens_title(name, window),
            ("Prompt", "Completion"),
            _rows(bins, bins.sums(daily.prompt), bins.sums(daily.completion)),
            ((1, "prompt"), (7, "completion")),
            drawn=sums,
        ),
        "kinds": chart(
            "kinds",
            app_charts.kinds_title(name, window),
            ("Cached", "Reasoning"),
            _rows(bins, bins.sums(daily.cached), bins.sums(daily.reasoning)),
            ((3, "cached, part of the prompt"), (2, "reasoning, part of the completion")),
            drawn=sums.replace("bar", "point"),
        ),
        "hours": chart(
            "hours",
            app_charts.hours_title(name, pattern.window),
            _WEEKDAYS,
            _hour_rows(pattern),
            label="Hour",
            note="",
            drawn="" if pattern.window == window else "Hours are kept for a few weeks.",
        ),
        "means": chart(
            "means",
            app_charts.means_title(name, recent),
            ("Requests", "Tokens per request"),
            _rows(bins, requests, means),
            drawn="" if recent == window else f"Drawn are the last {recent.days} days.",
        ),
        "ranks": chart(
            "ranks",
            app_charts.ranks_title(name, window),
            ("Rank",),
            _rows(bins, tuple(places[end - 1].rank for _, end in bins.edges)),
            note="Each row has the rank on its last day." if bins.weekly else "",
        ),
    }


def _rows(bins: Bins, *columns: tuple[int | None, ...]) -> tuple[tuple[str, tuple[int | None, ...]], ...]:
    return tuple((bins.name(number), tuple(column[number] for column in columns)) for number in range(len(bins.edges)))


def _hour_rows(pattern: HourPattern) -> tuple[tuple[str, tuple[int | None, ...]], ...]:
    found = {(cell.weekday, cell.hour): cell.tokens for cell in pattern.cells}
    return tuple(
        (f"{hour:02}–{(hour + 1) % 24:02}", tuple(found.get((weekday, hour), 0) for weekday in range(1, 8)))
        for hour in range(24)
    )


def _citation(services: WebServices, detail: AppDetail, span: Span, usage: AppUsage) -> str:
    """Return a line to quote: who, where, what, of which days and of when, and an address that asks for the same."""
    app, window = detail.app, span.window
    placement = services.rankings.placement(app.app_id, window)
    place = f"rank {placement.rank} of {placement.listed} by tokens" if placement is not None else "not ranked"
    asking = (("start_date", as_day(window.start)), ("end_date", as_day(window.end)))
    link = services.site.base_url + address(PATH.format(app_id=app.app_id), asking)
    return (
        f"{app.name}, {services.site.title}: {place}, "
        f"{usage.total.tokens:,} tokens in {usage.total.requests:,} requests, "
        f"{window.start} to {window.end} (UTC days, as of {instant(detail.as_of)}). {link}"
    )


APP = Page(PATH, _view, SPAN)
