"""Errors: what one says, and its shape for clients of each dialect.

    {"error": {"code": <HTTP status>, "message": "<what is wrong and how to fix it>", "metadata": {…}?}}

That shape, which the OpenRouter SDK reads, is the board's own. OpenAI's clients look for ``type`` and ``param`` as well
and find them on the routes they call; Anthropic's read another shape altogether, and get it on theirs:

    {"type": "error", "error": {"type": "…", "message": "…", "metadata": {…}?}, "request_id": "…"}
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()

_BASES = ("/api/v1/", "/v1/")
_MESSAGES = "messages"
_OPENAI = frozenset({"chat", "completions", "embeddings", "responses"})
_OWN = frozenset(
    {"admin", "apps", "attribution", "credits", "datasets", "generation", "key", "openapi.json", "providers", "usage"}
)


class Dialect(Enum):
    """Whose clients read an error."""

    BOARD = "board"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"


# https://platform.openai.com/docs/guides/error-codes
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
# https://docs.anthropic.com/en/api/errors; 503 is what we say where Anthropic says 529.
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def dialect_of(path: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> Dialect:
    """Return the dialect in which errors of a path are answered; header names in lower case.

    Below a base, ``messages`` is Anthropic's and inference else OpenAI's; of what both have (``models``), and of what
    is not there at all, the header ``anthropic-version`` decides, which Anthropic's clients send with every request.
    """
    base = next((base for base in _BASES if path.startswith(base)), None)
    if base is None:
        return Dialect.BOARD
    first = path[len(base) :].partition("/")[0]
    if first == _MESSAGES:
        return Dialect.ANTHROPIC
    if first in _OWN or (first == "models" and path.endswith("/apps")):
        return Dialect.BOARD
    if first not in _OPENAI and any(name == b"anthropic-version" for name, _ in headers):
        return Dialect.ANTHROPIC
    return Dialect.OPENAI


RETRY_AFTER_S = 2


class Problem(Exception):
    """Something is wrong with a request, or with us; raised anywhere below a route, shown to the caller.

    ``status`` is the HTTP status, ``message`` says what is wrong and how to fix it, ``metadata`` holds
    machine-readable details, ``param`` names the member or parameter at fault (``metadata.parameter`` unless given),
    ``headers`` further response headers by name. Never put a key's secret, a prompt or an answer into one.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.metadata = metadata
        self.param = param if param is not None else (metadata or {}).get("parameter")
        self.headers = dict(headers or {})

    def error(self, dialect: Dialect = Dialect.BOARD) -> dict[str, Any]:
        """Return the object that the body holds as ``error``."""
        status = self.status
        if dialect is Dialect.ANTHROPIC:
            told: dict[str, Any] = {"type": _anthropic_type(status), "message": self.message}
        elif dialect is Dialect.OPENAI:
            told = {"code": status, "message": self.message, "type": _openai_type(status), "param": self.param}
        else:
            told = {"code": status, "message": self.message}
        return told if self.metadata is None else told | {"metadata": self.metadata}

    def body(self, dialect: Dialect = Dialect.BOARD, request_id: str | None = None) -> bytes:
        """Return the JSON body, UTF-8; the request's id is in Anthropic's dialect alone."""
        told: dict[str, Any] = {"error": self.error(dialect)}
        if dialect is Dialect.ANTHROPIC:
            told = {"type": "error"} | told | {"request_id": request_id}
        return _encoder.encode(told)

    def asgi_messages(
        self,
        headers: Iterable[tuple[bytes, bytes]] = (),
        dialect: Dialect = Dialect.BOARD,
        request_id: str | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the two ASGI messages that answer with this problem, with further response ``headers``."""
        body = self.body(dialect, request_id)
        own = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
        framing = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if dialect is Dialect.ANTHROPIC and request_id is not None:
            own.append((b"request-id", request_id.encode()))  # where Anthropic's SDKs look for it
        start = {"type": "http.response.start", "status": self.status, "headers": [*framing, *own, *headers]}
        return start, {"type": "http.response.body", "body": body}


def _openai_type(status: int) -> str:
    return "server_error" if status >= 500 else _OPENAI_TYPES.get(status, "invalid_request_error")


def _anthropic_type(status: int) -> str:
    return _ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


def store_away(store: str, within_s: float | None) -> Problem:
    """Return the error for a store that does not answer, or did not within so many seconds; 503."""
    what = "does not answer at the moment" if within_s is None else f"did not answer within {within_s:g} s"
    return Problem(503, f"The {store} {what}; try again later.", headers={"Retry-After": str(RETRY_AFTER_S)})
