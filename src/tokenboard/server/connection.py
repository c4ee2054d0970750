"""One client's connection: parses requests, hands them to the application in order, and keeps it within its limits."""

import asyncio
import contextlib
import math
import socket
import struct
from collections import deque
from typing import Any, Protocol, cast

from tokenboard.inline_task import InlineTask
from tokenboard.observability import Counters
from tokenboard.server.exchange import Exchange
from tokenboard.server.head import Head, too_much
from tokenboard.server.limits import Limits
from tokenboard.server.reader import Reader, Surplus
from tokenboard.server.refusal import Refusal, Render, answer_of

_BODY_STEP = 1_024
"""Bytes of a body that must arrive within each body timeout, unless it ends."""

_OVERHEAD_PER_BYTE = 16
"""Bytes of chunked framing granted to each byte of body, beside `Limits.max_header_bytes`: single bytes need five."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Owner(Protocol):
    """The server, as its connections see it."""

    limits: Limits
    render: Render
    stopping: bool
    counters: Counters
    connections: set["Connection"]

    def run(self, exchange: Exchange) -> InlineTask | None:
        """Start the application on a request, or give the errand that does so once it is begun."""

    def date_line(self) -> bytes:
        """Return the Date header of now."""


class Connection(asyncio.Protocol):
    """The protocol of one connection, all in one event loop.

    ``_exchange`` is being answered, ``_queue`` waits for that, ``_latest`` is the one whose body is being read, if any.
    The reader is None once nothing more is read as HTTP. ``deadline``, in the loop's
    time, is when `expire` is to be called; the server sees to it.
    """

    __slots__ = (
        "_eof",
        "_exchange",
        "_framing_bytes",
        "_latest",
        "_limits",
        "_loop",
        "_mark",
        "_owner",
        "_paused",
        "_queue",
        "_reader",
        "_reading",
        "_refusal",
        "_swallowing",
        "_transport",
        "_unbegun",
        "_unsent",
        "_writers",
        "deadline",
        "peers",
    )

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self._limits = owner.limits
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._reader: Reader | None = Reader(self, owner.limits)
        self._exchange: Exchange | None = None
        self._latest: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._refusal: Refusal | None = None
        self._eof = False
        self._reading = False
        self._unbegun: InlineTask | None = None
        self._swallowing = False
        self._paused = False
        self._framing_bytes = 0
        self._mark = 0
        self._unsent: int | None = None  # bytes still to be written, None while the transport takes all
        self._writers: list[asyncio.Future[None]] = []
        self.peers: tuple[Any, Any] = (None, None)
        self.deadline = math.inf

    # -- what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; one above the limit is told so at once."""
        self._transport = cast("asyncio.Transport", transport)
        connections = self._owner.connections
        connections.add(self)
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peers = (_address(transport, "peername"), _address(transport, "sockname"))
        self.deadline = self._loop.time() + self._limits.header_timeout_s
        above = len(connections) - self._limits.max_connections
        if above > max(16, self._limits.max_connections // 8):
            self._transport.abort()  # not even a refusal is free
        elif above > 0:
            self._refuse(Refusal(503, "Too many connections are open at the moment; try again later."))

    def data_received(self, data: bytes) -> None:
        """Read what has arrived; an errand is begun only behind that, when the request's body may be there as well."""
        self._reading = True
        try:
            self._read(data)
        finally:
            self._reading = False
        errand = self._unbegun
        if errand is not None:
            self._unbegun = None
            errand.step()

    def _read(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            if not self._swallowing:
                self._pause()
            return
        before = self._latest
        size = 0 if before is None else before.received
        try:
            reader.feed(data)
        except Refusal as refusal:
            self._refuse(refusal)
            return
        except Surplus:
            self._end_reading()
            return
        latest = self._latest
        if reader.ends and not reader.in_head and not reader.in_body:
            self._reader = None
        elif reader.in_body and latest is not None:
            if latest is before:
                self._check_progress(latest, len(data), size)
            else:
                self._framing_bytes = self._mark = 0
                self._start_body_clock(latest)
        elif reader.in_head or not reader.advanced:
            if reader.advanced:  # most of what was read was another request
                self._framing_bytes, data = 0, b"."
            self._check_head(len(data))
        else:
            self._framing_bytes = 0
        if self._queue or (latest is not None and latest.held > self._limits.high_water):
            self._pause()

    def _check_head(self, count: int) -> None:
        if self._exchange is None and not self._framing_bytes:
            self.deadline = self._loop.time() + self._limits.header_timeout_s
        self._framing_bytes += count
        if self._framing_bytes > self._limits.max_header_bytes:
            self._refuse(too_much(self._limits))

    def _check_progress(self, latest: Exchange, count: int, size: int) -> None:
        if latest.length is None:
            self._framing_bytes += count - (latest.received - size)
            if self._framing_bytes > self._limits.max_header_bytes + _OVERHEAD_PER_BYTE * latest.received:
                self._refuse(Refusal(400, "The chunked body is more framing than content."))
                return
        if latest.received - self._mark >= _BODY_STEP:
            self._mark = latest.received
            self._start_body_clock(latest)

    def eof_received(self) -> bool:
        """Take the client's word that it sends no more; what it asked in full is still answered."""
        self._eof = True
        self._reader = None
        if self._swallowing or self._exchange is None or self._exchange.complete:
            return False
        if self._latest is not None and not self._latest.whole and self._latest in self._queue:
            self._queue.remove(self._latest)
        if not self._exchange.whole:
            self._owner.counters.add("clients_left.request")
        self._exchange.leave()
        if self._unsent is None:
            self.deadline = math.inf
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        """Take the loss of the connection."""
        self._transport = None
        self._reader = None
        self.deadline = math.inf
        self._owner.connections.discard(self)
        exchange, self._exchange, self._latest = self._exchange, None, None
        self._queue.clear()
        if exchange is not None:
            if not exchange.complete and not self._owner.stopping and (exchange.whole or not exchange.gone):
                self._owner.counters.add("clients_left.answer" if exchange.whole else "clients_left.request")
            exchange.detach()
        self._let_write()

    def pause_writing(self) -> None:
        """Note that the client does not keep up."""
        self._watch_writing()

    def resume_writing(self) -> None:
        """Let go on who waits for that."""
        self._unsent = None
        self._let_write()
        if self._transport is not None and not self._transport.is_closing() and not self._swallowing:
            self._set_clock()
            if self._exchange is None:
                self._next()

    # -- what the reader tells

    def has_room(self) -> bool:
        """Whether a further request may be read ahead."""
        return len(self._queue) < self._limits.max_pipelined

    def requested(self, scope: dict[str, Any], head: Head, *, keep: bool) -> None:
        """Take a request: start the application on it, or let it wait for those before it."""
        exchange = self._latest = Exchange(self, self._loop, scope, head, keep=keep)
        if self._exchange is None and self._unsent is None:
            self._start(exchange)
        else:
            self._queue.append(exchange)

    def body_arrived(self, body: bytes) -> None:
        """Hold a piece of the body."""
        if self._latest is not None:
            self._latest.feed(body)

    def request_ended(self) -> None:
        """End the request, and go on if its answer was quicker."""
        latest = self._latest
        if latest is None:
            return
        latest.end()
        if latest is self._exchange:
            self.deadline = math.inf
            if latest.complete:
                self._next()

    # -- what an exchange asks for

    def write(self, data: bytes) -> None:
        """Write bytes towards the client."""
        if self._transport is not None:
            self._transport.write(data)

    async def writable(self) -> None:
        """Wait until the client keeps up, or has gone."""
        if self._unsent is not None:
            waiter = self._loop.create_future()
            self._writers.append(waiter)
            await waiter

    def writing_is_held_up(self) -> bool:
        """Whether the client does not keep up."""
        return self._unsent is not None

    def must_close(self, exchange: Exchange, *, last: bool) -> bool:
        """Whether an answer that begins now is the connection's last."""
        return (
            not exchange.keep
            or self._eof
            or self._owner.stopping
            or (last and not exchange.whole and not self._worth_reading(exchange))
        )

    def date_line(self) -> bytes:
        """Return the Date header of now."""
        return self._owner.date_line()

    def taken(self) -> None:
        """Read on."""
        if self._paused and not self._queue:
            self._resume()
            if self._latest is not None and not self._latest.whole:
                self._start_body_clock(self._latest)

    def answered(self, exchange: Exchange) -> None:
        """Go on to the next request, or close behind the last."""
        if exchange is not self._exchange:
            return
        if exchange.closes or self._eof:
            self._close(linger=not exchange.whole)
        elif exchange.whole:
            self._next()
        elif self._worth_reading(exchange):
            self._resume()
            self._start_body_clock(exchange)
        else:
            self._close(linger=True)

    def answer_for(self, exchange: Exchange, status: int, message: str) -> None:
        """Answer in the application's stead."""
        exchange.detach()
        self._say(Refusal(status, message, exchange.scope["path"]), linger=not exchange.whole)

    def cut(self, *, hard: bool) -> None:
        """Close in mid-answer."""
        transport = self._transport
        exchange = self._exchange
        self._reader = self._exchange = self._latest = None
        self._queue.clear()
        if exchange is not None:
            exchange.detach()
        if transport is None:
            return
        if hard:
            with contextlib.suppress(OSError):
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
        else:
            self._close(linger=False)

    # -- what the server asks for

    def wind_down(self) -> None:
        """Close now if no request is being answered, else behind the answer."""
        if self._exchange is None and not self._swallowing:
            self._close(linger=False)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def expire(self, now: float) -> None:
        """Act on a deadline that has passed."""
        transport = self._transport
        if transport is None:
            self.deadline = math.inf
            return
        unsent = transport.get_write_buffer_size()
        if unsent:
            if self._unsent is not None and unsent < self._unsent:
                self._unsent = unsent
                self.deadline = now + self._limits.write_timeout_s
            else:
                transport.abort()
            return
        exchange = self._exchange
        if self._swallowing or transport.is_closing():
            transport.abort()
        elif exchange is None and not self._framing_bytes:
            self._close(linger=False)
        elif exchange is None:
            seconds = self._limits.header_timeout_s
            self._refuse(Refusal(408, f"The headers were not complete within {seconds:g} s."))
        elif not exchange.whole and not self._paused and not self._eof:
            self._refuse(
                Refusal(408, f"The body came too slowly: no KiB of it within {self._limits.body_timeout_s:g} s.")
            )
        else:
            self.deadline = math.inf

    # -- steps

    def _start(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.deadline = math.inf
        if self._eof:
            exchange.leave()
        errand = self._owner.run(exchange)
        if errand is not None and self._reading:
            self._unbegun = errand
        elif errand is not None:
            self._loop.call_soon(errand.step)  # not within the answer before it

    def _next(self) -> None:
        """Begin what comes behind a complete answer: the next request, a refusal, or the wait for either."""
        if self._latest is self._exchange:
            self._latest = None
        self._exchange = None
        if self._unsent is not None:
            return  # `resume_writing` comes back
        if self._owner.stopping:
            self._close(linger=False)
        elif self._queue:
            self._start(self._queue.popleft())
            if not self._queue:
                self._resume()
                self._set_clock()
        elif self._refusal is not None:
            self._say(self._refusal, linger=True)
        elif self._reader is None:
            self._close(linger=not self._eof)
        else:
            if self._paused:
                self._resume()
            self._set_clock()

    def _end_reading(self) -> None:
        """Read no more; the last of the requests that were read is the connection's last."""
        self._reader = None
        last = self._queue[-1] if self._queue else self._exchange
        if last is None:
            self._close(linger=True)
        else:
            last.keep = False

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal as soon as the requests before it are answered, and read nothing more."""
        exchange, latest = self._exchange, self._latest
        reader, self._reader = self._reader, None
        refusal.path = reader.path if reader is not None else None
        self._refusal = refusal
        self._owner.counters.add(f"refused_requests.{refusal.status}")
        if latest is not None and not latest.whole and latest is not exchange:
            self._queue.pop()
        elif exchange is not None and not exchange.whole:
            if exchange.begun:
                self.cut(hard=False)
            else:
                exchange.detach()
                self._say(refusal, linger=True)
            return
        if exchange is None:
            self._say(refusal, linger=True)

    def _say(self, refusal: Refusal, *, linger: bool) -> None:
        self.write(answer_of(refusal, self._owner.render, self._owner.date_line()))
        self._close(linger=linger)

    def _close(self, *, linger: bool) -> None:
        """Close behind what is written; with ``linger`` only once the client has stopped sending, or some time after.

        A socket that is closed with bytes unread resets the connection, and the client may never see its answer.
        """
        self._reader = self._exchange = self._latest = None
        self._queue.clear()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if linger and not self._eof:
            self._swallowing = True
            self.deadline = self._loop.time() + self._limits.linger_s
            transport.write_eof()
            self._resume()
        else:
            self._watch_writing()
            transport.close()

    def _watch_writing(self) -> None:
        if self._transport is not None:
            self._unsent = self._transport.get_write_buffer_size()
            self.deadline = self._loop.time() + self._limits.write_timeout_s

    def _let_write(self) -> None:
        for waiter in self._writers:
            if not waiter.done():
                waiter.set_result(None)
        self._writers.clear()

    def _set_clock(self) -> None:
        """Start the clock of whatever the client has to do next."""
        exchange = self._exchange
        if exchange is None:
            wait_s = self._limits.header_timeout_s if self._framing_bytes else self._limits.keep_alive_s
            self.deadline = self._loop.time() + wait_s
        else:
            self._start_body_clock(exchange)

    def _start_body_clock(self, exchange: Exchange) -> None:
        if exchange is not self._exchange or self._unsent is not None:
            return
        stopped = exchange.whole or self._paused or self._eof
        self.deadline = math.inf if stopped else self._loop.time() + self._limits.body_timeout_s

    def _worth_reading(self, exchange: Exchange) -> bool:
        """Whether the rest of a body nobody wants is small, and surely on its way: then the connection is kept."""
        return (
            exchange.length is not None
            and not exchange.waits_for_continue
            and exchange.length - exchange.received <= self._limits.high_water
        )

    def _pause(self) -> None:
        if self._transport is not None and not self._paused and not self._transport.is_closing():
            self._transport.pause_reading()
            self._paused = True
            if self._exchange is not None and self._unsent is None:
                self.deadline = math.inf

    def _resume(self) -> None:
        if self._transport is not None and self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()


def _address(transport: asyncio.BaseTransport, which: str) -> tuple[str, int] | None:
    address = transport.get_extra_info(which)
    return (str(address[0]), int(address[1])) if isinstance(address, tuple) else None
