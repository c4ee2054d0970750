"""``GET /attribution``: how the very request that asks would be attributed. Calls no model, stores nothing."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from tokenboard.api.services import Services
from tokenboard.attribution import Attribution, attribute
from tokenboard.catalog import Catalog

_encoder = msgspec.json.Encoder()


def router(services: Services) -> APIRouter:
    """Return the one route."""
    routes = APIRouter()

    @routes.get("/attribution")
    def check_attribution(request: Request) -> Response:
        key = services.access.check(request.headers.raw, None, request.client)
        who = attribute(request.headers.raw, services.options, key_label=key.label)
        body = _encoder.encode({"data": describe(who, services.catalog)})
        return Response(body, media_type="application/json")

    return routes


def describe(who: Attribution, catalog: Catalog | None) -> dict[str, Any]:
    """Return an attribution as the API shows it; ``catalog`` None leaves the app's ids unknown."""
    return {
        "tracked": who.tracked,
        "reason": who.reason,
        "app": _app(who, catalog),
        "title": who.title,
        "title_source": who.title_source,
        "categories": {
            "accepted": list(who.categories),
            "ignored": [{"value": item.value, "reason": item.reason} for item in who.ignored],
        },
        "warnings": [{"code": warning.code, "message": warning.message} for warning in who.warnings],
        "rule": None if who.rule is None else {"url": who.rule.url},
    }


def _app(who: Attribution, catalog: Catalog | None) -> dict[str, Any] | None:
    if who.app is None:
        return None
    known = catalog.identified(who.app) if catalog is not None else None
    return {
        "app_id": known.id if known else None,
        "url": who.app.url,
        "name": known.name if known and known.pinned else who.name,
        "canonical_app_id": catalog.root_of(known.id) if known and catalog else None,
    }
