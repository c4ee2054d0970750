"""Who answers: hands each request to the application, or to what answers without it, and sees to its end."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from tokenboard.inline_task import InlineTask
from tokenboard.observability import BoundedLog, Counters, logger
from tokenboard.server.ending import Common
from tokenboard.server.exchange import App, Direct, Exchange
from tokenboard.server.http_error import FAULT

STOPPED: Final = "The server is shutting down; try again in a moment."
_log = logger("server")


class Service:
    """Runs what answers requests, in one event loop. ``running`` are those whose application has not returned.

    ``stopping`` says that the server takes nothing new.
    """

    def __init__(
        self, app: App, direct: Direct | None, common: Common, counters: Counters, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.common = common
        self.counters = counters
        self.loop = loop
        self.running: set[Exchange] = set()
        self.stopping = False
        self._app = app
        self._owns: Callable[[str], bool] | None = None if direct is None else direct.owns
        self._answer: Callable[[Any], Coroutine[Any, Any, None]] | None = None if direct is None else direct.answer
        self._stumbled = BoundedLog(_log)

    def run(self, exchange: Exchange) -> None:
        """Begin to answer a request; what answers directly runs on to its first wait."""
        owns, answer = self._owns, self._answer
        coroutine: Coroutine[Any, Any, None] | None = None
        try:
            if owns is not None and answer is not None and owns(exchange.head.path):
                coroutine = answer(exchange)
        except Exception as error:
            self.fault(error)
            exchange.fail(500, FAULT)
            return
        self.running.add(exchange)
        if coroutine is not None:
            task = DirectTask(self, exchange, coroutine)
            exchange.task = task
            task.step()
        else:
            exchange.task = self.loop.create_task(self._run(exchange))

    def fault(self, error: BaseException) -> None:
        """Log what kept a request from being begun; its client is not to blame."""
        _log.error("a request could not be begun, by a fault of ours", exc_info=error)

    def returned(self, exchange: Exchange, error: BaseException | None) -> None:
        """Note that what answers a request has returned, or failed; its connection is not left waiting."""
        self.running.discard(exchange)
        request = exchange.request
        if error is None:
            if not request.complete and not request.parted:
                if not request.begun and not request.gone:
                    _log.error("an application returned without an answer")
                exchange.fail(500, FAULT)
        elif isinstance(error, asyncio.CancelledError):
            exchange.fail(503, STOPPED)
        else:
            if request.gone:
                # A client that has gone makes many an application stumble; that is no fault of either.
                kind = type(error).__name__
                message = "an application failed to answer a client that has gone"
                self._stumbled.warning(kind, message, {"reason": kind})
            else:
                _log.error("an application failed to answer", exc_info=error)
            exchange.fail(500, FAULT)
        exchange.returned()

    def give_up(self) -> None:
        """Answer for tasks that were cancelled before their first step: these run nothing, not even their end."""
        for exchange in list(self.running):
            if exchange.task is not None and exchange.task.done():
                self.returned(exchange, asyncio.CancelledError())

    async def _run(self, exchange: Exchange) -> None:
        try:
            await self._app(exchange.scope(), exchange.receive, exchange.send)
        except asyncio.CancelledError as cancelled:
            self.returned(exchange, cancelled)
            raise cancelled
        except Exception as error:
            self.returned(exchange, error)
        else:
            self.returned(exchange, None)


class DirectTask(InlineTask):
    """Answers one request without the application."""

    __slots__ = ("_exchange", "_service")

    def __init__(self, service: Service, exchange: Exchange, coroutine: Coroutine[Any, Any, None]) -> None:
        super().__init__(coroutine, service.loop)
        self._service = service
        self._exchange = exchange

    def ended(self, error: BaseException | None) -> None:
        """See to the request's end."""
        self._service.returned(self._exchange, error)
