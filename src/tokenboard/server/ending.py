"""How a connection ends: behind its last answer, by an error of the server, in mid-answer, or at once."""

import math
from typing import Final

from tokenboard.server.head import Address
from tokenboard.server.http_error import HttpError, Render, answer_of
from tokenboard.server.limits import Limits
from tokenboard.server.reader import Reader
from tokenboard.server.request import Request
from tokenboard.server.response import Framing
from tokenboard.server.states import OUTBOUND, Event, Inbound, Order, Outbound

NEVER: Final = math.inf
_UNKNOWN: Final = 1 << 62

_DEAF: Final = Inbound.DEAF
_ENDED: Final = Inbound.ENDED
_WAITING: Final = Outbound.WAITING
_LINGERING: Final = Outbound.LINGERING
_CLOSING: Final = Outbound.CLOSING
_CLOSED: Final = Outbound.CLOSED
_STARTED: Final = Event.STARTED
_PARTED: Final = Event.PARTED
_NO_ORDER: Final = Order.NONE
_SHUT: Final = Order.SHUT
_CLOSE: Final = Order.CLOSE
_ABORT: Final = Order.ABORT
_RESET: Final = Order.RESET
_UNTIL_CLOSE: Final = Framing.CLOSE


class Common:
    """What all connections of a server share. ``date`` is the Date header of now, as a line."""

    def __init__(self, limits: Limits, render: Render) -> None:
        self.limits = limits
        self.render = render
        self.date = b""


class Ending(Reader):
    """The state of a connection, and the steps by which it ends; `Machine` is one, and says what is what."""

    def __init__(self, common: Common, client: Address | None, now: float, *, peer_told: bool, stopping: bool) -> None:
        super().__init__(common.limits, client, peer_told=peer_told)
        self.common = common
        self.outbound: Outbound = _WAITING
        self.current: Request | None = None
        self.events: list[Event] = []
        self.output: list[bytes] = []
        self.order: Order = _NO_ORDER
        self.tally: list[str] = []
        self.paused = False
        self.stirred = False
        self.held_up = False
        self.stopping = stopping
        self.deadline: float = now + common.limits.header_timeout_s
        self._now = now
        self._latest: Request | None = None  # the one whose body is being read, if any
        self._queue: list[Request] = []
        self._error: HttpError | None = None  # to be told in its turn
        self._unsent = 0  # bytes that were still to be written when that was last looked at

    def turn_outbound(self, state: Outbound) -> None:
        """Go on to a state, by a way that there is."""
        if not OUTBOUND[self.outbound] >> state & 1:
            raise AssertionError(f"there is no way from {self.outbound!r} to {state!r}")
        self.outbound = state

    def abort(self) -> None:
        """Close at once."""
        if self.outbound is not _CLOSED:
            self._deafen()
            self._give_order(_ABORT)

    def hold_up(self, unsent: int, now: float) -> None:
        """Take note that the client does not keep up: so many bytes are still to be written."""
        self._now = now
        self.held_up = True
        self._unsent = unsent
        self.deadline = now + self.limits.write_timeout_s

    # -- steps

    def _refuse(self, error: HttpError) -> None:
        """Answer with an error as soon as the requests before it are answered, and read nothing more."""
        request, latest = self.current, self._latest
        error.path = self.path_read()
        self._deafen()
        self._error = error
        self._tally(f"refused_requests.{error.status}")
        if latest is not None and not latest.whole and latest is not request:
            self._queue.pop()
        elif request is not None and not request.whole:
            if request.begun:
                self._cut(request)
            else:
                self._part(request)
                self._say(error, linger=True)
            return
        if request is None and not self._queue:
            self._say(error, linger=True)

    def _say(self, error: HttpError, *, linger: bool) -> None:
        self.output.append(answer_of(error, self.common.render, self.common.date))
        self._close(linger=linger)

    def _cut(self, request: Request) -> None:
        """Close in mid-answer; by a reset where the connection's end would look like the answer's."""
        self._part(request)
        if request.framing is _UNTIL_CLOSE:
            self._deafen()
            self._queue.clear()
            self._give_order(_RESET)
        else:
            self._close(linger=False)

    def _close(self, *, linger: bool) -> None:
        """Close behind what is written; with ``linger`` only once the client has stopped sending, or some time after.

        A socket that is closed with bytes unread resets the connection, and the client may never see its answer.
        """
        self._deafen()
        self.current = self._latest = None
        self._queue.clear()
        if self.outbound is _CLOSING or self.outbound is _CLOSED:
            return
        if linger and self.inbound is not _ENDED:
            self.turn_outbound(_LINGERING)
            self.deadline = self._now + self.limits.linger_s
            self._resume()
            self._give_order(_SHUT)
        else:
            self.turn_outbound(_CLOSING)
            self.hold_up(_UNKNOWN, self._now)
            self._give_order(_CLOSE)

    def _give_order(self, order: Order) -> None:
        if order is _ABORT or order is _RESET:
            if self.outbound is not _CLOSING:
                self.turn_outbound(_CLOSING)
            self.deadline = NEVER
        self.order = order
        self.stirred = True

    def _part(self, request: Request) -> None:
        """Take a request from the connection."""
        request.parted = request.gone = True
        request.pieces.clear()
        request.held = 0
        if request is self.current:
            self.current = None
            if _STARTED in self.events:
                self.events.remove(_STARTED)  # nobody knows of it yet
            else:
                self.events.append(_PARTED)

    def _deafen(self) -> None:
        if self.inbound is not _DEAF and self.inbound is not _ENDED:
            self.turn_inbound(_DEAF)

    def _tally(self, name: str) -> None:
        self.tally.append(name)
        self.stirred = True

    def _resume(self) -> None:
        if self.paused:
            self.paused = False
            self.stirred = True
