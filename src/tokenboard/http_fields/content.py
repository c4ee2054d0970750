"""``Content-Type``, ``Content-Encoding`` and ``Authorization``."""

from collections.abc import Iterable

from tokenboard.http_fields.grammar import is_token, members


def media_type(line: str) -> str:
    """Return the type of a ``Content-Type`` without its parameters, in lower case; empty when it is none."""
    value = line.partition(";")[0].strip(" \t").lower()
    kind, slash, subtype = value.partition("/")
    return value if slash and is_token(kind) and is_token(subtype) else ""


def content_codings(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the codings of a ``Content-Encoding`` in the order they were applied, lower case, without identity.

    RFC 9110 section 8.4. ``x-gzip`` is ``gzip``.
    """
    named = (member.lower() for member in members(lines))
    return tuple("gzip" if name == "x-gzip" else name for name in named if name != "identity")


def credentials(value: bytes) -> tuple[bytes, bytes]:
    """Return the scheme of an ``Authorization``, in lower case, and what follows it (RFC 9110 section 11.4)."""
    scheme, _, rest = value.strip(b" \t").partition(b" ")
    return scheme.lower(), rest.strip(b" \t")
