"""A machine driven without a transport, by a clock that a test sets."""

from tests.server.rig import Asked
from tokenboard.server import Limits
from tokenboard.server.ending import Common
from tokenboard.server.http_error import render_plain
from tokenboard.server.machine import Machine
from tokenboard.server.request import Request
from tokenboard.server.states import Event, Order, Outbound

CLIENT = ("192.0.2.1", 4321)


class Driver:
    """Does what a machine asks for; ``prompt``: answers each request with its path as soon as it is whole.

    ``asked`` are the requests taken in full, ``log`` all events, ``orders`` what the transport was told.
    """

    def __init__(self, limits: Limits | None = None, *, prompt: bool = True, peer_told: bool = False) -> None:
        self.now = 0.0
        self.prompt = prompt
        common = Common(limits or Limits(), render_plain)
        common.date = b"date: today"
        self.machine = Machine(common, None if peer_told else CLIENT, self.now, peer_told=peer_told)
        self.asked: list[Asked] = []
        self.log: list[Event] = []
        self.orders: list[Order] = []
        self.written = b""
        self.unsent = 0
        self.counted: list[str] = []

    @property
    def open(self) -> bool:
        return self.machine.outbound < Outbound.LINGERING

    def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.machine.received(piece, self.now)
            self.settle()

    def end(self) -> None:
        self.machine.ended(self.now)
        self.settle()

    def lose(self) -> None:
        self.machine.lost(self.now)
        self.settle()

    def wait(self, seconds: float) -> None:
        """Let time pass; deadlines fire when they are due."""
        until = self.now + seconds
        while self.machine.deadline <= until:
            self.now = max(self.now, self.machine.deadline)
            self.machine.expired(self.unsent, self.now)
            self.settle()
        self.now = until

    def current(self) -> Request:
        request = self.machine.current
        assert request is not None
        return request

    def begin(self, *fields: tuple[bytes, bytes], status: int = 200) -> Request:
        request = self.current()
        request.status, request.fields = status, fields
        return request

    def write(self, request: Request, body: bytes, *, last: bool = True) -> bool:
        held_up = self.machine.write(request, body, self.now, last=last)
        self.settle()
        return held_up

    def take(self) -> Asked:
        """Take the whole body of the request that is being answered, and note what it was."""
        request = self.current()
        head = request.head
        body = self.machine.take(request, self.now)
        asked = Asked(head.method, head.raw_path, head.query, tuple(head.headers), body)
        self.asked.append(asked)
        return asked

    def answer(self) -> None:
        self.write(self.begin(), self.take().raw_path)

    def settle(self) -> None:
        """Take all that has come out, as a driver does."""
        machine = self.machine
        while machine.events or machine.output or machine.stirred:
            events, machine.events = machine.events, []
            self.log += events
            self.written += b"".join(machine.output)
            machine.output.clear()
            self.counted += machine.tally
            machine.tally.clear()
            machine.stirred = False
            if machine.order is not Order.NONE:
                self.orders.append(machine.order)
                if machine.order is Order.CLOSE:
                    machine.hold_up(self.unsent, self.now)
                machine.order = Order.NONE
            assert machine.fault is None
            request = machine.current
            if self.prompt and events and request is not None and request.whole and not request.complete:
                self.answer()
