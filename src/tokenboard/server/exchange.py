"""One request and its answer as the application sees them: reading, writing, and ASGI's ``receive`` and ``send``."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from tokenboard.inline_task import InlineTask, Pause
from tokenboard.server.head import Head
from tokenboard.server.machine import Machine
from tokenboard.server.request import Request
from tokenboard.server.response import BadResponse

if TYPE_CHECKING:
    import asyncio

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}


class Direct(Protocol):
    """Answers requests on the `Exchange` itself, as an inline task: without a task, and without ASGI's messages."""

    def owns(self, path: str) -> bool:
        """Whether requests for this path are its own."""

    def answer(self, line: Any, /) -> Coroutine[Any, Any, None]:
        """Answer one request; what holds for an ASGI application holds here too."""


class Outlet:
    """The driver of a connection, as its exchanges see it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.server: tuple[str, int] | None = None

    def now(self) -> float:
        """Return the machine's time, in seconds."""
        raise NotImplementedError

    def carry_out(self) -> None:
        """Do to the transport what the machine asks for."""
        raise NotImplementedError

    def forget(self, exchange: "Exchange") -> None:
        """Let go of an exchange that is over."""
        raise NotImplementedError


class Exchange:
    """One request, for whoever answers it: ``head`` is what it says, ``length`` that of its body if it is told.

    ``gone``: the client is away, or has said that it sends no more; ``on_leave`` is called then. ``held`` counts the
    bytes of the body that have come and were not taken. ``task`` answers it.
    """

    __slots__ = ("_outlet", "_pauses", "head", "on_leave", "request", "task")

    def __init__(self, outlet: Outlet, request: Request) -> None:
        self._outlet = outlet
        self._pauses: list[Pause] | None = None
        self.request = request
        self.head: Head = request.head
        self.on_leave: Callable[[], object] | None = None
        self.task: asyncio.Task[None] | InlineTask | None = None

    @property
    def length(self) -> int | None:
        """The body's length in bytes, None when it comes in chunks."""
        return self.request.length

    @property
    def gone(self) -> bool:
        """Whether the client is away, or sends nothing more."""
        return self.request.gone

    @property
    def held(self) -> int:
        """Bytes of the body that are here and were not taken."""
        return self.request.held

    @property
    def read_to_end(self) -> bool:
        """Whether the end of the body was read."""
        return self.request.read_to_end

    # -- what the driver tells

    def wake(self) -> None:
        """Let those look again who wait for something of this request."""
        pauses = self._pauses
        if pauses is not None:
            self._pauses = None
            for pause in pauses:
                pause.end()

    def left(self) -> None:
        """Note that the client sends nothing more, or is not there any more."""
        self.wake()
        on_leave = self.on_leave
        if on_leave is not None:
            on_leave()

    # -- what the application calls

    def whole_body(self) -> bytes | None:
        """Give all of the body if all of it is here and nothing of it was taken; None says to `read` it."""
        request = self.request
        if not request.whole or request.parted or request.read_to_end or request.held != request.received:
            return None
        return self._outlet.machine.take(request, 0.0)

    async def read(self) -> bytes | None:
        """Give what has arrived of the body, perhaps b"" at its end (see `read_to_end`); None once the client left."""
        request = self.request
        outlet = self._outlet
        while True:
            if request.pieces:
                body = outlet.machine.take(request, outlet.now())
                outlet.carry_out()
                return body
            if request.whole and not request.read_to_end and not request.parted:
                request.read_to_end = True
                return b""
            if request.gone or request.complete:
                return None
            if request.awaits_continue:
                outlet.machine.ask_for_body(request)
                outlet.carry_out()
            await self._pause()

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Begin the answer; its head leaves with the first piece of the body.

        Raises:
            BadResponse: it was begun before.

        """
        request = self.request
        if request.status or request.complete:
            raise BadResponse("the answer was already begun")
        request.status = status
        request.fields = headers

    def write(self, body: bytes, *, last: bool) -> bool:
        """Send a piece of the body; returns whether to await `writable` before the next. Does nothing without a client.

        Raises:
            BadResponse: a piece out of turn, or an answer that cannot be sent as HTTP.

        """
        outlet = self._outlet
        try:
            outlet.machine.write(self.request, body, outlet.now(), last=last)
        except BadResponse as error:
            outlet.carry_out()
            raise error
        outlet.carry_out()  # which may be what holds the client up
        if last:
            if self._pauses is not None:
                self.wake()
            return False
        return outlet.machine.held_up and not self.request.parted

    async def writable(self) -> None:
        """Wait until the client keeps up, or has gone."""
        while self._outlet.machine.held_up and not self.request.parted and not self.request.complete:
            await self._pause()

    def _pause(self) -> Pause:
        pause = Pause()
        if self._pauses is None:
            self._pauses = [pause]
        else:
            self._pauses.append(pause)
        return pause

    # -- as ASGI has it

    def scope(self) -> Scope:
        """Return the request's ASGI scope, with a list of headers of its own."""
        head = self.head
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": head.version,
            "method": head.method,
            "scheme": "http",
            "path": head.path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "root_path": "",
            "headers": head.headers.copy(),
            "client": head.client,
            "server": self._outlet.server,
        }

    async def receive(self) -> Message:
        """Give the next piece of the request's body; after its end, wait for the client to leave."""
        body = await self.read()
        if body is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": not self.request.read_to_end}

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

    # -- its end

    def returned(self) -> None:
        """Note that whoever answered it is done."""
        self.task = None
        self._outlet.forget(self)

    def fail(self, status: int, message: str) -> None:
        """Answer in the application's stead, or break off what it has begun; what is complete stays."""
        outlet = self._outlet
        outlet.machine.fail(self.request, status, message, outlet.now())
        outlet.carry_out()
