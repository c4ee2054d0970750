"""Which pages of other origins may read the data, as the setting says."""

from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tokenboard.http_fields import ALLOWED_HEADERS, EXPOSED_HEADERS, PREFLIGHT_AGE_S

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": ALLOWED_HEADERS,
    "Access-Control-Max-Age": str(PREFLIGHT_AGE_S),
    "Content-Length": "0",
}


class Cors:
    """Adds the headers of CORS to every answer of the paths that begin with ``prefixes``, errors too.

    ``origin`` is what Access-Control-Allow-Origin says; None leaves everything as it is. A preflight is answered with
    204 and counts nowhere. https://fetch.spec.whatwg.org/#http-cors-protocol
    """

    def __init__(self, app: ASGIApp, *, origin: str | None, prefixes: tuple[str, ...]) -> None:
        self._app = app
        self._origin = origin
        self._prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        origin = self._origin
        if origin is None or scope["type"] != "http" or not scope["path"].startswith(self._prefixes):
            await self._app(scope, receive, send)
            return
        allowed = {"Access-Control-Allow-Origin": origin} | ({} if origin == "*" else {"Vary": "Origin"})
        if scope["method"] == "OPTIONS":
            head = [(name.lower().encode(), value.encode()) for name, value in (allowed | _PREFLIGHT).items()]
            await send({"type": "http.response.start", "status": 204, "headers": head})
            await send({"type": "http.response.body", "body": b""})
            return

        async def pass_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: Any = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = origin
                headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
                if origin != "*":
                    headers.add_vary_header("Origin")
            await send(message)

        await self._app(scope, receive, pass_on)
