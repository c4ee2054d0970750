"""The head of a request that llhttp has accepted in its strict mode: the rest of what makes it safe to act upon.

llhttp itself refuses, in that mode: bare LF and CR, NUL and other controls, folded lines, white space before a colon,
names that are no token, two Content-Lengths, Content-Length beside Transfer-Encoding (in trailers too), lengths and
chunk sizes that are no plain number or too large, unknown methods, and bytes other than visible ASCII in a target.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

from tokenboard.http_fields.peer import PEER, read_peer
from tokenboard.server.http_error import HttpError
from tokenboard.server.limits import Limits

Headers = list[tuple[bytes, bytes]]
Address = tuple[str, int]

METHODS: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE"})
"""RFC 9110 section 9.3 without CONNECT, and RFC 5789: llhttp's own list goes on to RTSP and ICE."""

_HOST: Final = 1
_LENGTH: Final = 2
_CODING: Final = 3
_EXPECT: Final = 4
_PEER: Final = 5
_KINDS: Final = {
    b"host": _HOST,
    b"content-length": _LENGTH,
    b"transfer-encoding": _CODING,
    b"expect": _EXPECT,
    PEER: _PEER,
}
_AUTHORITY: Final = re.compile(rb"(?:[A-Za-z0-9.\-_~%!$&'()*+,;=]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_TARGET: Final = re.compile(rb"(?:https?://([^/?#]*))?(/[^?#]*|\*)?(?:\?([^#]*))?", re.IGNORECASE)
_CACHED_TARGET: Final = 256
_LONGEST_AUTHORITY: Final = 512


class Target(NamedTuple):
    """The parts of a request target: percent-decoded path, the path and query as sent, and an absolute form's host."""

    path: str
    raw_path: bytes
    query: bytes
    authority: bytes | None


class Memo:
    """One place to keep what was worked out from a head, for the next request of the connection that has the same."""

    def __init__(self) -> None:
        self.value: object = None


class Head:
    """What a head says; its framing of the body is ``length``, None when the body is chunked.

    ``method`` and ``version`` (``1.1``) are as sent, ``path`` is percent-decoded, ``raw_path`` and ``query`` are not.
    Of ``headers`` the names are in lower case and the values have no white space around them; nobody changes the list.
    ``client`` is the address and port that the request comes from, None where they are not known. ``memo`` is shared
    with the connection's requests whose heads are the same but for the digits of their Content-Length. ``size`` is that
    of target and fields, in bytes.
    """

    __slots__ = (
        "client",
        "expects_continue",
        "headers",
        "length",
        "memo",
        "method",
        "path",
        "query",
        "raw_path",
        "size",
        "version",
    )

    def __init__(
        self,
        method: str,
        version: str,
        path: str,
        raw_path: bytes,
        query: bytes,
        headers: Headers,
        length: int | None,
        size: int,
        client: Address | None,
        memo: Memo,
        *,
        expects_continue: bool,
    ) -> None:
        self.method = method
        self.version = version
        self.path = path
        self.raw_path = raw_path
        self.query = query
        self.headers = headers
        self.length = length
        self.size = size
        self.client = client
        self.memo = memo
        self.expects_continue = expects_continue

    def with_length(self, headers: Headers, length: int, longer: int) -> "Head":
        """Return the same head but for its Content-Length, whose digits are ``longer`` than they were."""
        return Head(
            self.method,
            self.version,
            self.path,
            self.raw_path,
            self.query,
            headers,
            length,
            self.size + longer,
            self.client,
            self.memo,
            expects_continue=self.expects_continue and length != 0,
        )


def judge_head(
    method: bytes,
    version: str,
    target: bytes,
    headers: Headers,
    limits: Limits,
    client: Address | None = None,
    *,
    peer_told: bool = False,
) -> Head:
    """Judge a head; names are in lower case, values without white space around them.

    The host of an absolute target takes the place of the Host header (RFC 9112 section 3.2.2). The header that names
    the peer is always taken out; with ``peer_told`` it says who the client is, and nobody is known without it.

    Raises:
        HttpError: 400, 417, 431, 501 or 505.

    """
    if version not in {"1.1", "1.0"}:
        raise HttpError(505, "This server speaks HTTP/1.1 and HTTP/1.0.")
    if method not in METHODS:
        raise HttpError(501, "This server does not know the request's method.")
    size = len(target)
    hosts = peers = 0
    length: int | None = 0
    expects = False
    told: Address | None = None
    for name, value in headers:
        size += len(name) + len(value) + 4
        kind = _KINDS.get(name)
        if kind is None:
            continue
        if kind == _HOST:
            hosts += 1
            if not _is_authority(value):
                raise HttpError(400, "The Host header is not a host, with a port if any.")
        elif kind == _LENGTH:
            length = int(value)  # a plain number of 64 bits: llhttp has seen to that
        elif kind == _CODING:
            if version == "1.0":
                raise HttpError(400, "HTTP/1.0 knows no Transfer-Encoding: send a Content-Length.")
            if value.lower() != b"chunked":
                raise HttpError(501, "The only Transfer-Encoding understood here is one `chunked`.")
            length = None
        elif kind == _PEER:
            peers += 1
            told = read_peer(value) if peers == 1 else None
        elif version == "1.1":
            if value.lower() != b"100-continue":
                raise HttpError(417, "The only expectation met here is `100-continue`.")
            expects = True
    if size > limits.max_header_bytes:
        raise too_much(limits)
    if hosts > 1 or (not hosts and version == "1.1"):
        raise HttpError(400, "Send one Host header.")
    parts = _parse_target(target) if len(target) <= _CACHED_TARGET else _split_target(target)
    if parts.raw_path == b"*" and method != b"OPTIONS":
        raise HttpError(400, "The target `*` is for OPTIONS alone.")
    if parts.authority is not None:
        headers = [(b"host", parts.authority), *[field for field in headers if field[0] != b"host"]]
    if peers:
        headers = [field for field in headers if field[0] != PEER]
    return Head(
        method.decode("ascii"),
        version,
        parts.path,
        parts.raw_path,
        parts.query,
        headers,
        length,
        size,
        told if peer_told else client,
        Memo(),
        expects_continue=expects and length != 0,
    )


def path_of(target: bytes) -> str | None:
    """Return the path of a request's target, which may have been read in part only; None when it is no target."""
    try:
        return _split_target(target).path
    except HttpError:
        return None


def too_much(limits: Limits) -> HttpError:
    """Return the error for a head that is over a limit."""
    return HttpError(
        431, f"A request may have {limits.max_headers} headers, and {limits.max_header_bytes:,} bytes of them."
    )


def _is_authority(value: bytes) -> bool:
    return len(value) <= _LONGEST_AUTHORITY and _has_authority(value)


@lru_cache(maxsize=512)
def _has_authority(value: bytes) -> bool:
    return _AUTHORITY.fullmatch(value) is not None


@lru_cache(maxsize=512)
def _parse_target(target: bytes) -> Target:
    return _split_target(target)


def _split_target(target: bytes) -> Target:
    found = _TARGET.fullmatch(target)
    if found is None or (found[1] is None and not found[2]):
        raise HttpError(400, "The request's target must be a path, or an http URL, without a fragment.")
    authority, raw_path, query = found[1], found[2] or b"/", found[3] or b""
    if authority is not None and (not authority or not _is_authority(authority) or raw_path == b"*"):
        raise HttpError(400, "The URL in the request line names no host, or more than a host and a port.")
    path = raw_path.decode("ascii")
    return Target(unquote(path) if "%" in path else path, raw_path, query, authority)
