"""One connection to an upstream: a machine, its transport, and whoever waits for the answer."""

import asyncio
import fcntl
import select
import socket
import ssl
import struct
import termios
from typing import Final, final

from tokenboard.gateway.upstream.bounds import Limits, Timeouts
from tokenboard.gateway.upstream.exchange import Exchange
from tokenboard.gateway.upstream.machine import Event, Machine
from tokenboard.inline_task import Pause

_PROVEN_BYTES: Final = 1_048_576
"""Longest request of which TCP may prove that nothing was read. Under TLS it counts the bytes of records, which are a
little more than ours: of so few the surplus is less than one record."""

_ARRIVED: Final = Event.ARRIVED
_FLOODED: Final = Event.FLOODED
_ENDED: Final = Event.ENDED
_MUST_CLOSE: Final = Event.CLOSED


class Owner:
    """The pool, as its connections see it."""

    def freed(self, connection: "Connection") -> None:
        """Take back a connection whose answer ended so that it can be used again: release or close it."""
        raise NotImplementedError

    def dropped(self, connection: "Connection") -> None:
        """Forget a connection that will not be used again; told once, when it is closed or about to be."""
        raise NotImplementedError

    def gone(self, connection: "Connection") -> None:
        """Note that a connection's socket is closed; told once, last."""
        raise NotImplementedError


@final
class Connection:
    """Carries one exchange at a time, all in one event loop; `UpstreamProtocol` brings it what the transport tells.

    ``deadline``, in the loop's time, is when `expire` is to be called; the pool sees to it.
    """

    __slots__ = ("_closed", "_owner", "_paused", "_peek", "_transport", "_waiter", "loop", "machine")

    def __init__(
        self, owner: Owner, upstream: str, limits: Limits, timeouts: Timeouts, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.machine = Machine(upstream, limits, timeouts)
        self._owner = owner
        self.loop = loop
        self._transport: asyncio.Transport | None = None
        self._peek = select.poll()
        self._waiter: Pause | None = None
        self._paused = False
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it is of no further use."""
        return self._closed

    @property
    def deadline(self) -> float:
        """When `expire` is to be called."""
        return self.machine.deadline

    # -- what the pool asks for

    def usable(self) -> bool:
        """Whether an idle connection may be used again.

        It looks into the socket itself: the end of the stream, or bytes nobody asked for, may lie there before the
        event loop has come round to them.
        """
        transport = self._transport
        return not self._closed and transport is not None and not transport.is_closing() and not self._peek.poll(0)

    def begin(self, head: bytes, body: bytes, *, bodiless: bool) -> Exchange:
        """Write one request and give the exchange in which its answer will arrive. The connection must be usable."""
        transport = self._transport
        machine = self.machine
        if transport is None:
            raise RuntimeError("the connection is not free")
        pieces = machine.start(head, body, self.loop.time(), bodiless=bodiless)
        exchange = machine.exchange
        assert exchange is not None  # noqa: S101 - it was begun just now; writing may already end it
        for piece in pieces:
            transport.write(piece)
        return exchange

    def expire(self, now: float) -> None:
        """Act on a deadline that has passed: close when idle, otherwise end the exchange with its timeout."""
        unsent = 0 if self._transport is None else self._transport.get_write_buffer_size()
        if self.machine.expire(now, unsent) is _MUST_CLOSE:
            self._shut()

    def close(self) -> None:
        """Close at once, without a word to the exchange."""
        if not self._closed:
            self._closed = True
            self.machine.close()
            if self._transport is not None:
                self._transport.abort()
            self._owner.dropped(self)

    def abort(self) -> None:
        """Close at once; the exchange, if there is one, ends in an error."""
        self.machine.abandon()
        self._shut()

    # -- what the reader of an exchange asks for

    def arrival(self) -> Pause:
        """Give what ends when the connection has something new: the head, body bytes, the end or an error.

        Nobody else may be waiting. Whoever gives up waiting says so by `wait_no_more`, or drops the exchange.
        """
        if self._waiter is not None:
            raise RuntimeError("two tasks read one response")
        waiter = self._waiter = Pause()
        return waiter

    def body_arrival(self) -> Pause:
        """Do what `arrival` does, with the idle clock running."""
        waiter = self.arrival()
        self.machine.await_body(self.loop.time())
        return waiter

    def wait_no_more(self, waiter: Pause) -> None:
        """Note that nobody waits any more, nor any clock, unless ``waiter`` was ended."""
        if self._waiter is waiter:
            self._waiter = None
            self.machine.stop_clock()

    def taken(self) -> None:
        """Read on from the socket: the unread bytes were taken."""
        if self._paused:
            self._resume()

    def drop(self, exchange: Exchange) -> None:
        """Close if this exchange, whose reader does not want it any more, is still under way; nothing otherwise."""
        if exchange.open and self.machine.exchange is exchange:
            self.abort()

    # -- what the transport tells

    def made(self, transport: asyncio.Transport) -> None:
        """Take the transport and turn off Nagle's algorithm."""
        self._transport = transport
        if self._closed:
            transport.abort()
            return
        sock = transport.get_extra_info("socket")
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peek.register(sock.fileno(), select.POLLIN)

    def received(self, data: bytes) -> None:
        """Take what has arrived and tell the reader once about all of it."""
        event = self.machine.receive(data)
        if event is _ENDED:
            self._finish()
        elif event is _ARRIVED:
            self._wake()
        elif event is _FLOODED:
            # Bulk: others get their turn before it is read, and before more of it comes.
            if not self._paused:
                self._pause()
            self.loop.call_soon(self._wake)
        elif event is _MUST_CLOSE:
            self._shut()

    def ended(self) -> None:
        """Take the end of the stream; the transport is closed in any case."""
        self._end(None, clean=self._is_clean_end())

    def lost(self, error: Exception | None) -> None:
        """Take the loss of the connection; TLS that just stops, without its closing alert, comes to this."""
        self._end(error, clean=error is None and self._tls() is None)
        self._transport = None
        self._owner.gone(self)

    def writing_is_held_up(self) -> None:
        """Note that a large request is waiting for the socket."""
        if self._transport is not None:
            self.machine.writing_is_held_up(self._transport.get_write_buffer_size())

    def writing_goes_on(self) -> None:
        """Note that it is nearly written."""
        self.machine.writing_goes_on(self.loop.time())

    # -- steps

    def _finish(self) -> None:
        """Give the connection back behind a complete answer, or close it, and tell the reader."""
        transport = self._transport
        # Bytes still unsent: it answered before it had read the whole request.
        if self.machine.reusable and transport is not None and not transport.get_write_buffer_size():
            if self._paused:
                self._resume()
            self._owner.freed(self)
        else:
            self.close()
        self._wake()

    def _shut(self) -> None:
        self.close()
        self._wake()

    def _wake(self) -> None:
        """Let who waits, if somebody does, look again; an inline task does so within this call: make it the last."""
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            waiter.end()

    def _end(self, error: Exception | None, *, clean: bool) -> None:
        if self._closed:
            return
        machine = self.machine
        untouched = error is None and machine.may_be_stale and self._is_untouched(machine.sent)
        if machine.end_of_stream(error, clean=clean, untouched=untouched) is _ENDED:
            self._finish()
        else:
            self._shut()

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

    def _is_untouched(self, size: int) -> bool:
        """Whether the upstream had closed before anything of the request reached it; False when that is not proven.

        The end of its TCP stream acknowledges all that had arrived there by then (RFC 9293 section 3.10.7). A reset
        proves nothing: its acknowledgement is not heeded. Nor does the end of a Unix socket: the one who sent it may
        still read.
        """
        transport = self._transport
        sock = None if transport is None else transport.get_extra_info("socket")
        if transport is None or sock is None or size > _PROVEN_BYTES or sock.family == socket.AF_UNIX:
            return False
        try:
            told = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return False
        (unacknowledged,) = struct.unpack("i", told)
        return bool(unacknowledged + transport.get_write_buffer_size() >= size)

    def _tls(self) -> ssl.SSLObject | None:
        return None if self._transport is None else self._transport.get_extra_info("ssl_object")

    def _pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._paused = True

    def _resume(self) -> None:
        self._paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
