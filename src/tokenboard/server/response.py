"""The head of a response: checked, framed, and turned into bytes."""

import re
from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from http import HTTPStatus
from typing import Final

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")  # RFC 9110 section 5.6.2
_CONTROLS: Final = bytes(code for code in range(32) if code != 0x09) + b"\x7f"

_PLAIN: Final = 0
_LENGTH: Final = 1
_CODING: Final = 2
_CONNECTION: Final = 3
_DATE: Final = 4
_UPGRADE: Final = 5
_KINDS: Final = {
    b"content-length": _LENGTH,
    b"transfer-encoding": _CODING,
    b"connection": _CONNECTION,
    b"date": _DATE,
    b"upgrade": _UPGRADE,
}
_MAX_NAMES: Final = 1_024
_kinds_seen: Final[dict[bytes, int]] = {}
"""Kinds of the names that applications have sent, which are found good here."""


class Framing(IntEnum):
    """How a client knows where the body ends (RFC 9112 section 6.3)."""

    NONE = 0
    LENGTH = 1
    CHUNKED = 2
    CLOSE = 3


_NONE: Final = Framing.NONE
_SIZED: Final = Framing.LENGTH
_CHUNKED: Final = Framing.CHUNKED
_CLOSE: Final = Framing.CLOSE


class BadResponse(Exception):
    """The application's answer cannot be sent as HTTP; the text holds no value of it."""


def render_head(
    status: int,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    whole: int | None,
    to_head: bool,
    version_1_0: bool,
    closes: bool,
    date: bytes,
) -> tuple[bytes, Framing, int, bool]:
    """Render a final response's head: its bytes, the body's framing and length, and whether the connection closes.

    The bytes end with the empty line; the length is 0 where none is told.

    ``whole`` is the body's length when all of it is there, ``to_head`` whether HEAD was asked, ``closes`` whether the
    connection ends after it; an application's ``Connection: close`` has that effect as well. The framing is chosen
    here: an application's Transfer-Encoding is left out, and so is anything else it says of the connection; only with
    an Upgrade does the Connection name that (RFC 9110 section 7.8).

    Raises:
        BadResponse: a status outside 200 to 999, a name that is no token, a value with a control character, a
            Content-Length that is no number or given twice.

    """
    bodiless = status in {204, 304}
    length: int | None = None
    dated = upgrades = False
    lines = [_status_line(status)]
    kinds = _kinds_seen
    for name, value in headers:
        kind = kinds.get(name)
        if kind is None:
            kind = _judge_name(name)
        if kind:
            if kind == _LENGTH:
                if length is not None or not value.isdigit() or len(value) > 18:
                    raise BadResponse("the Content-Length of an answer is no number, or given twice")
                length = int(value)
                if status == 204:
                    continue
            elif kind == _DATE:
                dated = True
            elif kind == _UPGRADE:
                upgrades = True
            else:
                closes = closes or (kind == _CONNECTION and value.strip().lower() == b"close")
                continue
        lines.append(name + b": " + value)
    framing = _SIZED
    if bodiless or to_head:
        framing = _NONE
    elif length is None and whole is not None:
        length = whole
        lines.append(b"content-length: %d" % whole)
    elif length is None and version_1_0:
        framing, closes = _CLOSE, True
    elif length is None:
        framing = _CHUNKED
        lines.append(b"transfer-encoding: chunked")
    if not dated:
        lines.append(date)
    if closes:
        lines.append(b"connection: close, upgrade" if upgrades else b"connection: close")
    elif version_1_0:
        lines.append(b"connection: keep-alive")
    elif upgrades:
        lines.append(b"connection: upgrade")
    block = b"\r\n".join(lines)
    # One pass over all lines: the only controls left may be the CR and LF of the joints.
    if len(block) - len(block.translate(None, _CONTROLS)) != 2 * (len(lines) - 1):
        raise BadResponse("a header value of an answer holds a control character")
    return block + b"\r\n\r\n", framing, length or 0, closes


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    if not 200 <= status <= 999:
        raise BadResponse("the status of an answer is not between 200 and 999")
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}".encode("ascii")


def _judge_name(name: bytes) -> int:
    if _TOKEN.fullmatch(name) is None:
        raise BadResponse("a header name of an answer is no token of at most 256 characters")
    kind = _KINDS.get(name.lower(), _PLAIN)
    if len(_kinds_seen) < _MAX_NAMES:
        _kinds_seen[name] = kind
    return kind
