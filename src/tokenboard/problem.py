"""The one error shape, for every status and every route.

``{"error": {"code": <HTTP status>, "message": "<what is wrong and how to mend it>", "metadata": {…}?}}``: the shape
that the OpenRouter SDK reads, and that the OpenAI SDKs accept.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()


class Problem(Exception):
    """Something is wrong with a request, or with us; raised anywhere below a route, shown to the caller.

    ``status`` is the HTTP status, ``message`` says what is wrong and how to mend it, ``metadata`` holds
    machine-readable details, ``headers`` further response headers by name. Never put a key's secret, a prompt or an
    answer into one.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.metadata = metadata
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """Return the JSON body, UTF-8."""
        error: dict[str, Any] = {"code": self.status, "message": self.message}
        if self.metadata is not None:
            error["metadata"] = self.metadata
        return _encoder.encode({"error": error})

    def asgi_messages(self, headers: Iterable[tuple[bytes, bytes]] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the two ASGI messages that answer with this problem, with further response ``headers``."""
        body = self.body()
        own = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
        framing = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        start = {"type": "http.response.start", "status": self.status, "headers": [*framing, *own, *headers]}
        return start, {"type": "http.response.body", "body": body}
