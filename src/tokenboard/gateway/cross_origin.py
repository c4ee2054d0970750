"""CORS headers of the gateway's answers: https://fetch.spec.whatwg.org/#http-cors-protocol."""

from collections.abc import Iterable

from tokenboard.http_fields import ALLOWED_HEADERS, EXPOSED_HEADERS, PREFLIGHT_AGE_S


def cors_headers(origin: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers of every answer, errors too, for the value of Access-Control-Allow-Origin."""
    headers = (
        (b"access-control-allow-origin", origin.encode()),
        (b"access-control-expose-headers", EXPOSED_HEADERS.encode()),
    )
    return headers if origin == "*" else (*headers, (b"vary", b"Origin"))


def preflight_headers(methods: Iterable[str]) -> list[tuple[bytes, bytes]]:
    """Return the further headers of an answer to a preflight: what an address takes, and for how long that holds."""
    return [
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", ALLOWED_HEADERS.encode()),
        (b"access-control-max-age", str(PREFLIGHT_AGE_S).encode()),
        (b"content-length", b"0"),
    ]
