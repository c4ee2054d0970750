"""One client's connection without its transport: bytes and the time go in; requests, bytes and a deadline come out.

    received, ended, lost ─▶ ┌─────────┐ ─▶ events: a request is to be answered, its body goes on, its client left
    expired, held up … ─────▶│ Machine │ ─▶ output: bytes to write    order, paused: what to do with the transport
    write, take, fail ──────▶└─────────┘ ─▶ deadline: when to call `expired`    tally: what to count

Whoever drives it calls one method, and then looks at what has come out. Requests are answered one at a time, in order.
Nothing in here waits, looks at a clock, or knows of a socket.
"""

from typing import Final

from tokenboard.server.ending import NEVER, Common, Ending
from tokenboard.server.head import Address, Head, too_much
from tokenboard.server.http_error import HttpError
from tokenboard.server.request import Request
from tokenboard.server.response import BadResponse
from tokenboard.server.states import Event, Inbound, Outbound

JOINED_BODY: Final = 65_536
"""Bodies up to this many bytes are copied behind their head: one write is cheaper than two."""

_BODY_STEP: Final = 1_024
"""Bytes of a body that must arrive within each body timeout, unless it ends."""

_OVERHEAD_PER_BYTE: Final = 16
"""Bytes of chunked framing granted to each byte of body, beside `Limits.max_header_bytes`: single bytes need five."""

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_IDLE: Final = Inbound.IDLE
_HEAD: Final = Inbound.HEAD
_BODY: Final = Inbound.BODY
_DEAF: Final = Inbound.DEAF
_ENDED: Final = Inbound.ENDED
_WAITING: Final = Outbound.WAITING
_ANSWERING: Final = Outbound.ANSWERING
_SENDING: Final = Outbound.SENDING
_ANSWERED: Final = Outbound.ANSWERED
_LINGERING: Final = Outbound.LINGERING
_CLOSING: Final = Outbound.CLOSING
_CLOSED: Final = Outbound.CLOSED
_STARTED: Final = Event.STARTED
_BODY_CAME: Final = Event.BODY
_LEFT: Final = Event.LEFT
_WRITABLE: Final = Event.WRITABLE


class Machine(Ending):
    """The state of one connection.

    Given: ``client`` and ``peer_told`` as `judge_head` has them, and ``now``, in seconds of a clock that never goes
    back. To be looked at after each call, and emptied by the driver: ``events``, which are about ``current``;
    ``output``, to be written; then ``order``; ``tally``, names to count. ``paused``: the transport is to be left
    unread. ``stirred`` is set when anything but events and output has changed. ``deadline`` is when to call `expired`.
    """

    def __init__(
        self, common: Common, client: Address | None, now: float, *, peer_told: bool = False, stopping: bool = False
    ) -> None:
        super().__init__(common, client, now, peer_told=peer_told, stopping=stopping)
        self._framing_bytes = 0
        self._mark = 0

    # -- what the transport tells

    def turn_away(self) -> None:
        """Refuse a connection that is one too many, before it says anything."""
        self._refuse(HttpError(503, "Too many connections are open at the moment; try again later."))

    def received(self, data: bytes, now: float) -> None:
        """Take bytes from the client."""
        self._now = now
        if self.inbound is _DEAF or self.inbound is _ENDED:
            if self.outbound is not _LINGERING:
                self._pause()
            return
        before = self._latest
        size = 0 if before is None else before.received
        try:
            count = self.read(data)
        except HttpError as error:
            self._refuse(error)
            return
        inbound = self.inbound
        latest = self._latest
        if inbound is _BODY and latest is not None:
            if latest is before:
                self._check_progress(latest, count, size)
            else:
                self._framing_bytes = self._mark = 0
                self._start_body_clock(latest)
        elif inbound is _HEAD or (inbound is _IDLE and not self.advanced):
            if self.advanced:  # most of what was read was another request
                self._framing_bytes, count = 0, 1
            self._check_head(count)
        elif inbound is _IDLE:
            self._framing_bytes = 0
        latest = self._latest
        if self._queue or (latest is not None and latest.held > self.limits.high_water):
            self._pause()

    def ended(self, now: float) -> None:
        """Take the client's word that it sends no more; what it asked in full is still answered."""
        self._now = now
        if self.inbound is not _ENDED:
            self.turn_inbound(_ENDED)
        request, latest = self.current, self._latest
        if latest is not None and not latest.whole and latest is not request and latest in self._queue:
            self._queue.remove(latest)
        if self.outbound is _LINGERING or (not self._queue and (request is None or request.complete)):
            self._close(linger=False)
            return
        if request is not None:
            if not request.whole:
                self._tally("clients_left.request")
            self._leave(request)
        if not self.held_up:
            self.deadline = NEVER

    def lost(self, now: float) -> None:
        """Take the loss of the connection."""
        self._now = now
        if self.outbound is _CLOSED:
            return
        request = self.current
        if request is not None:
            if not request.complete and not self.stopping and (request.whole or not request.gone):
                self._tally("clients_left.answer" if request.whole else "clients_left.request")
            self._part(request)
        if self.held_up:
            self.held_up = False
            self.events.append(_WRITABLE)
        if self.inbound is not _ENDED:
            self.turn_inbound(_ENDED)
        self.turn_outbound(_CLOSED)
        self.current = self._latest = None
        self._queue.clear()
        self.deadline = NEVER
        self.let_go()

    def go_on(self, now: float) -> None:
        """Take note that the client keeps up again."""
        self._now = now
        if self.held_up:
            self.held_up = False
            self.events.append(_WRITABLE)
        if self.outbound < _LINGERING:
            self._set_clock()
            if self.current is None:
                self._next()

    def expired(self, unsent: int, now: float) -> None:
        """Act on a deadline that has passed, with so many bytes still to be written."""
        self._now = now
        outbound = self.outbound
        request = self.current
        if outbound is _CLOSED:
            self.deadline = NEVER
        elif unsent:
            if self.held_up and unsent < self._unsent:
                self.hold_up(unsent, now)
            else:
                self.abort()
        elif outbound is _LINGERING or outbound is _CLOSING:
            self.abort()
        elif request is None and not self._framing_bytes:
            self._close(linger=False)
        elif request is None:
            self._refuse(HttpError(408, f"The headers were not complete within {self.limits.header_timeout_s:g} s."))
        elif not request.whole and not self.paused and self.inbound is not _ENDED:
            seconds = self.limits.body_timeout_s
            self._refuse(HttpError(408, f"The body came too slowly: no KiB of it within {seconds:g} s."))
        else:
            self.deadline = NEVER

    # -- what the server asks for

    def wind_down(self, now: float) -> None:
        """Take no further request: close now if none is being answered, else behind the answer."""
        self._now = now
        self.stopping = True
        if self.current is None and self.outbound is _WAITING:
            self._close(linger=False)

    # -- what the reader tells

    def has_room(self) -> bool:
        """Whether a further request may be read ahead."""
        return len(self._queue) < self.limits.max_pipelined

    def requested(self, head: Head, *, keep: bool) -> None:
        """Take a request: have it answered, or let it wait for those before it."""
        request = self._latest = Request(head, keep=keep)
        if self.current is None and not self.held_up:
            self._start(request)
        else:
            self._queue.append(request)

    def body_arrived(self, body: bytes) -> None:
        """Hold a piece of the body, unless nobody wants it any more."""
        latest = self._latest
        if latest is None:
            return
        latest.received += len(body)
        latest.awaits_continue = False  # it did not wait
        if not latest.complete and not latest.parted:
            latest.pieces.append(body)
            latest.held += len(body)
            if latest is self.current and not self.events:
                self.events.append(_BODY_CAME)

    def request_ended(self) -> None:
        """End the request, and go on if its answer was quicker."""
        latest = self._latest
        if latest is None:
            return
        latest.whole = True
        if latest is self.current:
            self.deadline = NEVER
            if latest.complete:
                self._next()
            elif not self.events:
                self.events.append(_BODY_CAME)

    def surplus(self) -> None:
        """Let the last of the requests that were read be the connection's last."""
        last = self._queue[-1] if self._queue else self.current
        if last is not None:
            last.keep = False

    # -- what the application asks for

    def take(self, request: Request, now: float) -> bytes:
        """Give what is held of a request's body, and let more of it come."""
        pieces = request.pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        request.pieces = []
        request.held = 0
        request.read_to_end = request.whole
        if not request.whole and not request.parted and self.paused and not self._queue:
            self._now = now
            self._resume()
            latest = self._latest
            if latest is not None and not latest.whole:
                self._start_body_clock(latest)
        return body

    def ask_for_body(self, request: Request) -> None:
        """Tell a client that waits for that to send its body."""
        if request.awaits_continue and not request.parted and not request.begun:
            request.awaits_continue = False
            self.output.append(_CONTINUE)

    def write(self, request: Request, body: bytes, now: float, *, last: bool) -> bool:
        """Send a piece of an answer, whose ``status`` and ``fields`` are set; nothing happens once it is parted.

        Returns whether the client does not keep up, and the next piece has to wait.

        Raises:
            BadResponse: a piece out of turn, or an answer that cannot be sent as HTTP.

        """
        if request.parted:
            request.complete = request.complete or last
            return False
        if not request.status or request.complete:
            raise BadResponse("a body without the start of its answer, or behind its end")
        self._now = now
        if not request.begun:
            closes = (
                not request.keep
                or self.stopping
                or self.inbound is _ENDED
                or (last and not request.whole and not self._worth_reading(request))
            )
            head = request.render(len(body) if last else None, self.common.date, closes=closes)
        else:
            head = b""
        if not request.fits(body, last=last):
            self._cut(request)
            raise BadResponse("the body of an answer does not have the length that its Content-Length tells")
        body = request.frame(body, last=last)
        if len(body) > JOINED_BODY and head:
            self.output += [head, body]
        elif head or body:
            self.output.append(head + body)
        if last:
            request.complete = True
            self._answered(request)
            return False
        if self.outbound is _ANSWERING:
            self.turn_outbound(_SENDING)
        return self.held_up

    def fail(self, request: Request, status: int, message: str, now: float) -> None:
        """Answer in the application's stead, or break off what it has begun; what is complete stays."""
        if request.parted or request.complete:
            return
        self._now = now
        if request.begun:
            self._cut(request)
        else:
            error = HttpError(status, message, request.head.path)
            linger = not request.whole
            self._part(request)
            self._say(error, linger=linger)

    # -- steps

    def _start(self, request: Request) -> None:
        self.current = request
        self.turn_outbound(_ANSWERING)
        self.deadline = NEVER
        self.events.append(_STARTED)
        if self.inbound is _ENDED:
            request.gone = True

    def _answered(self, request: Request) -> None:
        """Go on to the next request, or close behind the last."""
        if request is not self.current:
            return
        if request.closes or self.inbound is _ENDED:
            self._close(linger=not request.whole)
        elif request.whole:
            self._next()
        elif self._worth_reading(request):
            self.turn_outbound(_ANSWERED)
            self._resume()
            self._start_body_clock(request)
        else:
            self._close(linger=True)

    def _next(self) -> None:
        """Begin what comes behind a complete answer: the next request, an error, or the wait for either."""
        if self._latest is self.current:
            self._latest = None
        self.current = None
        if self.outbound is not _WAITING:
            self.turn_outbound(_WAITING)
        if self.held_up:
            return  # `go_on` comes back
        if self.stopping:
            self._close(linger=False)
        elif self._queue:
            self._start(self._queue.pop(0))
            if not self._queue:
                self._resume()
                self._set_clock()
        elif self._error is not None:
            self._say(self._error, linger=True)
        elif self.inbound is _DEAF or self.inbound is _ENDED:
            self._close(linger=self.inbound is not _ENDED)
        else:
            if self.paused:
                self._resume()
            self._set_clock()

    def _check_head(self, count: int) -> None:
        if self.current is None and not self._framing_bytes:
            self.deadline = self._now + self.limits.header_timeout_s
        self._framing_bytes += count
        if self._framing_bytes > self.limits.max_header_bytes:
            self._refuse(too_much(self.limits))

    def _check_progress(self, latest: Request, count: int, size: int) -> None:
        if latest.length is None:
            self._framing_bytes += count - (latest.received - size)
            if self._framing_bytes > self.limits.max_header_bytes + _OVERHEAD_PER_BYTE * latest.received:
                self._refuse(HttpError(400, "The chunked body is more framing than content."))
                return
        if latest.received - self._mark >= _BODY_STEP:
            self._mark = latest.received
            self._start_body_clock(latest)

    def _leave(self, request: Request) -> None:
        if not request.gone:
            request.gone = True
            if not self.events or self.events[-1] is not _STARTED:
                self.events.append(_LEFT)

    def _set_clock(self) -> None:
        """Start the clock of whatever the client has to do next."""
        request = self.current
        if request is not None:
            self._start_body_clock(request)
        elif self._framing_bytes:
            self.deadline = self._now + self.limits.header_timeout_s
        else:
            self.deadline = self._now + self.limits.keep_alive_s

    def _start_body_clock(self, request: Request) -> None:
        if request is not self.current or self.held_up:
            return
        stopped = request.whole or self.paused or self.inbound is _ENDED
        self.deadline = NEVER if stopped else self._now + self.limits.body_timeout_s

    def _worth_reading(self, request: Request) -> bool:
        """Whether the rest of a body nobody wants is small, and surely on its way: then the connection is kept."""
        return (
            request.length is not None
            and not request.awaits_continue
            and request.length - request.received <= self.limits.high_water
        )

    def _pause(self) -> None:
        if not self.paused and self.outbound < _LINGERING:
            self.paused = self.stirred = True
            if self.current is not None and not self.held_up:
                self.deadline = NEVER
