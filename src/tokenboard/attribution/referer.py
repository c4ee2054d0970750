"""The values of `HTTP-Referer`: several lines, and several URLs in one line."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from tokenboard.attribution.identity import AppIdentity
from tokenboard.attribution.reason import Reason, RefererError
from tokenboard.attribution.url import canonical_url

MAX_VALUES = 32
"""Non-empty values of one request that are looked at; a client that sends more is not helped by the rest."""

# A comma ends a value when white space, another comma, the end or a scheme follows it: RFC 9110 joins equal headers
# with ", ", and a URL holds no space.
_BETWEEN = re.compile(rb",(?:[\s,]+|\Z|(?=[A-Za-z][A-Za-z0-9+.-]*://))")
# It also ends one right after the host or the port: a host holds no comma, while a path or a query may (as in
# "/@40.7,-74.0"). A comma of the user info ("u,v@host") is none of these.
_AFTER_HOST = re.compile(
    rb"\s*(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:\[[0-9A-Fa-f:.]*\]|[^/?#\\,@:\[\]]*)(?::[0-9]*)?,(?![^/?#\\@]*@)"
)


def identify(lines: Iterable[bytes], title: str | None, *, origin_only: bool = False) -> AppIdentity | Reason:
    """Return the app of the first value that names one, else the reason of the first value that is not empty.

    A loopback URL names an app only together with a title. Without any value the reason is missing_referer.
    """
    reason = None
    for value in islice(values(lines), MAX_VALUES):
        try:
            return AppIdentity.of(canonical_url(value, origin_only=origin_only), title)
        except RefererError as error:
            # An item of white space is as good as absent.
            if reason is None and error.reason is not Reason.MISSING_REFERER:
                reason = error.reason
    return reason or Reason.MISSING_REFERER


def values(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the non-empty values of all lines in order."""
    for line in lines:
        if b"," not in line:
            if line:
                yield line
            continue
        start = 0
        for comma in _BETWEEN.finditer(line):
            yield from _hosts_apart(line[start : comma.start()])
            start = comma.end()
        yield from _hosts_apart(line[start:])


def _hosts_apart(piece: bytes) -> Iterator[bytes]:
    start = 0
    while (host := _AFTER_HOST.match(piece, start)) is not None:
        if value := piece[start : host.end() - 1]:
            yield value
        start = host.end()
    if value := piece[start:]:
        yield value
