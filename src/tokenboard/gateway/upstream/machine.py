"""HTTP/1.1 from the client's side, without a socket and without a clock: one connection's requests and answers.

    start(request, now) ─▶ bytes to send        receive(bytes) · end_of_stream · expire(now) ─▶ Event        deadline

Whoever has the transport puts in what it is told and acts on the `Event` that comes back; what was received waits in an
`Exchange` for its reader. The same file runs under uvloop, under a fuzzer, and compiled.

    IDLE ─request─▶ SENT ─bytes─▶ HEAD ─head─▶ BODY ─end─▶ ENDED ─release─▶ IDLE
                                    any of them ─close─▶ CLOSED
"""

import enum
import math
from typing import Final, final

import httptools

from tokenboard.gateway.upstream.bounds import Limits, Timeouts
from tokenboard.gateway.upstream.errors import FirstByteTimeout, IdleTimeout, ResponseBroken, UpstreamError
from tokenboard.gateway.upstream.exchange import Exchange
from tokenboard.gateway.upstream.head import BadHead, Framing

_JOINED_BODY: Final = 65_536
"""Bodies up to this many bytes are copied behind their head: one write is cheaper than two."""

_KEEP_ALIVE_MARGIN: Final = 0.8
"""The part of the upstream's own keep-alive time that is used, so that it seldom closes first."""


class State(enum.IntEnum):
    """How far a connection is.

    IDLE: no request is under way; whatever arrives is unasked for. SENT: a request was given away, and no byte of an
    answer has arrived. HEAD: of the answer there are bytes, 1xx heads perhaps, but not its final head. BODY: the final
    head is there. ENDED: the answer has ended by its framing. CLOSED: the connection is of no further use.
    """

    IDLE = 0
    SENT = 1
    HEAD = 2
    BODY = 3
    ENDED = 4
    CLOSED = 5


class Signal(enum.IntEnum):
    """What moves a connection on: a request, the first bytes, the final head, the answer's end, and what follows it."""

    REQUEST = 0
    BYTES = 1
    HEAD = 2
    END = 3
    RELEASE = 4
    CLOSE = 5


TRANSITIONS: Final[dict[State, dict[Signal, State]]] = {
    State.IDLE: {Signal.REQUEST: State.SENT, Signal.CLOSE: State.CLOSED},
    State.SENT: {Signal.BYTES: State.HEAD, Signal.CLOSE: State.CLOSED},
    State.HEAD: {Signal.HEAD: State.BODY, Signal.CLOSE: State.CLOSED},
    State.BODY: {Signal.END: State.ENDED, Signal.CLOSE: State.CLOSED},
    State.ENDED: {Signal.RELEASE: State.IDLE, Signal.CLOSE: State.CLOSED},
    State.CLOSED: {Signal.CLOSE: State.CLOSED},
}
"""Every step there is; any other is a mistake in this program, and a KeyError."""


class Event(enum.IntEnum):
    """What has become of the answer, and what the transport is to do.

    NOTHING: no news for the reader. ARRIVED: the head, or bytes of the body. FLOODED: the same, and more bytes wait
    unread than `Limits.high_water`: read no more for now. ENDED: the answer is complete; `Machine.release` the
    connection, or close it. CLOSED: close it; an answer under way has ended in its error.
    """

    NOTHING = 0
    ARRIVED = 1
    FLOODED = 2
    ENDED = 3
    CLOSED = 4


# As plain names: an attribute of an enum is looked up each time, compiled or not.
_IDLE: Final = State.IDLE
_SENT: Final = State.SENT
_HEAD: Final = State.HEAD
_BODY: Final = State.BODY
_ENDED: Final = State.ENDED
_CLOSED: Final = State.CLOSED
_NOTHING: Final = Event.NOTHING
_ARRIVED: Final = Event.ARRIVED
_FLOODED: Final = Event.FLOODED
_ANSWER_ENDED: Final = Event.ENDED
_MUST_CLOSE: Final = Event.CLOSED
_REQUEST: Final = Signal.REQUEST
_FIRST_BYTES: Final = Signal.BYTES
_FINAL_HEAD: Final = Signal.HEAD
_END: Final = Signal.END
_RELEASE: Final = Signal.RELEASE
_CLOSE: Final = Signal.CLOSE


@final
class Machine:
    """One connection, carrying one exchange at a time; all seconds are those of the caller's monotonic clock.

    The parser stays in llhttp's strict mode. Anything that arrives while no exchange is under way, or behind the end of
    an answer, makes the connection unfit for further use: such bytes must never meet the next request.

    ``deadline`` is when `expire` is to be called. ``exchange`` is the one under way, ``sent`` the bytes of its request.
    ``reusable`` tells of the answer that has ended whether it lets another request follow, ``keep_alive_s`` for how
    many seconds, None for as long as one likes. ``upstream`` is its name in errors.
    """

    __slots__ = (
        "_bodiless",
        "_framing",
        "_framing_bytes",
        "_limits",
        "_parser",
        "_requests",
        "_timeouts",
        "_unsent",
        "_upstream",
        "deadline",
        "exchange",
        "reusable",
        "sent",
        "state",
    )

    def __init__(self, upstream: str, limits: Limits, timeouts: Timeouts) -> None:
        self._upstream = upstream
        self._limits = limits
        self._timeouts = timeouts
        # It holds this object's methods; without being let go in `close`, each connection would be cyclic garbage.
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._framing = Framing()
        self._framing_bytes = 0  # received since the last byte of body, or of the head before it
        self._bodiless = False  # the request was HEAD
        self._requests = 0
        self._unsent = -1  # bytes still to be written when last looked at, -1 while the transport takes all
        self.exchange: Exchange | None = None
        self.state = _IDLE
        self.reusable = False
        self.sent = 0
        self.deadline = math.inf

    @property
    def keep_alive_s(self) -> float | None:
        """The seconds for which the connection is worth keeping, as the upstream told; None when it did not."""
        told = self._framing.keep_alive_s
        return None if told is None else told * _KEEP_ALIVE_MARGIN

    @property
    def may_be_stale(self) -> bool:
        """Whether the end of the stream now may mean that the upstream had closed before the request was on its way."""
        return self.state is _SENT and self._requests > 1

    # -- what the caller wants

    def start(self, head: bytes, body: bytes, now: float, *, bodiless: bool = False) -> tuple[bytes, ...]:
        """Begin an exchange; return what is to be written, in one or two pieces.

        ``bodiless``: the request's method is HEAD, so that its answer has no body, whatever its head says.
        """
        if self.state is not _IDLE:
            raise RuntimeError("the connection is not free")
        self._move(_REQUEST)
        self.exchange = Exchange()
        self._requests += 1
        self._bodiless = bodiless
        self._framing_bytes = 0
        self.reusable = False
        self.sent = len(head) + len(body)
        self.deadline = now + self._timeouts.first_byte_s
        if not body:
            return (head,)
        return (head + body,) if len(body) <= _JOINED_BODY else (head, body)

    def await_body(self, now: float) -> None:
        """Start the idle clock: somebody waits for the next piece of the body."""
        self.deadline = now + self._timeouts.idle_s

    def stop_clock(self) -> None:
        """Stop the clock: nobody waits any more."""
        self.deadline = math.inf

    def release(self, until: float) -> None:
        """Make the connection ready for another request, for which it is kept until then."""
        self._move(_RELEASE)
        if self._bodiless:
            self._parser = httptools.HttpResponseParser(self)  # the one in use waits for the body
        self.deadline = until

    def abandon(self) -> None:
        """End the exchange because its reader does not want it any more."""
        self._break("was dropped by its reader", None)

    def close(self) -> None:
        """Note that the connection is of no further use; an exchange under way is told nothing."""
        self._move(_CLOSE)
        self.deadline = math.inf
        self.exchange = None
        self._parser = None

    # -- what the transport tells

    def receive(self, data: bytes) -> Event:
        """Take what has arrived, all of it in one step."""
        exchange = self.exchange
        parser = self._parser
        if exchange is None or parser is None:
            self.close()
            return _MUST_CLOSE
        if self.state is _SENT:
            self._move(_FIRST_BYTES)
        status = exchange.status
        size = exchange.size
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self.state is not _ENDED:
                reason = error.__context__ if isinstance(error.__context__, BadHead) else error
                return self._break(f"is not valid HTTP/1.1: {reason}", error)
            self.reusable = False  # whatever follows the end of an answer is not for us
        if self.state is _ENDED:
            return self._complete(exchange)
        if exchange.size > size or exchange.status != status:
            self._framing_bytes = 0
            self.deadline = math.inf
            return _ARRIVED if exchange.size <= self._limits.high_water else _FLOODED
        self._framing_bytes += len(data)
        if self._framing_bytes > self._limits.max_header_bytes:
            return self._break(
                f"has more than {self._limits.max_header_bytes} bytes of headers, framing or trailers", None
            )
        return _NOTHING

    def end_of_stream(self, cause: BaseException | None, *, clean: bool, untouched: bool) -> Event:
        """Take the end of what the upstream sends: with ``cause`` its connection was cut.

        ``clean``: the end is the upstream's own word. ``untouched``: it is proven that nothing of the request had
        reached it by then.
        """
        exchange = self.exchange
        if exchange is None:
            self.close()
            return _MUST_CLOSE
        if clean and self.state is _BODY and self._framing.until_close:
            self._move(_END)
            return self._complete(exchange)
        exchange.stale = untouched and cause is None and self.may_be_stale
        what = "ended before its end" if cause is None else f"was cut off ({type(cause).__name__})"
        return self._break(what, cause)

    def writing_is_held_up(self, unsent: int) -> None:
        """Note that the transport takes no more for now, and the bytes it still has to write."""
        self._unsent = unsent

    def writing_goes_on(self, now: float) -> None:
        """Start the wait for the head anew, now that the request is nearly written."""
        self._unsent = -1
        if self.state is _SENT or self.state is _HEAD:
            self.deadline = now + self._timeouts.first_byte_s

    def expire(self, now: float, unsent: int) -> Event:
        """Act on a deadline that has passed; ``unsent`` are the bytes that the transport still has to write."""
        state = self.state
        if state is _SENT or state is _HEAD:
            if self._unsent > unsent:  # a large request was written further: the clock starts anew
                self._unsent = unsent
                self.deadline = now + self._timeouts.first_byte_s
                return _NOTHING
            seconds = self._timeouts.first_byte_s
            what = f"{self._upstream} sent no complete head within {seconds:g} s"
            return self._fail(FirstByteTimeout(what, before_response=state is _SENT))
        if state is _BODY:
            return self._fail(IdleTimeout(f"{self._upstream} sent nothing more for {self._timeouts.idle_s:g} s"))
        self.close()
        return _MUST_CLOSE

    # -- what the parser tells, within `receive`

    def on_message_begin(self) -> None:
        """Refuse a second answer to one request; another head after a 1xx one begins anew."""
        exchange = self.exchange
        if exchange is None or self.state is not _HEAD:
            raise BadHead("bytes follow the end of the answer")
        exchange.headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head; those of a trailer are parsed and let go."""
        exchange = self.exchange
        if exchange is not None and self.state is _HEAD:
            exchange.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Judge the head; a 1xx one is followed by another."""
        exchange = self.exchange
        parser = self._parser
        if exchange is None or parser is None:
            raise BadHead("nobody waits for it")
        status = parser.get_status_code()
        if 100 <= status < 200:
            if status == 101:
                raise BadHead("an upgrade nobody asked for")
            return
        framing = self._framing
        framing.judge(status, parser.get_http_version(), exchange.headers, self._limits)
        exchange.status = status
        self._move(_FINAL_HEAD)
        if self._bodiless:
            self._move(_END)
            # A last chunk behind such a head could not be told from the head's own end.
            self.reusable = framing.lasting and not framing.chunked and parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body until it is read."""
        exchange = self.exchange
        if exchange is None or self.state is not _BODY:
            raise BadHead("a body that the answer cannot have")
        exchange.chunks.append(body)
        exchange.size += len(body)

    def on_message_complete(self) -> None:
        """Note the end, and whether the connection lasts; a 1xx head ends without being the answer's.

        The parser knows that only in here: once feed_data has returned, should_keep_alive() is always False.
        """
        parser = self._parser
        if self.state is _BODY and parser is not None:
            self._move(_END)
            self.reusable = self._framing.lasting and parser.should_keep_alive()

    # -- steps

    def _move(self, signal: Signal) -> None:
        self.state = TRANSITIONS[self.state][signal]

    def _complete(self, exchange: Exchange) -> Event:
        self.exchange = None
        self.deadline = math.inf
        exchange.complete = True
        exchange.open = False
        return _ANSWER_ENDED

    def _break(self, what: str, cause: BaseException | None) -> Event:
        before_response = self.state is _SENT
        error = ResponseBroken(f"the answer of {self._upstream} {what}", before_response=before_response)
        error.__cause__ = cause
        return self._fail(error)

    def _fail(self, error: UpstreamError) -> Event:
        exchange = self.exchange
        self.close()
        if exchange is not None:
            exchange.error = error
            exchange.open = False
        return _MUST_CLOSE
