"""The parts that fields are made of: lists, tokens, parameters, quoted strings (RFC 9110 section 5.6)."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

LONGEST = 8_192
"""Characters of one field that are read, all its lines together; what comes after them is as if it were not there."""

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - section 5.6.2
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_token = re.compile(_TOKEN)
# One pass, whatever is sent: a quoted string that is never closed runs to the end.
_member = re.compile(r'(?:"(?:[^"\\]|\\.)*+"?|[^,"])++', re.DOTALL)
_parameter = re.compile(rf"[ \t]*;[ \t]*(?:({_TOKEN})=({_TOKEN}|{_QUOTED}))?")
_escape = re.compile(r"\\(.)", re.DOTALL)
_OWS = " \t"


class Member(NamedTuple):
    """A member of a list: its value as it was sent, and its parameters, their names in lower case."""

    value: str
    parameters: tuple[tuple[str, str], ...]


def joined(lines: Iterable[str]) -> str:
    """Return the lines of a field as one."""
    return ",".join(lines)[:LONGEST]


def members(lines: Iterable[str]) -> Iterator[str]:
    """Yield the members of a list, without white space around them; empty ones are left out.

    A comma in a quoted string parts nothing.
    """
    for found in _member.finditer(joined(lines)):
        member = found[0].strip(_OWS)
        if member:
            yield member


def with_parameters(member: str) -> Member | None:
    """Return a member's value and its parameters; None when the value is quoted, or what follows it is malformed."""
    value = member.partition(";")[0].rstrip(_OWS)
    if '"' in value:
        return None
    found: list[tuple[str, str]] = []
    place = len(value)
    while place < len(member):
        parameter = _parameter.match(member, place)
        if parameter is None:
            return None
        if parameter[1] is not None:
            found.append((parameter[1].lower(), unquoted(parameter[2])))
        place = parameter.end()
    return Member(value, tuple(found))


def unquoted(text: str) -> str:
    """Return what a token or quoted string says."""
    return _escape.sub(r"\1", text[1:-1]) if text.startswith('"') else text


def is_token(text: str) -> bool:
    """Whether a text is a token."""
    return _token.fullmatch(text) is not None
