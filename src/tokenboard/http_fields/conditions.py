"""``If-None-Match``: whether a client has what would be sent (RFC 9110 section 13.1.2)."""

import re
from collections.abc import Iterable

from tokenboard.http_fields.grammar import joined

# Section 8.8.3: no escape, no space, and a comma parts nothing within the quotes.
_tag = re.compile(r'[ \t]*(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|$)')


def none_match(lines: Iterable[str], etag: str) -> bool:
    """Whether ``If-None-Match`` names this ETag, by weak comparison, or is ``*``: then the answer is 304.

    ``etag`` is an entity tag as it is sent, with its quotes.
    """
    value = joined(lines)
    if value.strip(" \t") == "*":
        return True
    opaque = etag.removeprefix("W/")
    place = 0
    while place < len(value):
        tag = _tag.match(value, place)
        if tag is not None:
            if tag[1] == opaque:
                return True
            place = tag.end()
        else:  # not a tag: the next may be one
            comma = value.find(",", place)
            place = len(value) if comma < 0 else comma + 1
    return False
