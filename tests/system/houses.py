"""The processes of one ``tokenboard serve``, by their roles."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.board import BoardProcess, wait_for
from tests.supervisor.supervision import ended

GATEWAYS = 2


class Houses(BoardProcess):
    """Two gateways and a board under their supervisor."""

    def pids(self, role: str) -> list[int]:
        """Return the ids of the running processes of a role, ``gateway`` or ``board``."""
        return [pid for pid in self._children() if role in _command_line(pid)]

    def kill_one(self, role: str, which: int = 0) -> int:
        """End one process of a role without warning, as soon as there is one; return its id."""
        pids = wait_for(lambda: self.pids(role)[which:], 30, self.log)
        os.kill(pids[0], signal.SIGKILL)
        return int(pids[0])

    def kill_all(self) -> None:
        """End all processes at once without warning."""
        children = self._children()
        self.kill()
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        self.wait_until_ended(children)

    def kill_supervisor(self) -> None:
        """End the supervisor alone without warning, and return once its children have ended."""
        children = self._children()
        self.kill()
        self.wait_until_ended(children)

    def wait_until_ended(self, pids: list[int]) -> None:
        wait_for(lambda: all(ended(pid) for pid in pids), 60, self.log)

    def wait_until_counted(self, timeout_s: float = 60.0) -> None:
        """Return once every event accepted so far is in the rankings; the board may still be starting."""

        def counted() -> bool:
            try:
                said = self.ready()
            except (httpx.HTTPError, ValueError):
                return False
            return said.get("status") == "ready" and said["spool"]["pending"] == 0

        wait_for(counted, timeout_s, self.log, every_s=0.05)

    def _children(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        try:
            return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            return []


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


@contextmanager
def two_houses(
    data: Path,
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    module: str = "tokenboard",
) -> Iterator[Houses]:
    """Run two gateways and a board until the end of the block."""
    houses = Houses(data, config=config, environment=environment, module=module, gateways=GATEWAYS)
    try:
        houses.start()
        yield houses
    finally:
        if houses.alive():
            houses.kill_all()
