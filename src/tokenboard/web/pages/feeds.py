"""``/feeds/apps.atom`` and ``/feeds/apps/{app_id}.atom``: who entered the top, passed others, began to trend."""

import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlsplit

from tokenboard.web.feeds import Entry, Feed, Movement, News, read_news, write_atom
from tokenboard.web.feeds.atom import MEDIA_TYPE
from tokenboard.web.numbers import compact, exact, growth
from tokenboard.web.pages.app_use import find_app
from tokenboard.web.pages.page import PageResource
from tokenboard.web.rendering import Rendered, rendered
from tokenboard.web.request import PageRequest
from tokenboard.web.services import WebServices
from tokenboard.web.site import Site

PATH = "/feeds/apps.atom"
APP_PATH = "/feeds/apps/{app_id}.atom"

TOP = 20
"""Places whose movements are in the feed of all apps; an app that begins to trend is in it from any place."""

MOST_ENTRIES = 100
_NAMED = 3  # of the apps that were passed; the others are counted
_RIGHT_TO_LEFT = {"R", "AL", "AN"}


def _apps_feed(services: WebServices, request: PageRequest) -> Rendered:  # noqa: ARG001 - every drawing is given what was asked
    news = _news(services)
    chosen = (each for each in news.movements if each.rank <= TOP or each.trending)
    title = f"{services.site.signature}: movements in the app ranking"
    return _rendered_feed(services.site, news, chosen, path=PATH, page="/rankings", title=title, subject="apps")


def _app_feed(services: WebServices, request: PageRequest) -> Rendered:
    app = find_app(services, request)
    app_id = app.app.app_id
    news = _news(services)
    chosen = (each for each in news.movements if app_id == each.app_id or app_id in each.passed)
    return _rendered_feed(
        services.site,
        news,
        chosen,
        path=f"/feeds/apps/{app_id}.atom",
        page=f"/apps/{app_id}",
        title=f"{services.site.signature}: {apart(app.app.name)}",
        subject=apart(app.app.name),
    )


def _news(services: WebServices) -> News:
    return read_news(services.rankings, floor=services.floor, today=services.analytics.today)


def _rendered_feed(
    site: Site, news: News, chosen: Iterable[Movement], *, path: str, page: str, title: str, subject: str
) -> Rendered:
    entries = [entry_of(site, news, movement) for movement, _ in zip(chosen, range(MOST_ENTRIES), strict=False)]
    feed = Feed(
        id=_tag(site, date(2025, 1, 1), path.strip("/").removesuffix(".atom")),
        title=title,
        subtitle=f"How {subject} moved in the weekly ranking by tokens, as each UTC day was completed.",
        author=site.title,
        link=site.base_url + page,
        own=site.base_url + path,
        updated=entries[0].updated if entries else news.until,
        entries=entries,
    )
    return rendered(write_atom(feed), MEDIA_TYPE)


def entry_of(site: Site, news: News, movement: Movement) -> Entry:
    """Return a movement's entry. Its time is the end of its day, and its id names day and app: it never changes."""
    names = {app_id: apart(news.names[app_id]) for app_id in (movement.app_id, *movement.passed)}
    name, passed = names[movement.app_id], [names[app_id] for app_id in movement.passed]
    above = growth((3 * movement.tokens - movement.before) / movement.before) if movement.before else ""
    if movement.entered is not None:
        title = f"{name} entered the top {movement.entered}, at #{movement.rank}"
    elif passed:
        title = f"{name} passed {_listed(passed, 1)}, now #{movement.rank}"
    else:
        title = f"{name} is trending: {above}"
    said = [
        f"{name} is #{movement.rank} of the seven days to {movement.day}, with {compact(movement.tokens)} tokens "
        f"({exact(movement.tokens)})."
    ]
    if passed:
        said.append(f"It passed {_listed(passed, _NAMED)}.")
    if movement.trending:
        said.append(f"That is {above} against the mean of the three weeks before.")
    terms = {"entrant": movement.entered is not None, "overtake": bool(passed), "trending": movement.trending}
    return Entry(
        id=_tag(site, movement.day, f"apps/{movement.app_id}"),
        title=title,
        summary=" ".join(said),
        link=f"{site.base_url}/apps/{movement.app_id}",
        updated=datetime.combine(movement.day + timedelta(days=1), time(), UTC),
        terms=tuple(term for term, holds in terms.items() if holds),
    )


def apart(name: str) -> str:
    """Return a name for use in a sentence: one that runs from right to left does not turn what is around it."""
    turns = any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in name)
    return f"\u2068{name}\u2069" if turns else name


def _listed(names: list[str], most: int) -> str:
    named, rest = names[:most], len(names) - most
    if rest > 0:
        return f"{', '.join(named)} and {rest} {'other' if rest == 1 else 'others'}"
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def _tag(site: Site, day: date, name: str) -> str:
    """Return an id by RFC 4151."""
    return f"tag:{urlsplit(site.base_url).hostname},{day}:{name}"


APPS_FEED = PageResource(PATH, _apps_feed, (), by_renderer=False)
APP_FEED = PageResource(APP_PATH, _app_feed, (), by_renderer=False)
