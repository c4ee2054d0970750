"""Kinds of values that settings take, checked when they are read.

The messages never repeat a value: it may be a secret in the wrong place.
"""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_ORIGIN = re.compile(r"\*|https?://[A-Za-z0-9.\-\[\]:]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})


def _web_url(url: str) -> str:
    if not url:
        return url
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("must be ASCII without spaces; write an international host in its xn-- form")
    if not url.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    try:
        parts = urlsplit(url)
        placed = bool(parts.hostname) and parts.port != 0
    except ValueError:
        # Its text may hold a piece of the value.
        placed = False
    if not placed:
        raise ValueError("must name a host, and a port between 1 and 65535 if any")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or password; use api_key_env, or headers")
    if "?" in url or "#" in url:
        raise ValueError("must end with its path, without ? and #")
    return url.rstrip("/")


def _variable_name(name: str) -> str:
    if name and _VARIABLE.fullmatch(name) is None:
        raise ValueError("must be the name of an environment variable, not the key itself")
    return name


def _header_fields(fields: dict[str, str]) -> dict[str, str]:
    for name, value in fields.items():
        if _HEADER_NAME.fullmatch(name) is None:
            raise ValueError("must have names made of letters, digits and - alone")
        if name.lower() in _FRAMING:
            raise ValueError(f"must not hold {name}, which the gateway sets itself")
        if _CONTROL.search(value):
            raise ValueError(f"must have no control character, such as a line break, in the value of {name}")
    return fields


def _cors_origin(origin: str) -> str:
    if origin and _ORIGIN.fullmatch(origin) is None:
        raise ValueError("must be * or one origin, such as https://board.example")
    return origin


def _ledger_dsn(dsn: str) -> str:
    if not dsn:
        return dsn
    scheme, separator, rest = dsn.partition("://")
    if not separator or scheme not in {"chdb", "clickhouse", "clickhouses"}:
        raise ValueError("must be chdb:///FOLDER, clickhouse://HOST or clickhouses://HOST")
    # Elsewhere chdb:// followed by a name is a store in memory, or a folder relative to wherever the program starts.
    if scheme == "chdb" and (not rest.startswith("/") or not rest.strip("/") or "?" in rest or "#" in rest):
        raise ValueError("must be chdb:// and an absolute folder without ? and #, such as chdb:///var/lib/ledger")
    return dsn


def _redis_url(url: str) -> str:
    if not url:
        return url
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"redis", "rediss", "unix"} and bool(
            parts.path if parts.scheme == "unix" else parts.hostname
        )
        sound = sound and (parts.scheme == "unix" or parts.port != 0)
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("must be redis://HOST:PORT/DB, rediss:// the same with TLS, or unix:///SOCKET")
    return url


WebUrl = Annotated[str, AfterValidator(_web_url)]
"""An http or https URL without user, query and fragment; the empty text is allowed; no slash at the end."""

VariableName = Annotated[str, AfterValidator(_variable_name)]
"""The name of an environment variable, or the empty text."""

HeaderFields = Annotated[dict[str, str], AfterValidator(_header_fields)]
"""Request headers by name (RFC 9110, 5.1 and 5.5)."""

EmbeddedOrServerDsn = Annotated[str, AfterValidator(_ledger_dsn)]
"""Where the ledger is: ``chdb:///FOLDER`` or ``clickhouse://…``; the empty text is allowed."""

CorsOrigin = Annotated[str, AfterValidator(_cors_origin)]
"""A value of Access-Control-Allow-Origin (fetch.spec.whatwg.org), or the empty text."""
RedisUrl = Annotated[str, AfterValidator(_redis_url)]
"""URL of a Redis server, or empty."""
