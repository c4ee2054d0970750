"""What all routes of the Admin API share: the key's check, the body's limit, the catalog's refusals as errors."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from tokenboard.api.services import Services
from tokenboard.api.threads import route_in
from tokenboard.catalog import (
    AmbiguousApp,
    CatalogError,
    CatalogUnavailable,
    FoldRefused,
    InvalidValue,
    KeyRevoked,
    LimitReached,
    MergeRefused,
    UndoRefused,
    UnknownApp,
    UnknownEntry,
    UnknownKey,
)
from tokenboard.keys import Key, Scope
from tokenboard.problem import Problem
from tokenboard.workers import Workers

THREADS = 8
"""Operators' changes at one time; each writes alone, the others wait."""

MAX_BYTES = 64 * 1024
"""Bytes of a body at most."""

_READING = frozenset({"GET", "HEAD"})

# What the catalog refuses. An unavailable store and an internal error are answered as on every route.
_STATUS: dict[type[CatalogError], int] = {
    UnknownApp: 404,
    UnknownEntry: 404,
    UnknownKey: 404,
    InvalidValue: 400,
    AmbiguousApp: 409,
    FoldRefused: 409,
    KeyRevoked: 409,
    LimitReached: 409,
    MergeRefused: 409,
    UndoRefused: 409,
}


def admin_route(services: Services) -> type[APIRoute]:
    """Return the class of routes that only a key with the scope ``admin`` gets to.

    The key is checked before the body is read or any parameter looked at. Answers are not to be stored by anybody.
    """
    workers = Workers("changes and questions by operators", THREADS)

    class AdminRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def handle(request: Request) -> Response:
                request.state.key = services.auth.check(request.headers.raw, Scope.ADMIN, request.client)
                body = await _read(request)
                try:
                    response = await answer(Request(request.scope, _given(body)))
                except tuple(_STATUS) as error:
                    raise _problem_of(error) from error
                if request.method not in _READING:
                    await workers.run(partial(_put_in_force, services))
                response.headers["Cache-Control"] = "no-store"
                return response

            return handle

    return route_in(workers, AdminRoute)


def _put_in_force(services: Services) -> None:
    """Return once what was changed is in force; raises Problem: 503, it is stored and not in force yet."""
    try:
        services.catch_up()
    except CatalogUnavailable as error:
        raise Problem(
            503,
            "The change is stored, but the catalog cannot be read anew at the moment: it comes into force by itself as "
            "soon as it can. Do not send it again; a secret it would have shown is had by rotating the key.",
        ) from error


def _actor(request: Request) -> str:
    """Return whom the audit log names: the label of the key."""
    key: Key = request.state.key
    return key.label


Actor = Annotated[str, Depends(_actor)]


async def _read(request: Request) -> bytes:
    """Return the body; raises Problem: 413 past `MAX_BYTES`."""
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > MAX_BYTES:
            raise Problem(413, f"The body is larger than {MAX_BYTES:,} bytes, which no request here needs.")
    return bytes(pieces)


def _given(body: bytes) -> Callable[[], Coroutine[Any, Any, Message]]:
    """Return what an application receives when the whole body is there."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _problem_of(error: CatalogError) -> Problem:
    """Return a refusal as an error of the API."""
    metadata: dict[str, Any] = {"hint": error.hint}
    if isinstance(error, UnknownApp) and error.tried is not None:
        metadata["tried"] = error.tried
    if isinstance(error, AmbiguousApp):
        metadata["app_ids"] = list(error.ids)
    text = str(error).rstrip(".")
    if "://" not in text.partition(" ")[0]:  # a URL stays as it is
        text = f"{text[:1].upper()}{text[1:]}"
    return Problem(_STATUS[type(error)], f"{text}. {error.hint}", metadata=metadata)
