"""What one client sends, read as requests: llhttp in its strict mode, and the limits it knows nothing of."""

from typing import Any, Protocol

import httptools

from tokenboard.observability import logger
from tokenboard.server.head import Head, Headers, judge_head, path_of, too_much
from tokenboard.server.limits import Limits
from tokenboard.server.refusal import FAULT, Refusal

_UPGRADING = frozenset({b"upgrade", b"http2-settings"})
_ASGI = {"version": "3.0", "spec_version": "2.3"}
_log = logger("server")


class Surplus(Exception):
    """Bytes follow the last request that will be answered; they are nobody's concern."""


class Sink(Protocol):
    """The connection, as its reader sees it."""

    peers: tuple[Any, Any]

    def has_room(self) -> bool:
        """Whether a further request may be read ahead."""

    def requested(self, scope: dict[str, Any], head: Head, *, keep: bool) -> None:
        """Take a request whose head has arrived; ``keep``: it lets the connection last."""

    def body_arrived(self, body: bytes) -> None:
        """Take a piece of that request's body."""

    def request_ended(self) -> None:
        """Note that all of it has arrived."""


class Reader:
    """Turns bytes into requests.

    ``in_head``: a head was begun and is not complete. ``in_body``: a request's head is, its body not. ``advanced``: a
    head or a request was completed by the bytes last fed. ``ends``: nothing will be read as a request any more.
    """

    __slots__ = (
        "_headers",
        "_limits",
        "_parser",
        "_refusal",
        "_sink",
        "_target",
        "_upgrades",
        "advanced",
        "ends",
        "in_body",
        "in_head",
    )

    def __init__(self, sink: Sink, limits: Limits) -> None:
        self._sink = sink
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: Headers = []
        self._refusal: Refusal | None = None
        self._upgrades = False
        self.in_head = self.in_body = self.advanced = self.ends = False

    @property
    def path(self) -> str | None:
        """The path of the request being read, as far as it was; None when there is none."""
        return path_of(self._target) if self.in_head or self.in_body else None

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            Refusal: this is no HTTP, or over a limit; the reader is of no more use.
            Surplus: neither is it a request to be answered, but those before it are.

        """
        self.advanced = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as pause:
            self._read_without_upgrade(data[pause.args[0] :])
        except httptools.HttpParserError as error:
            if self._refusal is not None:
                raise self._refusal from None
            if self.ends and not self.in_body:
                raise Surplus from None
            if isinstance(error, httptools.HttpParserCallbackError):
                # What a callback raised, and is none of the above: the request is not to blame.
                _log.error("a request could not be begun, by a fault of ours", exc_info=error.__context__)
                raise Refusal(500, FAULT) from None
            raise _refusal_of(error) from error

    # -- what the parser tells, within feed_data

    def on_message_begin(self) -> None:
        """Begin a head; behind the last request of a connection there is none."""
        if self.ends or not self._sink.has_room():
            self.ends = True
            raise Surplus
        self._target = b""
        self._headers = []
        self.in_head = True

    def on_url(self, url: bytes) -> None:
        """Keep a piece of the target."""
        self._target += url
        if len(self._target) > self._limits.max_target_bytes:
            self._refusal = Refusal(414, f"A request's target may have {self._limits.max_target_bytes:,} bytes.")
            raise self._refusal

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head; those of a trailer are counted and let go."""
        headers = self._headers
        if len(headers) >= self._limits.max_headers:
            self._refusal = too_much(self._limits)
            raise self._refusal
        headers.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        """Judge the head and hand the request on."""
        parser = self._parser
        method = parser.get_method()
        version = parser.get_http_version()
        headers = self._headers
        try:
            head = judge_head(method, version, self._target, headers, self._limits)
        except Refusal as refusal:
            self._refusal = refusal
            raise
        if parser.should_upgrade():
            self._upgrades = True
            return
        target = head.target
        client, server = self._sink.peers
        scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "method": method.decode("ascii"),
            "scheme": "http",
            "path": target.path,
            "raw_path": target.raw_path,
            "query_string": target.query,
            "root_path": "",
            "headers": headers,
            "client": client,
            "server": server,
        }
        self._headers = []  # those of a trailer go here
        self.in_head = False
        self.in_body = self.advanced = True
        keep = parser.should_keep_alive()
        self.ends = not keep
        self._sink.requested(scope, head, keep=keep)

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body."""
        self._sink.body_arrived(body)

    def on_message_complete(self) -> None:
        """End the request."""
        if not self._upgrades:
            self.in_body = False
            self.advanced = True
            self._sink.request_ended()

    # -- steps

    def _read_without_upgrade(self, rest: bytes) -> None:
        """Read a request that asks for another protocol as one that does not (RFC 9110 section 7.8).

        llhttp takes everything behind such a head for the other protocol, a body included, so a new parser is given
        the head without the request for it.
        """
        lines = [self._parser.get_method() + b" " + self._target + b" HTTP/" + self._parser.get_http_version().encode()]
        for name, value in self._headers:
            if name == b"connection":
                kept = [item for item in value.split(b",") if item.strip().lower() not in _UPGRADING]
                lines.append(name + b": " + b",".join(kept))
            elif name not in _UPGRADING:
                lines.append(name + b": " + value)
        self._upgrades = self.in_head = False
        self._parser = httptools.HttpRequestParser(self)
        self.feed(b"\r\n".join(lines) + b"\r\n\r\n" + rest)


def _refusal_of(error: httptools.HttpParserError) -> Refusal:
    reason = str(error)
    if reason == "Invalid HTTP version" or "PRI" in reason:
        return Refusal(505, "This server speaks HTTP/1.1 and HTTP/1.0.")
    # llhttp's own words: they repeat nothing of what it read.
    return Refusal(400, f"This is not a valid HTTP/1.1 request: {reason}.")
