"""``/docs`` and ``/docs/attribution``: how figures come about, how an app gets listed, and a place to try it."""

from dataclasses import dataclass
from typing import Any

from tokenboard.analytics import Found, Listing, Period
from tokenboard.attribution import (
    CATEGORIES,
    GROUPS,
    MAX_APP_CATEGORIES,
    Attribution,
    Reason,
    RefererError,
    attribute,
)
from tokenboard.tables import instant
from tokenboard.web.layout import Layout, PageFormat, Query, twins
from tokenboard.web.pages.page import Page
from tokenboard.web.parameters import Parameter
from tokenboard.web.request import PageRequest
from tokenboard.web.services import WebServices
from tokenboard.web.snippets import snippets
from tokenboard.web.view import View

PATH = "/docs"
ATTRIBUTION_PATH = "/docs/attribution"
BUILT_IN_MODEL = "tokenboard/echo"
"""What the snippets ask where the board offers it: it needs no upstream and no account."""

MAX_TRIED = 1_000
"""Longest header that can be tried, in characters: more than an app's URL may have, so that the rules can say so."""

_JSON = (PageFormat.JSON,)
_TRIED = ("url", "title", "categories")


@dataclass(frozen=True, slots=True)
class Trial:
    """A set of headers that was tried, and what the rules make of it.

    ``listed`` is the visible app that such a request would count for, None when there is none yet.
    """

    url: str
    title: str
    categories: str
    who: Attribution
    listed: Listing | None

    @property
    def remedy(self) -> str:
        """How to fix what keeps the request from an app; empty when nothing does."""
        return "" if self.who.reason is None else str(RefererError(self.who.reason)).partition(": ")[2]


def _docs(services: WebServices, request: PageRequest) -> View:  # noqa: ARG001 - every page is given what was asked
    site = services.site
    as_of = services.rankings.as_of
    layout = Layout(
        title="How this works",
        description="How ranks are computed, what is stored and what never is, and how to use the figures.",
        address=PATH,
        section="docs",
        as_of=as_of,
        twins=twins(PATH, forms=_JSON),
    )
    window = services.analytics.window(Period.MONTH)
    citation = (
        f"{site.title}: app rankings, {window.start} to {window.end}, {site.base_url}/rankings, "
        f"figures of {instant(as_of)}."
    )
    document = {
        "data": {
            "title": site.title,
            "base_url": site.base_url,
            "api": f"{site.base_url}/api/v1",
            "citation": citation,
            "groups": {group: list(names) for group, names in GROUPS.items()},
            "addresses": {name: f"{site.base_url}{path}" for name, path in _ADDRESSES},
        },
        "meta": {"as_of": instant(as_of), "first_date": services.floor.isoformat()},
    }
    return View(
        layout, "docs.html", {"citation": citation, "floor": services.floor, "groups": GROUPS}, document=document
    )


_ADDRESSES = (
    ("rankings", "/rankings.json"),
    ("apps", "/apps.json"),
    ("models", "/models.json"),
    ("feed", "/feeds/apps.atom"),
    ("attribution", "/docs/attribution.json"),
    ("openapi", "/api/v1/openapi.json"),
)


def _attribution(services: WebServices, request: PageRequest) -> View:
    trial = _trial(services, request)
    code = snippets(services.site.base_url, _model(services))
    query: Query = (
        () if trial is None else (("url", trial.url), ("title", trial.title), ("categories", trial.categories))
    )
    layout = Layout(
        title="Get your app listed",
        description="Two headers make an app appear here: how to send them, by which rules they are read, and a place "
        "to try them.",
        address=ATTRIBUTION_PATH,
        section="docs",
        twins=twins(ATTRIBUTION_PATH, query, forms=_JSON),
        indexed=trial is None,
    )
    context = {
        "trial": trial,
        "snippets": code,
        "groups": GROUPS,
        "most_categories": MAX_APP_CATEGORIES,
        "count": len(CATEGORIES),
        "reasons": [(reason.value, str(RefererError(reason)).partition(": ")[2]) for reason in Reason],
    }
    document = {
        "data": {
            "trial": None if trial is None else _trial_document(trial),
            "snippets": [
                {"name": each.name, "language": each.language, "install": each.install or None, "code": each.code}
                for each in code
            ],
        },
        "meta": {"base_url": services.site.base_url},
    }
    return View(layout, "attribution.html", context, document=document)


def _trial(services: WebServices, request: PageRequest) -> Trial | None:
    """Return what is to be tried, None when nothing is; the rules of the settings' own apps are not in it."""
    given = {name: request.text(name, MAX_TRIED) for name in _TRIED}
    if not any(given.values()):
        return None
    lines = [
        (b"http-referer", given["url"]),
        (b"x-openrouter-title", given["title"]),
        (b"x-openrouter-categories", given["categories"]),
    ]
    who = attribute((name, value.encode("utf-8", "replace")) for name, value in lines if value)
    return Trial(given["url"], given["title"], given["categories"], who, _listed(services, who))


def _listed(services: WebServices, who: Attribution) -> Listing | None:
    if who.app is None or who.app.is_loopback:  # a loopback URL alone says nothing: several apps may share it
        return None
    found = services.analytics.lookup(who.app.url)
    if not isinstance(found, Found):
        return None
    detail = services.analytics.app(found.app_id)
    return None if detail is None else detail.app


def _model(services: WebServices) -> str:
    """Return the model that the snippets ask: the built-in one, or where that is off the one most asked here."""
    if services.site.echo:
        return BUILT_IN_MODEL
    rows = services.analytics.models(services.analytics.window(Period.MONTH), limit=1).rows
    return rows[0].model if rows else BUILT_IN_MODEL


def _trial_document(trial: Trial) -> dict[str, Any]:
    who = trial.who
    return {
        "url": trial.url or None,
        "tracked": who.tracked,
        "reason": who.reason,
        "remedy": trial.remedy or None,
        "app": None if who.app is None else {"url": who.app.url, "name": who.name},
        "listed": None if trial.listed is None else {"app_id": trial.listed.app_id, "name": trial.listed.name},
        "title": who.title,
        "categories": {
            "accepted": list(who.categories),
            "ignored": [{"value": item.value, "reason": item.reason} for item in who.ignored],
        },
        "warnings": [{"code": warning.code, "message": warning.message} for warning in who.warnings],
    }


DOCS = Page(PATH, _docs, (), _JSON)
ATTRIBUTION = Page(ATTRIBUTION_PATH, _attribution, tuple(map(Parameter, _TRIED)), _JSON)
