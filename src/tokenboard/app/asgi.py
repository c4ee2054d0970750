"""Dispatch by path: the API's paths, and the pages for all others. The gateway is not ASGI, and comes before both."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

API_PATHS = ("/api", "/v1", "/healthz", "/readyz", "/internal", "/docs/api/try")
"""Path prefixes of the API."""


class Application:
    """Dispatches each request by its path."""

    def __init__(self, api: FastAPI, web: Starlette) -> None:
        self._api = api
        self._web = web

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        if any(path == own or path.startswith(f"{own}/") for own in API_PATHS):
            # FastAPI's routes have no HEAD: it is answered like GET, and the server omits the body.
            asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
            await self._api(asked, receive, send)
        else:
            await self._web(scope, receive, send)
