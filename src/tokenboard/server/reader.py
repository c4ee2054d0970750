"""What one client sends, read as requests: llhttp in its strict mode, and the limits it knows nothing of.

A client mostly sends one head again and again, with another length of body. What follows from a head follows from its
bytes, so one that is the same as before, but for the digits of its Content-Length, is not parsed anew, and nor is the
body behind it, which then has no framing but that number. llhttp stands between two messages meanwhile.
"""

from typing import Any, Final

import httptools

from tokenboard.server.head import Address, Head, Headers, judge_head, path_of, too_much
from tokenboard.server.http_error import FAULT, HttpError
from tokenboard.server.limits import Limits
from tokenboard.server.states import INBOUND, Inbound

LONGEST_FORM: Final = 2_048
"""Bytes of a head that is kept to be known again: so much an idle connection may hold."""

_MOST_DIGITS: Final = 18
_TRIES: Final = 8
"""After how many different heads in a row a connection's are not kept any more."""

_LENGTH_FIELD: Final = b"\r\ncontent-length:"
_UPGRADING: Final = frozenset({b"upgrade", b"http2-settings"})

_IDLE: Final = Inbound.IDLE
_HEAD: Final = Inbound.HEAD
_BODY: Final = Inbound.BODY
_DEAF: Final = Inbound.DEAF


class Surplus(Exception):
    """Bytes follow the last request that will be answered; they are nobody's concern."""


class Form:
    """A head as its bytes around the digits of its Content-Length; ``digits`` is empty where it has none."""

    __slots__ = ("after", "before", "digits", "head", "index")

    def __init__(self, head: Head, before: bytes, digits: bytes, after: bytes) -> None:
        self.head = head
        self.before = before
        self.digits = digits
        self.after = after
        self.index = [name for name, _ in head.headers].index(b"content-length") if digits else -1

    def head_of(self, digits: bytes) -> Head:
        """Return the head with another Content-Length."""
        head = self.head
        headers = head.headers.copy()
        headers[self.index] = (b"content-length", digits)
        return head.with_length(headers, int(digits), len(digits) - len(self.digits))


def form_of(data: bytes, head: Head) -> Form | None:
    """Return the form of the head with which ``data`` begins; None where it has none that is worth keeping."""
    end = data.find(b"\r\n\r\n") + 4
    # Behind an empty line, or another request, the first empty line might not be the end of this head.
    if end > LONGEST_FORM or not data[:1].isalpha() or head.length is None:
        return None
    block = data[:end]
    at = block.lower().find(_LENGTH_FIELD)
    if at < 0:
        return Form(head, block, b"", b"") if not head.length else None
    start = at + len(_LENGTH_FIELD)
    while block[start : start + 1] == b" ":
        start += 1
    stop = block.find(b"\r", start)
    digits = block[start:stop]
    if not digits.isdigit() or len(digits) > _MOST_DIGITS or int(digits) != head.length:
        return None
    return Form(head, block[:start], digits, block[stop:])


class Reader:
    """Turns bytes into requests; `Machine` is one.

    ``inbound`` says what the next byte belongs to. ``advanced``: a head or a request was completed by the bytes last
    fed. ``fault`` is an exception of our own code while it read them.
    """

    def __init__(self, limits: Limits, client: Address | None, *, peer_told: bool) -> None:
        self.limits = limits
        self.client = client
        self.inbound: Inbound = _IDLE
        self.advanced = False
        self.fault: BaseException | None = None
        self._peer_told = peer_told
        self._parser: Any = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: Headers = []
        self._wrong: HttpError | None = None
        self._upgrades = False
        self._keep = True
        self._form: Form | None = None
        self._first: Head | None = None
        self._looks_for_first = False
        self._tries = 0
        self._left = 0  # bytes of a body that is counted here, not by llhttp

    # -- what becomes of it

    def has_room(self) -> bool:
        """Whether a further request may be read ahead."""
        raise NotImplementedError

    def requested(self, head: Head, *, keep: bool) -> None:
        """Take a request whose head has arrived; ``keep``: it lets the connection last."""
        raise NotImplementedError

    def body_arrived(self, body: bytes) -> None:
        """Take a piece of that request's body."""
        raise NotImplementedError

    def request_ended(self) -> None:
        """Note that all of it has arrived."""
        raise NotImplementedError

    def surplus(self) -> None:
        """Note that there are bytes behind the last request that will be answered."""
        raise NotImplementedError

    # -- reading

    def turn_inbound(self, state: Inbound) -> None:
        """Go on to a state, by a way that there is."""
        if not INBOUND[self.inbound] >> state & 1:
            raise AssertionError(f"there is no way from {self.inbound!r} to {state!r}")
        self.inbound = state

    def path_read(self) -> str | None:
        """Return the path of the request being read, as far as it was; None when there is none."""
        return path_of(self._target) if self.inbound is _HEAD or self.inbound is _BODY else None

    def read(self, data: bytes) -> int:
        """Read on; returns how many of the bytes were left to llhttp.

        Raises:
            HttpError: this is no HTTP, or over a limit; nothing further is to be read.

        """
        self.advanced = False
        at = 0
        if self._left:
            at = self._count(data)
        fresh = self.inbound is _IDLE
        if fresh and self._form is not None:
            at = self._recognise(data, at, self._form)
            fresh = self.inbound is _IDLE
        if at:
            if at == len(data):
                return 0
            data = data[at:]
        learns = fresh and self._tries < _TRIES
        if learns:
            self._first = None
            self._looks_for_first = True
        self._parse(data)
        if learns and self._first is not None:
            self._tries += 1
            self._form = form_of(data, self._first)
            self._first = None
        self._looks_for_first = False
        return len(data)

    def _count(self, data: bytes) -> int:
        """Read on in a body whose rest is ``_left`` bytes; returns how many were read."""
        count = len(data)
        if count < self._left:
            self._left -= count
            self.body_arrived(data)
            return count
        count = self._left
        self._left = 0
        self.body_arrived(data if count == len(data) else data[:count])
        self._end_request()
        return count

    def _recognise(self, data: bytes, at: int, form: Form) -> int:
        """Read requests whose heads are of this form; returns where the first other byte is."""
        total = len(data)
        while at < total and self.inbound is _IDLE and data.startswith(form.before, at) and self.has_room():
            end = at + len(form.before)
            head = form.head
            if form.digits:
                stop = data.find(b"\r", end, end + _MOST_DIGITS + 1)
                if stop < 0 or not data.startswith(form.after, stop):
                    break
                digits = data[end:stop]
                if digits != form.digits:
                    if not digits.isdigit():
                        break
                    head = form.head_of(digits)
                    if head.size > self.limits.max_header_bytes:
                        break
                end = stop + len(form.after)
            self._tries = 0
            self.advanced = True
            self._keep = True
            self.requested(head, keep=True)
            length = head.length or 0
            at = end + length
            if at > total:
                self.turn_inbound(_BODY)
                self._left = at - total
                if end < total:
                    self.body_arrived(data[end:])
                return total
            if length:
                self.body_arrived(data[end:at])
            self.request_ended()
        return at

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as pause:
            self._read_without_upgrade(data[pause.args[0] :])
        except httptools.HttpParserError as error:
            if self._wrong is not None:
                raise self._wrong from None
            if self.inbound is _DEAF:
                self.surplus()
                return
            if isinstance(error, httptools.HttpParserCallbackError):
                # What a callback raised, and is none of the above: the request is not to blame.
                self.fault = error.__context__
                raise HttpError(500, FAULT) from None
            raise _error_of(error) from error

    def _end_request(self) -> None:
        self.turn_inbound(_IDLE if self._keep else _DEAF)
        self._target = b""
        self.advanced = True
        self.request_ended()

    def let_go(self) -> None:
        """Forget the parser, which knows this reader, and what was read."""
        self._parser = self._form = None

    # -- what the parser tells, within feed_data

    def on_message_begin(self) -> None:
        """Begin a head; behind the last request of a connection there is none."""
        if self.inbound is not _IDLE or not self.has_room():
            if self.inbound is _IDLE:
                self.turn_inbound(_DEAF)
            raise Surplus
        self._target = b""
        self._headers = []
        self.turn_inbound(_HEAD)

    def on_url(self, url: bytes) -> None:
        """Keep a piece of the target."""
        self._target = self._target + url if self._target else url
        if len(self._target) > self.limits.max_target_bytes:
            self._wrong = HttpError(414, f"A request's target may have {self.limits.max_target_bytes:,} bytes.")
            raise self._wrong

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head; those of a trailer are counted and let go."""
        headers = self._headers
        if len(headers) >= self.limits.max_headers:
            self._wrong = too_much(self.limits)
            raise self._wrong
        headers.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        """Judge the head and hand the request on."""
        parser = self._parser
        try:
            head = judge_head(
                parser.get_method(),
                parser.get_http_version(),
                self._target,
                self._headers,
                self.limits,
                self.client,
                peer_told=self._peer_told,
            )
        except HttpError as error:
            self._wrong = error
            raise
        if parser.should_upgrade():
            self._upgrades = True
            return
        self._headers = []  # those of a trailer go here
        self._keep = bool(parser.should_keep_alive())
        if self._looks_for_first and self._keep:
            self._first = head
        self._looks_for_first = False
        self.turn_inbound(_BODY)
        self.advanced = True
        self.requested(head, keep=self._keep)

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body."""
        self.body_arrived(body)

    def on_message_complete(self) -> None:
        """End the request."""
        if not self._upgrades:
            self._end_request()

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
        self._upgrades = self._looks_for_first = False
        self.turn_inbound(_IDLE)
        self._parser = httptools.HttpRequestParser(self)
        self._parse(b"\r\n".join(lines) + b"\r\n\r\n" + rest)


def _error_of(error: Any) -> HttpError:
    reason = str(error)
    if reason == "Invalid HTTP version" or "PRI" in reason:
        return HttpError(505, "This server speaks HTTP/1.1 and HTTP/1.0.")
    # llhttp's own words: they repeat nothing of what it read.
    return HttpError(400, f"This is not a valid HTTP/1.1 request: {reason}.")
