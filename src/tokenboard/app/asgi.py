"""The API for its own paths, the pages for all others; the gateway, which is no ASGI application, comes before both."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

API_PATHS = ("/api", "/v1", "/healthz", "/readyz", "/internal", "/docs/api/try")
"""What the API answers, and everything below each."""


class Application:
    """Hands each request to whoever owns its path."""

    def __init__(self, api: FastAPI, web: Starlette) -> None:
        self._api = api
        self._web = web

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        if any(path == own or path.startswith(f"{own}/") for own in API_PATHS):
            # FastAPI's routes know no HEAD: it is answered as GET is, and the server leaves the body out.
            asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
            await self._api(asked, receive, send)
        else:
            await self._web(scope, receive, send)
