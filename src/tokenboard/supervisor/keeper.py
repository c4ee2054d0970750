"""Keeps one child running: a loop over its runs."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from typing import Any, Final

from tokenboard.observability import BoundedLog, logger
from tokenboard.supervisor.child import Child
from tokenboard.supervisor.listeners import ServeError
from tokenboard.supervisor.pace import Backoff, Pace
from tokenboard.supervisor.process import Process
from tokenboard.supervisor.supervised import READY

_TOLD_EVERY_S: Final = 10.0
_REFUSALS: Final = (1, 2)
"""Exit codes of our commands that refuse to start, with the reason on standard error."""

_log = logger("supervisor")


class Keeper:
    """Starts a child, and restarts it whenever it ends, until `end`.

    ``refused`` is called with the exit code of a first run that refused to start; it is not restarted then.
    """

    def __init__(
        self,
        child: Child,
        lifeline: int,
        pace: Pace,
        *,
        heard: Callable[[Child, Mapping[str, Any]], object],
        refused: Callable[[int], object],
    ) -> None:
        self.child = child
        self._lifeline = lifeline
        self._pace = pace
        self._heard = heard
        self._refused = refused
        self._backoff = Backoff(pace)
        self._told = BoundedLog(_log, every_s=_TOLD_EVERY_S)
        self._process: Process | None = None
        self._unreachable: Process | None = None
        self._ending = asyncio.Event()
        self._runs = 0

    async def keep(self) -> int:
        """Run it until `end`; return its exit code then, 1 when a signal ended it.

        0 when it was not running at the time, or had not begun its work.
        """
        while not self._ending.is_set():
            self._runs += 1
            process = self._start()
            if process is None:
                await self._rest(self._backoff.after(0.0))
                continue
            code = await process.ended
            self._process = None
            if self._ending.is_set():
                return _code_of(code, began=process.was_ready)
            if self._runs == 1 and not process.was_ready and code in _REFUSALS:
                self._refused(code)
                return code
            wait_s = self._backoff.after(process.healthy_s())
            facts = _how(code) | {"ready_for_s": round(process.healthy_s(), 1)}
            self._tell("a process ended unexpectedly and is restarted", wait_s, facts)
            await self._rest(wait_s)
        return 0

    def end(self) -> None:
        """Send SIGTERM and stop new connections; it still accepts those that wait."""
        self._ending.set()
        self.send(signal.SIGTERM)
        for listener in self.child.listeners.values():
            listener.close()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process is not None:
            self._process.send(number)

    def poll(self) -> None:
        """Check whether it has ended."""
        if self._process is not None:
            self._process.poll()

    def look_at_files(self) -> None:
        """Restart the process when nobody can reach it any more: its next run gets new sockets."""
        process = self._process
        if process is None or process is self._unreachable or not self.child.needs_files or self._ending.is_set():
            return
        if any(listener.lost for listener in self.child.listeners.values()):
            self._unreachable = process
            facts = {"child": self.child.name, "hint": "Somebody removed it while the process ran."}
            _log.error("the socket of a process is gone; it is restarted with a new one", extra=facts)
            process.send(signal.SIGTERM)

    def runs_as(self, pid: int) -> bool:
        """Whether this is the id of its process."""
        return self._process is not None and self._process.pid == pid

    def _start(self) -> Process | None:
        try:
            self._process = Process(self.child, self._lifeline, self._hear)
        except (OSError, ServeError) as error:
            self._told.error("start", "a process cannot be started", {"child": self.child.name, "reason": str(error)})
        return self._process

    def _hear(self, said: dict[str, Any]) -> None:
        if self._runs > 1 and said.get(READY) is True:
            self._told.info("ready", "a restarted process is ready", {"child": self.child.name})
        self._heard(self.child, said)

    def _tell(self, message: str, wait_s: float, facts: Mapping[str, Any]) -> None:
        self._told.warning("ended", message, {"child": self.child.name, **facts, "again_in_s": wait_s})

    async def _rest(self, wait_s: float) -> None:
        if wait_s > self._pace.withdraw_s:
            for listener in self.child.listeners.values():
                listener.withdraw()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), wait_s)


def _how(code: int) -> dict[str, object]:
    if code >= 0:
        return {"exit_code": code}
    try:
        return {"signal": signal.Signals(-code).name}
    except ValueError:
        return {"signal": -code}


def _code_of(code: int, *, began: bool) -> int:
    if code == -signal.SIGTERM and not began:
        # The signal came before its handler was set, so there was nothing to finish.
        return 0
    return code if code >= 0 else 1
