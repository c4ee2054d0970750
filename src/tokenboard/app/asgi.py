"""One ASGI application of two: the gateway for its own paths, the API for all others."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI

from tokenboard.gateway import Gateway

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Application:
    """Hands each request to whoever owns its path."""

    def __init__(self, gateway: Gateway, api: FastAPI) -> None:
        self._gateway = gateway
        self._api = api

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and self._gateway.owns(scope["path"]):
            await self._gateway(scope, receive, send)
        else:
            await self._api(scope, receive, send)
