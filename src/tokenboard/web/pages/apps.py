"""``/apps``: the marketplace, to look round in and to search; ``/apps?url=`` leads to the app of a URL."""

from dataclasses import dataclass

from tokenboard.analytics import DirectoryPage, DirectoryRow, NotFound, Order
from tokenboard.attribution import GROUPS
from tokenboard.query import Window
from tokenboard.rankings import Extra, Question, RankMetric, Sort, Totals
from tokenboard.web import filters
from tokenboard.web.filters import Filter, FilterOption
from tokenboard.web.layout import FeedLink, Layout, Query, address, twins
from tokenboard.web.pages.apps_twins import Listed, directory_document, directory_table
from tokenboard.web.pages.page import Page
from tokenboard.web.pages.rankings import SPARK_DAYS, spark_of, window_to
from tokenboard.web.parameters import CATEGORY, OFFSET, SEARCH, SORT, SPAN, Parameter
from tokenboard.web.request import PageRequest, changed, parse_board_span, unless
from tokenboard.web.services import WebServices
from tokenboard.web.text import label_of
from tokenboard.web.view import PageNotFound, Redirect, View

PATH = "/apps"
ROWS = 40
MOST_OFFSET = 1_000_000
_POPULAR = 6
_TRENDING = 6
_OF_GROUP = 5
_LABELS = {Order.POPULAR: "Popular", Order.TRENDING: "Trending", Order.NAME: "Name", Order.NEWEST: "Newest"}


@dataclass(frozen=True, slots=True)
class Card:
    """An app with its days for the small line."""

    row: DirectoryRow
    spark: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AppGroup:
    """A few apps of the marketplace under a heading; ``more`` is the list they are from."""

    name: str
    title: str
    note: str
    more: str
    cards: tuple[Card, ...]


def trending(services: WebServices, window: Window, limit: int) -> tuple[Card, ...]:
    """Return the apps that grow most, with their last days."""
    return _cards(services, window, services.analytics.directory(sort=Order.TRENDING, window=window, limit=limit))


def totals_of(services: WebServices, window: Window) -> Totals:
    """Return all traffic of a window, and what of it no visible app has."""
    question = Question(Sort.POPULAR, None, None, window, limit=1, offset=0)
    return services.rankings.answer(question, {Extra.TOTALS}).ranking.totals


def _view(services: WebServices, request: PageRequest) -> View:
    if url := request.text("url"):
        raise _destination(services, request, url)
    listed = _parse(services, request)
    window = listed.span.window
    page = services.analytics.directory(
        search=listed.search,
        category=listed.category,
        subcategory=listed.subcategory,
        sort=listed.sort,
        window=window,
        limit=ROWS,
        offset=listed.offset,
    )
    if not page.rows and listed.search:
        _follow_address(services, listed.search, request)
    query = listed.query
    path = address(PATH, query)
    last = listed.offset + len(page.rows)
    totals = totals_of(services, window)
    layout = Layout(
        title=_title(listed),
        description=f"{page.total} apps by name, URL and category, with the tokens they used, {listed.span.phrase}.",
        address=path,
        section="apps",
        as_of=page.as_of,
        twins=twins(PATH, query),
        feeds=(FeedLink("Movements in the app ranking", "/feeds/apps.atom"),),
        og_image=address("/share/rankings.png", listed.span.query),
        indexed=not listed.search,
        search=listed.search,
    )
    context = {
        "listed": listed,
        "listing": page,
        "groups": () if listed.narrowed else _app_groups(services, listed),
        "sorts": _sorts(query, listed.sort),
        "periods": filters.periods(PATH, query, listed.span),
        "categories": filters.categories(PATH, query, listed.category, listed.subcategory),
        "before": address(PATH, changed(query, offset=_offset(max(0, listed.offset - ROWS)))) if listed.offset else "",
        "after": address(PATH, changed(query, offset=_offset(last))) if page.rows and last < page.total else "",
        "rows_after": min(ROWS, page.total - last),
        "first": listed.offset + 1,
        "last": last,
        "whole": address(PATH, changed(query, q="", offset="")),
        "totals": totals,
    }
    return View(
        layout,
        "apps.html",
        context,
        document=directory_document(listed, page, totals),
        table=lambda: directory_table(listed, page),
    )


def _parse(services: WebServices, request: PageRequest) -> Listed:
    category, subcategory = request.categories()
    return Listed(
        search=request.search(),
        sort=request.choice("sort", Order.POPULAR),
        category=category,
        subcategory=subcategory,
        offset=request.number("offset", 0, 0, MOST_OFFSET),
        span=parse_board_span(services, request),
    )


def _destination(services: WebServices, request: PageRequest, url: str) -> Redirect | PageNotFound:
    """Return where the app of a URL is, or that there is none: the form looked for, why, and how to be listed."""
    found = services.analytics.lookup(url)
    if not isinstance(found, NotFound):
        return Redirect(_app_path(found.app_id, request))
    layout = Layout(
        title="No app of this URL is listed",
        description=found.message,
        address=PATH,
        section="apps",
        indexed=False,
    )
    view = View(layout, "unknown_app.html", {"url": url, "found": found}, status=404)
    return PageNotFound(f"{found.message} How an app gets listed: {services.site.base_url}/docs/attribution", view)


def _follow_address(services: WebServices, search: str, request: PageRequest) -> None:
    """Go to the app when what was searched for is a URL of it, though not as the board writes it."""
    if "." in search and " " not in search:
        found = services.analytics.lookup(search if "://" in search else f"https://{search}")
        if not isinstance(found, NotFound):
            raise Redirect(_app_path(found.app_id, request))


def _app_path(app_id: int, request: PageRequest) -> str:
    return f"{PATH}/{app_id}{request.path.removeprefix(PATH)}"


def _app_groups(services: WebServices, listed: Listed) -> tuple[AppGroup, ...]:
    window = listed.span.window
    directory = services.analytics.directory
    rest = listed.span.query
    groups = [
        AppGroup(
            "popular",
            "Most popular",
            f"By tokens, {listed.span.phrase}.",
            address("/rankings", rest),
            _cards(services, window, directory(window=window, limit=_POPULAR)),
        ),
        AppGroup(
            "trending",
            "Trending",
            "Tokens against the mean of the three windows before.",
            address(PATH, changed(rest, sort="trending")),
            trending(services, window, _TRENDING),
        ),
    ]
    groups += [
        AppGroup(
            group,
            label_of(group),
            ", ".join(map(label_of, members)) + ".",
            address(PATH, changed(rest, category=group)),
            _cards(services, window, directory(category=group, window=window, limit=_OF_GROUP)),
        )
        for group, members in GROUPS.items()
    ]
    return tuple(group for group in groups if group.cards)


def _cards(services: WebServices, window: Window, page: DirectoryPage) -> tuple[Card, ...]:
    recent = window_to(window.end, SPARK_DAYS, services.floor)
    return tuple(Card(row, spark_of(services, row.app.app_id, recent, RankMetric.TOKENS)) for row in page.rows)


def _sorts(query: Query, sort: Order) -> Filter:
    return Filter(
        "Sort",
        tuple(
            FilterOption(
                label,
                address(PATH, changed(query, sort=unless(Order.POPULAR, each), offset="")),
                each is sort,
            )
            for each, label in _LABELS.items()
        ),
    )


def _offset(number: int) -> str:
    return str(number) if number else ""


def _title(listed: Listed) -> str:
    narrower = listed.subcategory or listed.category
    where = f" in {label_of(narrower)}" if narrower else ""
    if listed.search:
        return f"Apps that match “{listed.search}”{where}"
    return f"{'Trending apps' if listed.sort is Order.TRENDING else 'Apps'}{where}"


APPS = Page(PATH, _view, (Parameter("url"), *SPAN, *CATEGORY, SORT, SEARCH, OFFSET))
