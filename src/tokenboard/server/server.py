"""The server: takes connections at its listeners, looks at their clocks, and ends in order."""

import asyncio
import socket
import time
from email.utils import formatdate

from tokenboard.observability import Counters, logger
from tokenboard.server.connection import Connection
from tokenboard.server.ending import Common
from tokenboard.server.exchange import App, Direct, Exchange
from tokenboard.server.http_error import Render, render_plain
from tokenboard.server.limits import Limits
from tokenboard.server.link import Link
from tokenboard.server.service import Service

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
        self.counters = counters or Counters()
        self.connections: set[Link] = set()
        self._app = app
        self._direct = direct
        self._common = Common(self.limits, render)
        self._service: Service | None = None
        self._servers: list[asyncio.Server] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._put_off = False
        self._hurried = asyncio.Event()

    @property
    def running(self) -> set[Exchange]:
        """The requests whose application has not returned."""
        return set() if self._service is None else self._service.running

    async def start(self, listener: socket.socket, *, peer_told: bool = False) -> None:
        """Take requests from this listening socket too, over TCP or a Unix socket; it is closed by `stop`.

        With ``peer_told`` requests name their clients by the header `tokenboard.http_fields.peer.PEER`, as their sender
        is one of ours.

        Raises:
            ValueError: that is to be believed of a listener that others can reach.

        """
        if peer_told and listener.family != socket.AF_UNIX:
            raise ValueError("only over a Unix socket may requests say who their client is")
        loop = asyncio.get_running_loop()
        if self._service is None:
            self._service = Service(self._app, self._direct, self._common, self.counters, loop)
            self._look_at_the_calendar()
            self._schedule(loop)
        service = self._service

        def connection() -> Connection:
            return Connection(service, self.connections, peer_told=peer_told)

        # Unix sockets as well: `create_unix_server` may remove the socket's file, which belongs to whoever made it.
        server = await loop.create_server(connection, sock=listener, backlog=_BACKLOG)
        self._servers.append(server)

    async def stop(self, grace_s: float) -> None:
        """Take no more, let open answers finish for ``grace_s`` seconds, then cancel and cut what is left."""
        for server in self._servers:
            server.close()
        service = self._service
        if service is None:
            return
        service.stopping = True
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
            service.give_up()
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
        self._look_at_the_calendar()
        self._put_off = now - self._due > self.limits.tick_s and not self._put_off
        if not self._put_off:
            for connection in [one for one in self.connections if one.machine.deadline <= now]:
                connection.expire(now)
        self._schedule(loop)

    def _look_at_the_calendar(self) -> None:
        """Make the Date of the answers that follow."""
        self._common.date = b"date: " + formatdate(time.time(), usegmt=True).encode("ascii")
