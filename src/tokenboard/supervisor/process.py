"""One run of a child's process."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

from tokenboard.supervisor.child import Child
from tokenboard.supervisor.status_lines import StatusLines
from tokenboard.supervisor.supervised import READY, describe


class Process:
    """A child's process from its start to its end. It inherits its listeners, lifeline and status pipe, nothing else.

    It leads a session of its own: Ctrl-C at a terminal reaches only the supervisor, which ends all in order.

    Raises:
        OSError: it could not be started.
        ServeError: a listener could not be reopened.

    """

    def __init__(self, child: Child, lifeline: int, hear: Callable[[dict[str, Any]], None]) -> None:
        self._hear = hear
        self._ready_at: float | None = None
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        listeners = {name: listener.fileno() for name, listener in child.listeners.items()}
        reading, writing = os.pipe()
        try:
            inherited = describe(child.name, lifeline=lifeline, status=writing, listeners=listeners)
            self._process = subprocess.Popen(  # noqa: S603 - a program of our own choice
                child.argv,
                env=dict(os.environ if child.environment is None else child.environment) | inherited,
                stdin=subprocess.DEVNULL,
                pass_fds=(lifeline, writing, *listeners.values()),
                start_new_session=True,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._lines = StatusLines(child.name, reading, self._take)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def was_ready(self) -> bool:
        """Whether it has reported that it is ready."""
        return self._ready_at is not None

    def healthy_s(self) -> float:
        """Return the seconds since it reported that it was ready; 0 when it has not."""
        return 0.0 if self._ready_at is None else time.monotonic() - self._ready_at

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        self.poll()
        if not self.ended.done():
            self._process.send_signal(number)

    def poll(self) -> None:
        """Check whether it has ended; if so read its last status lines and resolve ``ended`` with its exit code.

        A process ended by a signal has the signal's negative number.
        """
        if self.ended.done() or (code := self._process.poll()) is None:
            return
        self._lines.close()
        self.ended.set_result(code)

    def _take(self, said: dict[str, Any]) -> None:
        if said.get(READY) is True and self._ready_at is None:
            self._ready_at = time.monotonic()
        self._hear(said)
