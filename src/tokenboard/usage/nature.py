"""What a body is, told by its first bytes; labels decide only where these do not (usage: rule 8)."""

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final


class Nature(IntEnum):
    """What a body turns out to be."""

    UNSEEN = 0
    """Too little has come to tell."""
    EVENTS = 1
    """An event stream."""
    LINES = 2
    """JSON documents, one a line."""
    DOCUMENT = 3
    """One JSON document, of use to nobody before it is whole."""
    OTHER = 4


BOM: Final = b"\xef\xbb\xbf"
_WHITESPACE: Final = b" \t\r\n"
_FIELDS: Final = (b"data", b"event", b"id", b"retry", b"error")
_FIELD: Final = re.compile(rb"(?:data|event|id|retry|error)[:\r\n]")
_LINES_TYPES: Final = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/jsonlines",
        "application/json-lines",
        "application/x-json-stream",
    }
)
_WORDLESS: Final = ("audio/", "image/", "video/", "font/", "application/pdf", "application/zip")


@lru_cache(maxsize=256)
def media_type(content_type: str | bytes | None) -> str:
    """Return the media type of a header's value, in lower case and without parameters."""
    if content_type is None:
        return ""
    text = content_type if isinstance(content_type, str) else content_type.decode("latin-1")
    return text.partition(";")[0].strip().lower()


def names_lines(kind: str) -> bool:
    """Tell whether a media type promises one JSON document a line."""
    return kind in _LINES_TYPES


def is_wordless(kind: str) -> bool:
    """Tell whether a media type promises nothing that could tell of usage."""
    return kind.startswith(_WORDLESS)


def recognise(start: bytes, kind: str, *, last: bool = False) -> tuple[Nature, bytes]:
    """Tell what a body of this media type is that begins like this, and what of the start is to be read.

    ``last``: the start is all there is. White space and a byte order mark, before anything else, are left out.
    """
    if BOM.startswith(start[:3]) and start[:3] != BOM and not last:
        return Nature.UNSEEN, start
    text = start.removeprefix(BOM).lstrip(_WHITESPACE)
    if not text:
        return Nature.UNSEEN, start[:3] if start.startswith(BOM) else b""
    if text[:1] in (b"{", b"["):
        return Nature.DOCUMENT, text
    if text[:1] == b":" or kind == "text/event-stream" or _FIELD.match(text) is not None:
        return Nature.EVENTS, text
    if any(field.startswith(text) for field in _FIELDS):
        return (Nature.OTHER if last else Nature.UNSEEN), start
    return Nature.OTHER, text
