"""Carries what a transport tells to one connection's machine, and what the machine asks for to the transport."""

import asyncio
import contextlib
import socket
import struct
from typing import Final

from tokenboard.server.exchange import Exchange, Outlet
from tokenboard.server.head import Address
from tokenboard.server.machine import Machine
from tokenboard.server.service import Service
from tokenboard.server.states import Event, Order

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_STARTED: Final = Event.STARTED
_BODY: Final = Event.BODY
_WRITABLE: Final = Event.WRITABLE
_NONE: Final = Order.NONE
_SHUT: Final = Order.SHUT
_ABORT: Final = Order.ABORT
_RESET: Final = Order.RESET


class Link(Outlet):
    """One connection: its transport, its machine, and the exchange that is being answered."""

    _transport: asyncio.Transport  # from `made` on, which comes first

    def __init__(self, service: Service, *, peer_told: bool) -> None:
        self._loop = service.loop
        super().__init__(
            Machine(service.common, None, self._loop.time(), peer_told=peer_told, stopping=service.stopping)
        )
        self._service = service
        self._exchange: Exchange | None = None
        self._paused = False
        self._busy = False
        self._scheduled = False

    def now(self) -> float:
        """Return the event loop's time, in seconds."""
        return self._loop.time()

    # -- what the transport tells

    def made(self, transport: asyncio.Transport, client: Address | None, server: Address | None) -> None:
        """Take the transport, and the addresses of its ends."""
        self._transport = transport
        self.machine.client = client
        self.server = server

    def received(self, data: bytes) -> None:
        """Read what has arrived; requests are begun behind that, when their bodies may be here as well."""
        machine = self.machine
        machine.received(data, self._loop.time())
        if machine.events:
            self._tell()
        if machine.output or machine.stirred:
            self.carry_out()

    def ended(self) -> None:
        """Take the client's word that it sends no more; the transport stays open until it is closed from here."""
        self.machine.ended(self._loop.time())
        self._tell()
        self.carry_out()

    def lost(self) -> None:
        """Take the loss of the connection."""
        self.machine.lost(self._loop.time())
        self._tell()
        self.carry_out()

    def held_up(self) -> None:
        """Note that the client does not keep up."""
        self.machine.hold_up(self._transport.get_write_buffer_size(), self._loop.time())

    def writable(self) -> None:
        """Note that it does again."""
        self.machine.go_on(self._loop.time())
        self._tell()
        self.carry_out()

    # -- what the server asks for

    def turn_away(self) -> None:
        """Refuse a connection that is one too many."""
        self.machine.turn_away()
        self.carry_out()

    def expire(self, now: float) -> None:
        """Act on a deadline that has passed."""
        unsent = self._transport.get_write_buffer_size()
        if not unsent and self._transport.is_closing():
            self._transport.abort()
            return
        self.machine.expired(unsent, now)
        self._tell()
        self.carry_out()

    def wind_down(self) -> None:
        """Close now if no request is being answered, else behind the answer."""
        self.machine.wind_down(self._loop.time())
        self.carry_out()

    def abort(self) -> None:
        """Close at once."""
        self.machine.abort()
        self.carry_out()

    # -- what exchanges ask for

    def forget(self, exchange: Exchange) -> None:
        """Let go of an exchange that is over."""
        if self._exchange is exchange:
            self._exchange = None

    def carry_out(self) -> None:
        """Do to the transport what the machine asks for; a request whose turn has come begins in the next turn."""
        machine = self.machine
        output = machine.output
        if output:
            machine.output = []
            transport = self._transport
            for data in output:
                transport.write(data)
        if machine.stirred:
            machine.stirred = False
            self._obey(machine)
        if machine.events and not self._busy and not self._scheduled:
            # Not within the answer before it, which has called this.
            self._scheduled = True
            self._loop.call_soon(self._tell)

    # -- steps

    def _obey(self, machine: Machine) -> None:
        for name in machine.tally:
            self._service.counters.add(name)
        machine.tally.clear()
        if machine.fault is not None:
            fault, machine.fault = machine.fault, None
            self._service.fault(fault)
        transport = self._transport
        order = machine.order
        if order is _NONE:
            if machine.paused is not self._paused and not transport.is_closing():
                self._paused = machine.paused
                if self._paused:
                    transport.pause_reading()
                else:
                    transport.resume_reading()
            return
        machine.order = _NONE
        if order is _ABORT:
            transport.abort()
        elif order is _RESET:
            with contextlib.suppress(OSError):
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
        elif not transport.is_closing():
            if order is _SHUT:
                transport.write_eof()
                if self._paused:
                    self._paused = False
                    transport.resume_reading()
            else:
                machine.hold_up(transport.get_write_buffer_size(), self._loop.time())
                transport.close()

    def _tell(self) -> None:
        """Tell the exchange what has happened to its request; begin the requests whose turn has come."""
        self._scheduled = False
        if self._busy:
            return
        self._busy = True
        machine = self.machine
        try:
            while machine.events:
                event = machine.events.pop(0)
                exchange = self._exchange
                if event is _STARTED:
                    request = machine.current
                    if request is not None:
                        exchange = self._exchange = Exchange(self, request)
                        self._service.run(exchange)
                elif exchange is None:
                    continue
                elif event is _BODY or event is _WRITABLE:
                    exchange.wake()
                else:
                    exchange.left()
        finally:
            self._busy = False
