"""One request and its answer, as the application sees them: the ASGI scope, ``receive`` and ``send``."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Protocol

from tokenboard.inline_task import InlineTask
from tokenboard.observability import BoundedLog, logger
from tokenboard.server.head import Head
from tokenboard.server.refusal import FAULT
from tokenboard.server.response import BadResponse, Framing, render_head

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Direct(Protocol):
    """Answers requests on the `Exchange` itself, as an errand: without a task, and without ASGI's messages."""

    def owns(self, path: str) -> bool:
        """Whether requests for this path are its own."""

    def answer(self, line: Any, /) -> Coroutine[Any, Any, None]:
        """Answer one request; what holds for an ASGI application holds here too."""


_JOINED_BODY = 65_536
"""Bodies up to this many bytes are copied behind their head: one write is cheaper than two."""

_STOPPED = "The server is shutting down; try again in a moment."
_log = logger("server")


class Line(Protocol):
    """The connection, as its exchanges see it. An exchange that is detached has none any more."""

    def write(self, data: bytes) -> None:
        """Write bytes towards the client."""

    async def writable(self) -> None:
        """Wait until most of what was written is gone, or the connection is."""

    def writing_is_held_up(self) -> bool:
        """Whether `writable` would wait."""

    def must_close(self, exchange: "Exchange", *, last: bool) -> bool:
        """Whether this answer is the connection's last; ``last`` says that it is complete with what is sent now."""

    def date_line(self) -> bytes:
        """Return the Date header of now."""

    def taken(self) -> None:
        """Read on: the application took the body bytes held for it."""

    def answered(self, exchange: "Exchange") -> None:
        """Go on to the next request: the answer is complete."""

    def answer_for(self, exchange: "Exchange", status: int, message: str) -> None:
        """Answer in the application's stead, then close; nothing was sent yet."""

    def cut(self, *, hard: bool) -> None:
        """Close in mid-answer; ``hard`` resets the connection, so that its end cannot be taken for the answer's."""


class Exchange:
    """The state shared by the connection that reads a request and the application that answers it.

    ``received`` counts the body's bytes, ``held`` those the application has not taken. ``whole``: the request has
    arrived in full. ``gone``: the client is away, or has said that it sends no more; ``on_leave`` is called then.
    ``begun`` and ``complete`` tell of the answer.
    """

    __slots__ = (
        "_awaits_continue",
        "_chunks",
        "_framing",
        "_headers",
        "_last_given",
        "_line",
        "_loop",
        "_remaining",
        "_status",
        "_to_head",
        "_version_1_0",
        "_waiters",
        "begun",
        "closes",
        "complete",
        "gone",
        "held",
        "keep",
        "length",
        "on_leave",
        "received",
        "scope",
        "task",
        "whole",
    )

    def __init__(
        self,
        line: Line,
        loop: asyncio.AbstractEventLoop,
        scope: Scope,
        head: Head,
        *,
        keep: bool,
    ) -> None:
        self._line: Line | None = line
        self._loop = loop
        self.scope = scope
        self.length = head.length
        self.keep = keep
        self.task: asyncio.Task[None] | InlineTask | None = None
        self.on_leave: Callable[[], object] | None = None
        self.received = 0
        self.held = 0
        self.whole = self.gone = self.begun = self.complete = self.closes = False
        self._awaits_continue = head.expects_continue
        self._chunks: list[bytes] = []
        self._last_given = False
        self._waiters: list[asyncio.Future[None]] = []
        self._status = 0
        self._headers: Iterable[tuple[bytes, bytes]] = ()
        self._to_head = scope["method"] == "HEAD"
        self._version_1_0 = scope["http_version"] == "1.0"
        self._framing = Framing.NONE
        self._remaining = 0

    @property
    def waits_for_continue(self) -> bool:
        """Whether the client was not yet told to send its body."""
        return self._awaits_continue

    # -- what the connection tells

    def feed(self, body: bytes) -> None:
        """Hold a piece of the body for the application, which may be done without it."""
        self.received += len(body)
        self._awaits_continue = False  # it did not wait
        if not self.complete and self._line is not None:
            self._chunks.append(body)
            self.held += len(body)
            if self._waiters:
                self._wake()

    def end(self) -> None:
        """Note that the request has arrived in full."""
        self.whole = True
        self._wake()

    def leave(self) -> None:
        """Note that the client sends nothing more; it may still read."""
        self.gone = True
        self._wake()
        if self.on_leave is not None:
            self.on_leave()

    def detach(self) -> None:
        """Part from the connection: what is sent from now on goes nowhere."""
        self._line = None
        self.gone = True
        self._chunks.clear()
        self.held = 0
        self._wake()
        if self.on_leave is not None:
            self.on_leave()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    # -- what the application calls

    async def receive(self) -> Message:
        """Give the next piece of the request's body; after its end, wait for the client to leave."""
        body = await self.read()
        if body is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": not self._last_given}

    async def read(self) -> bytes | None:
        """Give what has arrived of the body, perhaps b"" at its end (see `read_to_end`); None once the client left."""
        while True:
            if self._chunks:
                chunks = self._chunks
                body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                self._chunks = []
                self.held = 0
                self._last_given = self.whole
                if not self.whole and self._line is not None:
                    self._line.taken()
                return body
            if self.whole and not self._last_given and not (self.gone and self._line is None):
                self._last_given = True
                return b""
            if self.gone or self.complete:
                return None
            if self._awaits_continue and self._line is not None and not self.begun:
                self._awaits_continue = False
                self._line.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            await waiter

    @property
    def read_to_end(self) -> bool:
        """Whether the end of the body was read."""
        return self._last_given

    async def send(self, message: Message) -> None:
        """Send a part of the answer; returns once the client keeps up. Nothing happens when the client has gone.

        Raises:
            BadResponse: a message out of turn, or one that cannot be sent as HTTP.

        """
        kind = message["type"]
        if kind == "http.response.body":
            if self.write(message.get("body", b""), last=not message.get("more_body", False)):
                await self.writable()
        elif kind == "http.response.start":
            self.begin(message["status"], message.get("headers", ()))
        else:
            raise BadResponse(f"an ASGI message of a kind not known here: {str(kind)[:50]!r}")

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Begin the answer; its head leaves with the first piece of the body.

        Raises:
            BadResponse: it was begun before.

        """
        if self._status or self.complete:
            raise BadResponse("the answer was already begun")
        self._status = status
        self._headers = headers

    def write(self, body: bytes, *, last: bool) -> bool:
        """Send a piece of the body; returns whether to await `writable` before the next. Does nothing without a client.

        Raises:
            BadResponse: a piece out of turn, or an answer that cannot be sent as HTTP.

        """
        line = self._line
        if line is None:
            self.complete = self.complete or last
            return False
        if not self._status or self.complete:
            raise BadResponse("a body without the start of its answer, or behind its end")
        head = b"" if self.begun else self._begin(line, len(body) if last else None, last=last)
        data = self._frame(line, body, last=last)
        if len(data) <= _JOINED_BODY or not head:
            data = head + data
        else:
            line.write(head)
        if data:
            line.write(data)
        if last:
            self.complete = True
            if self._waiters:
                self._wake()
            line.answered(self)
            return False
        return line.writing_is_held_up()

    async def writable(self) -> None:
        """Wait until the client keeps up, or has gone."""
        if self._line is not None:
            await self._line.writable()

    def _begin(self, line: Line, whole: int | None, *, last: bool) -> bytes:
        head = render_head(
            self._status,
            self._headers,
            whole=whole,
            to_head=self._to_head,
            version_1_0=self._version_1_0,
            closes=line.must_close(self, last=last),
            date=line.date_line(),
        )
        self.begun = True
        self.closes = head.closes
        self._framing = head.framing
        self._remaining = head.length
        return head.block

    def _frame(self, line: Line, body: bytes, *, last: bool) -> bytes:
        """Return the body's bytes as they are sent; one that does not fit its Content-Length cuts the answer."""
        framing = self._framing
        if framing is Framing.LENGTH:
            self._remaining -= len(body)
            if self._remaining < 0 or (last and self._remaining):
                line.cut(hard=False)
                raise BadResponse("the body of an answer does not have the length that its Content-Length tells")
            return body
        if framing is Framing.CHUNKED:
            data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return data + b"0\r\n\r\n" if last else data
        return b"" if framing is Framing.NONE else body

    # -- running the application

    async def run(
        self, app: App, direct: Direct | None, forget: Callable[["Exchange"], object], stumbled: BoundedLog
    ) -> None:
        """Let the application, or ``direct``, answer; whatever it does, the connection is not left waiting.

        ``stumbled`` is told of an application that failed because its client has gone.
        """
        try:
            if direct is None:
                await app(self.scope, self.receive, self.send)
            else:
                await direct.answer(self)
        except asyncio.CancelledError:
            self._fail(503, _STOPPED)
            raise
        except Exception as error:
            if self.gone:
                # A client that has gone makes many an application stumble; that is no fault of either.
                kind = type(error).__name__
                stumbled.warning(kind, "an application failed to answer a client that has gone", {"reason": kind})
            else:
                _log.error("an application failed to answer", exc_info=error)
            self._fail(500, FAULT)
        else:
            if not self.complete and self._line is not None:
                if not self.begun and not self.gone:
                    _log.error("an application returned without an answer")
                self._fail(500, FAULT)
        finally:
            forget(self)

    def refuse_to_run(self) -> None:
        """Answer that the server is shutting down, as the application never began."""
        self._fail(503, _STOPPED)

    def _fail(self, status: int, message: str) -> None:
        line = self._line
        if line is None or self.complete:
            return
        if self.begun:
            line.cut(hard=self._framing is Framing.CLOSE)
        else:
            line.answer_for(self, status, message)
