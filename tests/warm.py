"""Servers forked from a process that has loaded the program: most of a start is imports, the same each time.

Only boards of tests.brisk begin so; those whose beginning or end is what a test is about are processes of their own.
The engine is not loaded before: it starts threads, and those do not outlive a fork.
"""

import functools
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

# The last two a board loads with its first catalog, and with its first table of events: pyarrow looks for data frames
# in whatever it is given.
LOADED = ["tokenboard.cli.serve", "tokenboard.cli.board", "sqlalchemy.dialects.sqlite", "pandas"]


class WarmProcess:
    """A module run as ``python -m`` would, forked from a process that has loaded the program.

    The part of ``subprocess.Popen`` that tests need.
    """

    def __init__(self, command: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path) -> None:
        _, _, module, *arguments = command
        self._process: BaseProcess = _context().Process(
            target=_run, args=(module, arguments, str(log), dict(env), str(cwd)), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code as soon as it has ended; raises ``subprocess.TimeoutExpired``."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("a warm server", timeout or 0.0)
        return code


@functools.cache
def _context() -> ForkServerContext:
    context = get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    return context


def _run(module: str, arguments: list[str], log: str, env: dict[str, str], cwd: str) -> None:
    """Become the command: in its folder, with its environment and its output, and no more of the tests than that."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
