"""The server: takes connections, looks at their clocks, and ends in order."""

import asyncio
import socket
import time
from email.utils import formatdate

from tokenboard.inline_task import InlineTask
from tokenboard.observability import BoundedLog, Counters, logger
from tokenboard.server.connection import Connection
from tokenboard.server.exchange import App, Direct, Exchange
from tokenboard.server.limits import Limits
from tokenboard.server.refusal import Render, render_plain

CANCELLED_WITHIN_S = 10.0
"""How long applications may take to end once they are cancelled, in seconds."""

_LAST_WORDS_S = 0.05
"""For what is written last to leave: transports write when the loop comes round."""

_LOOK_AGAIN_S = 0.005
_BACKLOG = 2_048
_log = logger("server")


class HttpServer:
    """Serves an ASGI 3 application over HTTP/1.1 and HTTP/1.0, in the running event loop.

    ``render`` makes the body of what the server itself answers. The application's lifespan is its own affair, and there
    are no WebSockets. ``direct`` answers the requests whose paths it owns in the application's place.
    ``counters`` counts what clients do amiss: what is no HTTP or over a limit (``refused_requests.STATUS``),
    and clients that left before their request or its answer was whole (``clients_left.request``, ``.answer``).
    ``connections`` and ``running`` are those open and the requests whose application runs.
    """

    def __init__(
        self,
        app: App,
        *,
        direct: Direct | None = None,
        limits: Limits | None = None,
        render: Render = render_plain,
        counters: Counters | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.render = render
        self.counters = counters or Counters()
        self.stopping = False
        self.connections: set[Connection] = set()
        self.running: set[Exchange] = set()
        self._app = app
        self._stumbled = BoundedLog(_log)
        self._direct = direct
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._put_off = False
        self._hurried = asyncio.Event()
        self._second = 0
        self._date = b""

    async def start(self, listener: socket.socket) -> None:
        """Take requests from this listening socket."""
        loop = self._loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self, loop), sock=listener, backlog=_BACKLOG)
        self._schedule(loop)

    async def stop(self, grace_s: float) -> None:
        """Take no more, let open answers finish for ``grace_s`` seconds, then cancel and cut what is left."""
        self.stopping = True
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.wind_down()
        if not await self._emptied(grace_s):
            _log.warning("open answers are cut off", extra={"answers": len(self.running)})
            cancelled = [exchange.task for exchange in self.running if exchange.task is not None]
            for task in cancelled:
                task.cancel()
            until = time.monotonic() + CANCELLED_WITHIN_S
            while not all(task.done() for task in cancelled) and time.monotonic() < until:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(_LOOK_AGAIN_S)
            for exchange in [one for one in self.running if one.task is not None and one.task.done()]:
                # Cancelled before its first step, a task runs nothing, not even its end.
                exchange.refuse_to_run()
                self.running.discard(exchange)
            await asyncio.sleep(_LAST_WORDS_S)
            for connection in list(self.connections):
                connection.abort()
            await asyncio.sleep(0)  # the transports tell of their end in the loop's next turn
        if self._sweep is not None:
            self._sweep.cancel()

    def hurry(self) -> None:
        """Cut the grace short, now or when `stop` is called."""
        self._hurried.set()

    async def _emptied(self, grace_s: float) -> bool:
        """Wait until every connection is closed and every application has returned; False when it takes too long."""
        until = time.monotonic() + grace_s
        while self.connections or self.running:
            left = until - time.monotonic()
            if left <= 0 or self._hurried.is_set():
                return False
            try:
                await asyncio.wait_for(self._hurried.wait(), min(left, 0.02))
            except TimeoutError:
                continue
        return True

    # -- what connections ask for

    def run(self, exchange: Exchange) -> InlineTask | None:
        """Start the application on a request, in a task of its own; an errand is for the caller to begin."""
        if self._loop is None:
            raise RuntimeError("the server was not started")
        direct = self._direct
        direct_answers = direct is not None and direct.owns(exchange.scope["path"])
        self.running.add(exchange)
        if direct_answers:
            errand = InlineTask(exchange.run(self._app, direct, self.running.discard, self._stumbled), self._loop)
            exchange.task = errand
            return errand
        exchange.task = self._loop.create_task(exchange.run(self._app, None, self.running.discard, self._stumbled))
        return None

    def date_line(self) -> bytes:
        """Return the Date header of this second."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._date = b"date: " + formatdate(second, usegmt=True).encode("ascii")
        return self._date

    # -- the clocks

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + self.limits.tick_s
        self._sweep = loop.call_at(self._due, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call on each connection that is late: one timer for all of them.

        When the loop itself was held up by more than a tick, the first look is put off by one: what the sockets hold
        shall be read before anyone is declared late.
        """
        now = loop.time()
        self._put_off = now - self._due > self.limits.tick_s and not self._put_off
        if not self._put_off:
            for connection in [one for one in self.connections if one.deadline <= now]:
                connection.expire(now)
        self._schedule(loop)
