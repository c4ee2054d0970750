"""HTTP fields read by their grammar (RFC 9110), for the API, the pages and their files alike.

    the lines of one field ─▶ a list, its quoted strings whole ─▶ what was asked: a type, a coding, a tag, credentials

A field may come in several lines, which are one list (RFC 9110 section 5.3): every function takes all of them. What
does not follow the grammar is as if it were not there; nothing here raises.
"""

from tokenboard.http_fields.conditions import none_match
from tokenboard.http_fields.content import content_codings, credentials, media_type
from tokenboard.http_fields.cross_origin import ALLOWED_HEADERS, EXPOSED_HEADERS, PREFLIGHT_AGE_S
from tokenboard.http_fields.negotiation import accepts_gzip, preferred

__all__ = [
    "ALLOWED_HEADERS",
    "EXPOSED_HEADERS",
    "PREFLIGHT_AGE_S",
    "accepts_gzip",
    "content_codings",
    "credentials",
    "media_type",
    "none_match",
    "preferred",
]
