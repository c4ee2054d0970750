"""Which headers cross the gateway, in either direction."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, final

from tokenboard.gateway.memory import FIELD_BYTES, Memory

Headers = Sequence[tuple[bytes, bytes]]

ATTRIBUTION = frozenset({b"http-referer", b"x-openrouter-title", b"x-title", b"x-openrouter-categories"})
"""The headers that say which app a request belongs to (attribution: Headers)."""

MAX_NAME = 256
"""Longest header name passed on, in bytes; longer ones are dropped, as no upstream knows them."""

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Hop-by-hop headers, which a relay must not forward (RFC 9110, 7.6.1)."""

# The client's credentials, cookies and address are for us only; Host, length and Expect belong to one connection.
_NEVER_TO_UPSTREAM = HOP_BY_HOP | {
    b"host",
    b"content-length",
    b"expect",
    b"authorization",
    b"x-api-key",
    b"api-key",
    b"x-goog-api-key",
    b"cookie",
    b"forwarded",
    b"via",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-proto",
    b"x-real-ip",
    b"cf-connecting-ip",
    b"true-client-ip",
}
# The rule (docs/api.md, "Headers of an answer"): headers that describe the answer pass, by any name. Those that a
# client would apply to the board's own origin do not: those about a host, its connection, its pages.
_NEVER_TO_CLIENT = HOP_BY_HOP | {
    # The server that answered, and its software.
    b"date",
    b"server",
    b"via",
    b"x-powered-by",
    b"x-aspnet-version",
    # Redirects and alternative addresses: clients must not go elsewhere, least of all with the board's keys.
    b"location",
    b"content-location",
    b"refresh",
    b"alt-svc",
    b"link",
    # Authentication and cookies: these are between the board and its upstream.
    b"set-cookie",
    b"set-cookie2",
    b"www-authenticate",
    b"authentication-info",
    # Policies that a browser keeps for an origin, or applies to its pages.
    b"strict-transport-security",
    b"public-key-pins",
    b"public-key-pins-report-only",
    b"expect-ct",
    b"clear-site-data",
    b"content-security-policy",
    b"content-security-policy-report-only",
    b"x-content-security-policy",
    b"x-webkit-csp",
    b"x-frame-options",
    b"x-xss-protection",
    b"x-permitted-cross-domain-policies",
    b"x-dns-prefetch-control",
    b"permissions-policy",
    b"feature-policy",
    b"document-policy",
    b"referrer-policy",
    b"origin-agent-cluster",
    b"origin-trial",
    b"service-worker-allowed",
    b"sourcemap",
    b"x-sourcemap",
    b"speculation-rules",
    b"supports-loading-mode",
    b"accept-ch",
    b"accept-ch-lifetime",
    b"critical-ch",
    b"timing-allow-origin",
    b"nel",
    b"report-to",
    b"reporting-endpoints",
    # Commands to a proxy in front of the board, such as to send a file of its own.
    b"x-accel-redirect",
    b"x-sendfile",
    b"x-lighttpd-send-file",
    b"x-reproxy-url",
    b"surrogate-control",
    # Ours.
    b"x-generation-id",
}
_NEVER_BEGINNING = (b"access-control-", b"cross-origin-", b"proxy-", b"sec-", b"x-tokenboard-")
_BODILESS: Final = frozenset({204, 304})

NAMES_NOTHING: Final = frozenset({b"keep-alive", b"close", b""})
"""Values of Connection, in lower case, that name no header."""

# Connection must not remove these: the message could not be parsed without them (RFC 9110, 7.6.1).
_ALWAYS = frozenset({b"content-type", b"content-encoding", b"content-length", b"host"})


class ForwardAttribution(StrEnum):
    """How a client's attribution headers are forwarded to an upstream."""

    PASS = "pass"  # noqa: S105 - not a password
    REPLACE = "replace"
    DROP = "drop"


def withheld_from_upstream(forward: ForwardAttribution, own: Headers) -> frozenset[bytes]:
    """Return the lower-case names of a client's headers that an upstream does not get.

    A header in ``own``, the gateway's headers for that upstream, replaces the client's.
    """
    withheld = _NEVER_TO_UPSTREAM | {name.lower() for name, _ in own}
    return withheld if forward is ForwardAttribution.PASS else withheld | ATTRIBUTION


def request_headers(
    received: Iterable[tuple[bytes, bytes]], withheld: frozenset[bytes], own: Headers
) -> list[tuple[bytes, bytes]]:
    """Return the headers to send upstream, names in lower case: the client's, less those withheld, then ``own``."""
    return [(name, value) for name, value in passed_on(received, withheld) if len(name) <= MAX_NAME] + list(own)


def response_headers(received: Iterable[tuple[bytes, bytes]], status: int) -> list[tuple[bytes, bytes]]:
    """Return those of the upstream's response headers that the client gets, names in lower case.

    These describe the answer; headers about the upstream's origin, or with an effect on the board's, are dropped.
    A 204 or 304 has no body, whatever its Content-Length (RFC 9110, 8.6).
    """
    passed = passed_on(received, _NEVER_TO_CLIENT)
    headers = [field for field in passed if not field[0].startswith(_NEVER_BEGINNING)]
    if status in _BODILESS:
        return [(name, value) for name, value in headers if name != b"content-length"]
    return headers


@final
class AnswerHeaders:
    """The headers of one answer that the client gets, and what they say about the body.

    ``kind`` is its media type in lower case and ``coding`` its content coding, b"" if absent; ``sized``: they give its
    length. Of duplicates the first counts.
    """

    __slots__ = ("coding", "fields", "kind", "sized")

    def __init__(self, fields: list[tuple[bytes, bytes]], kind: bytes, coding: bytes, *, sized: bool) -> None:
        self.fields = fields
        self.kind = kind
        self.coding = coding
        self.sized = sized


@final
class _Form:
    """What follows from the names of an answer's headers: those passed on, in lower case, and the others' indexes."""

    __slots__ = ("coding", "connections", "kind", "picked", "sized")

    def __init__(self, names: Sequence[bytes]) -> None:
        lower = [name.lower() for name in names]
        self.picked = [
            (name, at)
            for at, name in enumerate(lower)
            if name not in _NEVER_TO_CLIENT and not name.startswith(_NEVER_BEGINNING)
        ]
        self.connections = [at for at, name in enumerate(lower) if name == b"connection"]
        self.kind = lower.index(b"content-type") if b"content-type" in lower else -1
        self.coding = lower.index(b"content-encoding") if b"content-encoding" in lower else -1
        self.sized = b"content-length" in lower


@final
class AnswerHeadersReader:
    """Reads the headers of answers, with a cache by their names: these repeat from answer to answer."""

    __slots__ = ("_forms",)

    def __init__(self) -> None:
        self._forms: Memory[tuple[bytes, ...], _Form] = Memory()

    def read(self, received: Headers, status: int) -> AnswerHeaders:
        """Return what `response_headers` does, and what it says about the body."""
        names = tuple([name for name, _ in received])
        form = self._forms.recall(names)
        if form is None:
            form = _Form(names)
            self._forms.keep(names, form, sum(map(len, names)) + FIELD_BYTES * len(names))
        others = [at for at in form.connections if received[at][1].lower() not in NAMES_NOTHING]
        if others or status in _BODILESS:
            return _read_once(response_headers(received, status))
        kind = form.kind
        coding = form.coding
        return AnswerHeaders(
            [(name, received[at][1]) for name, at in form.picked],
            b"" if kind < 0 else received[kind][1].lower(),
            b"" if coding < 0 else received[coding][1],
            sized=form.sized,
        )


def _read_once(fields: list[tuple[bytes, bytes]]) -> AnswerHeaders:
    kind = next((value.lower() for name, value in fields if name == b"content-type"), b"")
    coding = next((value for name, value in fields if name == b"content-encoding"), b"")
    return AnswerHeaders(fields, kind, coding, sized=any(name == b"content-length" for name, _ in fields))


def passed_on(received: Iterable[tuple[bytes, bytes]], withheld: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    """Return headers, names in lower case, without those withheld and those that a Connection header names.

    ``withheld`` are lower-case names, `HOP_BY_HOP` among them (RFC 9110, 7.6.1).
    """
    passed: list[tuple[bytes, bytes]] = []
    named: set[bytes] = set()
    for name, value in received:
        lower = name.lower()
        if lower not in withheld:
            passed.append((lower, value))
        elif lower == b"connection":
            named.update(item.strip().lower() for item in value.split(b","))
    named -= _ALWAYS
    return [(name, value) for name, value in passed if name not in named] if named else passed
