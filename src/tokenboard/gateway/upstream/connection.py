"""One connection to an upstream: sends a request, parses the answer, and says when it is free again or gone."""

import asyncio
import fcntl
import math
import select
import socket
import ssl
import struct
import termios
from typing import Final, Protocol, cast

import httptools

from tokenboard.gateway.upstream.bounds import Limits, Timeouts
from tokenboard.gateway.upstream.errors import FirstByteTimeout, IdleTimeout, ResponseBroken, UpstreamError
from tokenboard.gateway.upstream.exchange import Exchange
from tokenboard.gateway.upstream.head import BadHead, judge_head

_JOINED_BODY: Final = 65_536
"""Bodies up to this many bytes are copied behind their head: one write is cheaper than two."""

_PROVEN_BYTES: Final = 1_048_576
"""Longest request of which TCP may prove that nothing was read. Under TLS it counts the bytes of records, which are a
little more than ours: of so few the surplus is less than one record."""

_KEEP_ALIVE_MARGIN: Final = 0.8
"""The part of the upstream's own keep-alive time that is used, so that it seldom closes first."""


class Owner(Protocol):
    """The pool, as its connections see it."""

    def freed(self, connection: "Connection", keep_alive_s: float | None) -> None:
        """Take back a connection whose answer ended so that it can be used again."""

    def dropped(self, connection: "Connection") -> None:
        """Forget a connection that will not be used again; told once, when it is closed or about to be."""

    def gone(self, connection: "Connection") -> None:
        """Note that a connection's socket is closed; told once, last."""


class Connection(asyncio.Protocol):
    """The protocol of one upstream connection, carrying one exchange at a time, all in one event loop.

    The parser stays in llhttp's strict mode. Anything that arrives while no exchange is running, or behind the end of
    an answer, closes the connection: such bytes must never meet the next request. `deadline`, in the loop's time, is
    when `expire` is to be called; the pool sees to it.
    """

    __slots__ = (
        "_answered",
        "_ended",
        "_exchange",
        "_framing_bytes",
        "_headers",
        "_informational",
        "_keep",
        "_keep_alive_s",
        "_limits",
        "_loop",
        "_owner",
        "_parser",
        "_paused",
        "_peek",
        "_requests",
        "_size",
        "_timeouts",
        "_transport",
        "_unsent",
        "_until_close",
        "_upstream",
        "closed",
        "deadline",
        "stale",
    )

    def __init__(
        self, owner: Owner, upstream: str, limits: Limits, timeouts: Timeouts, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._owner = owner
        self._upstream = upstream
        self._limits = limits
        self._timeouts = timeouts
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._peek = select.poll()
        self._exchange: Exchange | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._requests = 0
        self._size = 0  # of the request, in bytes
        self._unsent: int | None = None  # bytes still to be written, None while the transport takes all
        self._framing_bytes = 0  # received since the last byte of body, or of the head before it
        self._answered = False
        self._informational = False
        self._until_close = False
        self._ended = False
        self._keep = False
        self._keep_alive_s: float | None = None
        self._paused = False
        self.deadline = math.inf
        self.closed = False
        self.stale = False

    # -- what the pool asks for

    def usable(self) -> bool:
        """Whether an idle connection may be used again.

        It looks into the socket itself: the end of the stream, or bytes nobody asked for, may lie there before the
        event loop has come round to them.
        """
        transport = self._transport
        return not self.closed and transport is not None and not transport.is_closing() and not self._peek.poll(0)

    def begin(self, head: bytes, body: bytes) -> Exchange:
        """Write one request and give the exchange in which its answer will arrive. The connection must be usable."""
        transport = self._transport
        if transport is None or self._exchange is not None:
            raise RuntimeError("the connection is not free")
        exchange = self._exchange = Exchange(self, self._loop)
        self._headers = exchange.headers
        self._requests += 1
        self._answered = self._informational = self._ended = self._keep = False
        self._framing_bytes = 0
        if len(body) <= _JOINED_BODY:
            transport.write(head + body if body else head)
        else:
            transport.write(head)
            transport.write(body)
        self._size = len(head) + len(body)
        self.deadline = self._loop.time() + self._timeouts.first_byte_s
        return exchange

    def expire(self, now: float) -> None:
        """Act on a deadline that has passed: close when idle, otherwise end the exchange with its timeout."""
        exchange = self._exchange
        if exchange is None:
            self.drop()
        elif exchange.status:
            self._fail(IdleTimeout(f"{self._upstream} sent nothing more for {self._timeouts.idle_s:g} s"))
        elif not self._still_sending(now):
            self._fail(
                FirstByteTimeout(
                    f"{self._upstream} sent no complete head within {self._timeouts.first_byte_s:g} s",
                    before_response=not self._answered,
                )
            )

    def drop(self) -> None:
        """Close at once, without a word to the exchange."""
        if self.closed:
            return
        self.closed = True
        self.deadline = math.inf
        self._exchange = None
        self._parser = None  # it holds this object's methods: without this, each connection would be cyclic garbage
        if self._transport is not None:
            self._transport.abort()
        self._owner.dropped(self)

    # -- what the exchange asks for

    def await_body(self) -> None:
        """Start the idle clock."""
        self.deadline = self._loop.time() + self._timeouts.idle_s

    def stop_clock(self) -> None:
        """Stop the clock."""
        self.deadline = math.inf

    def drained(self) -> None:
        """Read on from the socket."""
        if self._paused:
            self._resume()

    def abandon(self) -> None:
        """End the exchange because its reader does not want it any more."""
        self._break("was dropped by its reader")

    # -- what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport and turn off Nagle's algorithm."""
        self._transport = cast("asyncio.Transport", transport)
        if self.closed:
            self._transport.abort()
            return
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peek.register(sock.fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived and tell the reader once about all of it."""
        exchange = self._exchange
        parser = self._parser
        if exchange is None or parser is None:
            self.drop()
            return
        self._answered = True
        status = exchange.status
        size = exchange.size
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._ended:
                reason = error.__context__ if isinstance(error.__context__, BadHead) else error
                self._break(f"is not valid HTTP/1.1: {reason}", error)
                return
            self._keep = False  # whatever follows the end of an answer is not for us
        if self._ended:
            self._finish(exchange)
        elif exchange.size > size or exchange.status != status:
            self._framing_bytes = 0
            self.deadline = math.inf
            if exchange.size <= self._limits.high_water:
                exchange.wake()
                return
            # Bulk: others get their turn before it is read, and before more of it comes.
            if not self._paused:
                self._pause()
            self._loop.call_soon(exchange.wake)
        else:
            self._framing_bytes += len(data)
            if self._framing_bytes > self._limits.max_header_bytes:
                self._break(f"has more than {self._limits.max_header_bytes} bytes of headers, framing or trailers")
                return

    def eof_received(self) -> None:
        """Take the end of the stream; the transport is closed in any case."""
        self._end_of_stream(None, clean=self._is_clean_end())

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the loss of the connection; TLS that just stops, without its closing alert, comes to this."""
        self._end_of_stream(exc, clean=exc is None and self._tls() is None)
        self._transport = None
        self._owner.gone(self)

    def pause_writing(self) -> None:
        """Note that a large request is waiting for the socket."""
        if self._transport is not None:
            self._unsent = self._transport.get_write_buffer_size()

    def resume_writing(self) -> None:
        """Start the wait for the head anew, now that the request is nearly written."""
        self._unsent = None
        if self._exchange is not None and not self._exchange.status:
            self.deadline = self._loop.time() + self._timeouts.first_byte_s

    # -- what the parser tells, within feed_data

    def on_message_begin(self) -> None:
        """Refuse a second answer to one request."""
        if self._ended:
            raise BadHead("bytes follow the end of the answer")
        if self._informational:
            self._informational = False
            self._headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head; those of a trailer are parsed and let go."""
        exchange = self._exchange
        if exchange is not None and not exchange.status:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Judge the head; a 1xx one is followed by another."""
        exchange, parser = self._exchange, self._parser
        if exchange is None or parser is None:
            raise BadHead("nobody waits for it")
        status = parser.get_status_code()
        if 100 <= status < 200:
            if status == 101:
                raise BadHead("an upgrade nobody asked for")
            self._informational = True
            return
        framing = judge_head(status, parser.get_http_version(), self._headers, self._limits)
        self._until_close = framing.until_close
        self._keep = framing.lasting
        self._keep_alive_s = framing.keep_alive_s
        exchange.status = status

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body until it is read."""
        exchange = self._exchange
        if exchange is not None:
            exchange.chunks.append(body)
            exchange.size += len(body)

    def on_message_complete(self) -> None:
        """Note the end, and whether the connection lasts.

        The parser knows that only in here: once feed_data has returned, should_keep_alive() is always False.
        """
        if self._informational:
            return
        self._ended = True
        self._keep = self._keep and self._parser is not None and self._parser.should_keep_alive()

    # -- steps

    def _finish(self, exchange: Exchange) -> None:
        """End an exchange whose message has ended properly, then give the connection back or close it."""
        self._exchange = None
        self.deadline = math.inf
        exchange.complete = True
        exchange.source = None
        transport = self._transport
        if (
            not self._keep
            or transport is None
            or transport.is_closing()
            or transport.get_write_buffer_size()  # answered before it had read the whole request
        ):
            self.drop()
        else:
            if self._paused:
                self._resume()
            keep_alive_s = self._keep_alive_s
            self._owner.freed(self, None if keep_alive_s is None else keep_alive_s * _KEEP_ALIVE_MARGIN)
        exchange.wake()

    def _end_of_stream(self, exc: Exception | None, *, clean: bool) -> None:
        exchange = self._exchange
        if self.closed or exchange is None:
            self.drop()
        elif clean and exchange.status and self._until_close:
            self._keep = False
            self._finish(exchange)
        else:
            self.stale = self._requests > 1 and not self._answered and exc is None and self._is_untouched()
            self._break("ended before its end" if exc is None else f"was cut off ({type(exc).__name__})", exc)

    def _is_clean_end(self) -> bool:
        """Whether the end of the stream is the upstream's word: under TLS, only its closing alert is.

        RFC 9112 section 9.8: a TLS connection that is cut leaves an answer without other framing incomplete.
        """
        tls = self._tls()
        if tls is None:
            return True
        try:
            return tls.read(1) == b""  # an end without the alert asks for more bytes instead
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLError:
            return False

    def _is_untouched(self) -> bool:
        """Whether the upstream had closed before anything of the request reached it; False when that is not proven.

        The end of its stream acknowledges all that had arrived there by then (RFC 9293 section 3.10.7). A reset proves
        nothing: its acknowledgement is not heeded.
        """
        transport = self._transport
        sock = None if transport is None else transport.get_extra_info("socket")
        if transport is None or sock is None or self._size > _PROVEN_BYTES:
            return False
        try:
            told = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return False
        (unacknowledged,) = struct.unpack("i", told)
        return bool(unacknowledged + transport.get_write_buffer_size() >= self._size)

    def _tls(self) -> ssl.SSLObject | None:
        return None if self._transport is None else self._transport.get_extra_info("ssl_object")

    def _break(self, what: str, cause: BaseException | None = None) -> None:
        error = ResponseBroken(f"the answer of {self._upstream} {what}", before_response=not self._answered)
        error.__cause__ = cause
        self._fail(error)

    def _fail(self, error: UpstreamError) -> None:
        exchange = self._exchange
        self.drop()
        if exchange is not None:
            exchange.error = error
            exchange.source = None
            exchange.wake()

    def _still_sending(self, now: float) -> bool:
        """Whether a large request has been written further since the last look; if so, the clock starts anew."""
        if self._unsent is None or self._transport is None:
            return False
        unsent = self._transport.get_write_buffer_size()
        if unsent >= self._unsent:
            return False
        self._unsent = unsent
        self.deadline = now + self._timeouts.first_byte_s
        return True

    def _pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._paused = True

    def _resume(self) -> None:
        self._paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
