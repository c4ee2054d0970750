"""The FastAPI application: routes, and one shape for every error."""

from collections.abc import Awaitable, Callable
from functools import cache, partial

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from tokenboard import __version__
from tokenboard.api import (
    admin,
    apps,
    attribution,
    datasets,
    generation,
    health,
    key,
    openapi,
    remote_gateways,
    try_page,
    upkeep,
    usage,
)
from tokenboard.api.cors import Cors
from tokenboard.api.delivery import Delivery
from tokenboard.api.services import Services
from tokenboard.catalog import CatalogUnavailable
from tokenboard.ledger import LedgerUnavailable
from tokenboard.observability import BoundedLog, logger
from tokenboard.problem import Problem, dialect_of, store_away
from tokenboard.query import ParameterError
from tokenboard.rankings import NotFilledError
from tokenboard.spool import SpoolUnavailable

BASE = "/api/v1"
"""Base path of the Data API."""

INFERENCE_BASES = (BASE, "/v1")
"""Where the routes beside the inference endpoints live: as these do, under the OpenAI-style alias too."""

OPEN_PREFIXES = (
    *(f"{BASE}/{name}" for name in ("datasets/", "apps", "models/", "openapi.json", "attribution")),
    *(f"{base}/{name}" for base in INFERENCE_BASES for name in ("generation", "key", "credits")),
)
"""What pages of other origins may read, if the setting says so: figures, and what callers of models ask beside them."""

_log = logger("api")
_RETRY = {"Retry-After": "2"}
_NOTES = {
    400: "The body is not JSON in UTF-8.",
    404: "There is nothing at {path}. The Data API lives under /api/v1, the inference endpoints under /api/v1 and /v1.",
    405: "{path} does not take {method}. It takes: {allow}.",
}


def create_api(services: Services) -> FastAPI:
    """Return the application that answers everything but the inference endpoints."""
    api = FastAPI(
        title="tokenboard",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # an unknown path is 404, in the one shape, not a redirect to a host the caller named
    )
    delivery = Delivery(services)
    for data in (datasets, apps):
        api.include_router(data.router(services, delivery), prefix=BASE)
    for routes in (attribution, usage, admin):
        api.include_router(routes.router(services), prefix=BASE)
    for routes in (key, generation):
        router = routes.router(services)
        for base in INFERENCE_BASES:
            api.include_router(router, prefix=base)
    for routes in (health, upkeep, remote_gateways):
        api.include_router(routes.router(services))
    api.include_router(usage.internal_router(services))
    api.include_router(openapi.router(cache(lambda: msgspec.json.encode(openapi.describe(api)))))
    api.include_router(try_page.router(services.try_page))

    # Looked up by class, most specific first; what no other handler knows is an internal error and is answered as such.
    api.add_exception_handler(Problem, _handler(_pass_on))
    api.add_exception_handler(ParameterError, _handler(_bad_question))
    api.add_exception_handler(RequestValidationError, _handler(_invalid))
    api.add_exception_handler(HTTPException, _handler(_http))
    api.add_exception_handler(ClientDisconnect, _handler(_left))
    api.add_exception_handler(NotFilledError, _handler(_not_filled))
    log = BoundedLog(_log)
    for away in (CatalogUnavailable, LedgerUnavailable, SpoolUnavailable):
        api.add_exception_handler(away, _handler(partial(_unavailable, log)))
    api.add_exception_handler(Exception, _handler(_fault))
    api.add_middleware(Cors, origin=services.data.cors_origin, prefixes=OPEN_PREFIXES)
    return api


def _handler(
    explain: Callable[[Request, Exception], Problem],
) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        problem = explain(request, error)
        headers = getattr(request.state, "headers", {}) | problem.headers
        dialect = dialect_of(request.url.path, request.headers.raw)
        return Response(problem.body(dialect), problem.status, headers, "application/json")

    return handle


def _pass_on(request: Request, error: Exception) -> Problem:  # noqa: ARG001
    assert isinstance(error, Problem)  # noqa: S101 - registered for it alone
    return error


def _bad_question(request: Request, error: Exception) -> Problem:  # noqa: ARG001
    assert isinstance(error, ParameterError)  # noqa: S101
    return Problem(400, error.message, metadata={"parameter": error.parameter})


def _invalid(request: Request, error: Exception) -> Problem:  # noqa: ARG001
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if place == ["body"]:
        return Problem(400, "The body must be a JSON object, sent with `Content-Type: application/json`.")
    # Without "query", "path" or "body": as parameters are named everywhere else.
    metadata = {"parameter": ".".join(place[1:])}
    return Problem(400, f"{'.'.join(place)}: {first['msg']}.", metadata=metadata)


def _http(request: Request, error: Exception) -> Problem:
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = _allowed(request)
    note = _NOTES.get(error.status_code)
    if note is None:
        return Problem(error.status_code, str(error.detail), headers=headers)
    path = str(request.scope["path"])[:200]
    return Problem(
        error.status_code,
        note.format(path=path, method=request.method[:20], allow=headers.get("Allow", "other methods")),
        headers=headers,
    )


def _allowed(request: Request) -> str:
    """Return the methods that a path takes; Starlette itself knows those of the first route there only."""
    taken = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]
    return ", ".join(taken).replace("GET", "GET, HEAD")


def _not_filled(request: Request, error: Exception) -> Problem:  # noqa: ARG001
    return Problem(503, f"{error}.", headers=_RETRY)


def _left(request: Request, error: Exception) -> Problem:  # noqa: ARG001
    # The server counts those; nobody is there to read this, unless the client only stopped sending.
    return Problem(400, "The connection closed before the body was complete.")


def _unavailable(log: BoundedLog, request: Request, error: Exception) -> Problem:  # noqa: ARG001
    facts = {"reason": str(error), "hint": getattr(error, "hint", "")}
    log.error(type(error).__name__, "a store is away", facts)
    return store_away(getattr(error, "store", "store behind the board"), getattr(error, "within_s", None))


def _fault(request: Request, error: Exception) -> Problem:
    _log.error("a request failed by a fault of ours", extra={"path": str(request.scope["path"])[:200]}, exc_info=error)
    return Problem(500, "Something went wrong here, not with your request; the server's log tells more.")
