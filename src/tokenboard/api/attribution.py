"""``GET /attribution``: how the very request that asks would be attributed. Calls no model, stores nothing."""

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from tokenboard.api.services import Services
from tokenboard.api.threads import THREADS, route_in
from tokenboard.attribution import Attribution, attribute
from tokenboard.catalog import Catalog
from tokenboard.keys import Scope
from tokenboard.workers import Workers

_encoder = msgspec.json.Encoder()


def router(services: Services) -> APIRouter:
    """Return the one route."""
    routes = APIRouter(route_class=route_in(Workers("requests for an attribution", THREADS)))

    @routes.get("/attribution")
    def check_attribution(request: Request) -> Response:
        key = services.auth.check(request.headers.raw, None, request.client)
        who = attribute(request.headers.raw, services.options, key_label=key.label)
        # An operator sees every app there is; others those that may be shown.
        canonical = services.catalog.root_of if Scope.ADMIN in key.scopes else services.analytics.canonical_id
        body = _encoder.encode({"data": describe(who, services.catalog, canonical)})
        return Response(body, media_type="application/json")

    return routes


def describe(
    who: Attribution, catalog: Catalog | None, canonical: Callable[[int], int | None] | None = None
) -> dict[str, Any]:
    """Return an attribution as the API shows it.

    ``catalog`` None leaves the app's ids unknown. ``canonical`` gives the id of the app that an id counts for, None
    for one that the reader may not know of: it is then shown as if it had never been seen. Without it the catalog
    says, of every app.
    """
    return {
        "tracked": who.tracked,
        "reason": who.reason,
        "app": _app(who, catalog, canonical),
        "title": who.title,
        "title_source": who.title_source,
        "categories": {
            "accepted": list(who.categories),
            "ignored": [{"value": item.value, "reason": item.reason} for item in who.ignored],
        },
        "warnings": [{"code": warning.code, "message": warning.message} for warning in who.warnings],
        "rule": None if who.rule is None else {"url": who.rule.url},
    }


def _app(
    who: Attribution, catalog: Catalog | None, canonical: Callable[[int], int | None] | None
) -> dict[str, Any] | None:
    if who.app is None:
        return None
    known = catalog.identified(who.app) if catalog is not None else None
    counts_for = None if known is None or catalog is None else (canonical or catalog.root_of)(known.id)
    if counts_for is None:
        known = None
    return {
        "app_id": known.id if known else None,
        "url": who.app.url,
        "name": known.name if known and known.pinned else who.name,
        "canonical_app_id": counts_for,
    }
