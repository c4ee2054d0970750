"""All children of one program: started together, ended in order."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from tokenboard.observability import logger
from tokenboard.supervisor.child import Child
from tokenboard.supervisor.keeper import Keeper
from tokenboard.supervisor.pace import STANDARD, Pace

_INIT: Final = 1
_FILES_EVERY_S: Final = 1.0

_log = logger("supervisor")


class Supervisor:
    """Keeps children running until SIGTERM, SIGINT or SIGHUP, and ends them group by group.

    A further signal meanwhile is forwarded to the children that are ending: do not wait for open answers. SIGHUP stays
    ignored where it is (nohup). ``on_status`` is called in the event loop with each status line of a
    child. ``reap_orphans``: whether orphaned processes become this one's children, as with a container's first process,
    so that they must be reaped; None: find out.

    However this process ends, its lifeline closes with it, and its children end by themselves.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        on_status: Callable[[Child, Mapping[str, Any]], object] = lambda _child, _said: None,
        pace: Pace | None = None,
        reap_orphans: bool | None = None,
    ) -> None:
        self._children = children
        self._on_status = on_status
        self._pace = pace or STANDARD
        self._reap_orphans = os.getpid() == _INIT if reap_orphans is None else reap_orphans
        self._keepers: list[Keeper] = []
        self._ending_now: list[Keeper] = []
        self._asked_to_end = asyncio.Event()
        self._refusal = 0

    async def run(self) -> int:
        """Run until a signal, or until a child refuses to start for the first time; return the exit code.

        That is the code of the child that refused, else the first code in the order of ending that is not 0. Run it in
        the main thread with asyncio's own loop: it waits for children by SIGCHLD.
        """
        with self._lifeline() as lifeline, self._signals():
            self._keepers = [
                Keeper(child, lifeline, self._pace, heard=self._on_status, refused=self._refuse)
                for child in self._children
            ]
            runs = {keeper: asyncio.create_task(keeper.keep()) for keeper in self._keepers}
            try:
                stop = asyncio.create_task(self._asked_to_end.wait())
                files = asyncio.create_task(self._look_at_files())
                # A task that fails is a bug, and ends the program rather than leave a child without restarts.
                await asyncio.wait([stop, *runs.values()], return_when=asyncio.FIRST_COMPLETED)
                codes = [
                    code
                    for group in sorted({child.group for child in self._children})
                    for code in await self._end([keeper for keeper in runs if keeper.child.group == group], runs)
                ]
            finally:
                for run in (stop, files, *runs.values()):
                    run.cancel()
        return self._refusal or next((code for code in codes if code), 0)

    async def _end(self, group: list[Keeper], runs: Mapping[Keeper, asyncio.Task[int]]) -> list[int]:
        """End these children together; return their exit codes once all have ended."""
        self._ending_now = group
        for keeper in group:
            keeper.end()
        return await asyncio.gather(*(self._end_in_time(keeper, runs[keeper]) for keeper in group))

    async def _end_in_time(self, keeper: Keeper, run: asyncio.Task[int]) -> int:
        done, _ = await asyncio.wait([run], timeout=keeper.child.end_within_s)
        if not done:
            facts = {"child": keeper.child.name, "waited_s": keeper.child.end_within_s}
            _log.error("a process does not end and is killed", extra=facts)
            keeper.send(signal.SIGKILL)
        return await run

    async def _look_at_files(self) -> None:
        while True:
            await asyncio.sleep(_FILES_EVERY_S)
            for keeper in self._keepers:
                keeper.look_at_files()

    def _refuse(self, code: int) -> None:
        self._refusal = self._refusal or code
        self._asked_to_end.set()

    def _stop(self) -> None:
        if self._asked_to_end.is_set():
            for keeper in self._ending_now:
                keeper.send(signal.SIGTERM)
        else:
            _log.info("stopping: open answers are finished first; a second signal cuts them off")
        self._asked_to_end.set()

    def _look(self) -> None:
        """Check which children have ended; reap orphans where they are ours."""
        for keeper in self._keepers:
            keeper.poll()
        while self._reap_orphans:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            ours = [keeper for keeper in self._keepers if keeper.runs_as(found.si_pid)]
            for keeper in ours:
                keeper.poll()
            if not ours:
                os.waitpid(found.si_pid, 0)

    @contextlib.contextmanager
    def _lifeline(self) -> Iterator[int]:
        reading, writing = os.pipe()
        try:
            yield reading
        finally:
            os.close(writing)
            os.close(reading)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handled = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGCHLD: self._look}
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            handled[signal.SIGHUP] = self._stop
        for number, handler in handled.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)


def supervise(
    children: Sequence[Child],
    *,
    on_status: Callable[[Child, Mapping[str, Any]], object] = lambda _child, _said: None,
    pace: Pace | None = None,
) -> int:
    """Run a `Supervisor` to its end and return the exit code."""

    async def run() -> int:
        return await Supervisor(children, on_status=on_status, pace=pace).run()

    with asyncio.Runner() as runner:
        return runner.run(run())
