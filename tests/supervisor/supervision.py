"""A supervisor in a process of its own, and what its children told it, in order."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.board import wait_for

ROOT = Path(__file__).parent.parent.parent
FAST = {"first_s": 0.02, "longest_s": 0.1}


class Supervision:
    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self._folder = folder

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        lines = (self._folder / "told").read_text().splitlines(keepends=True)
        return [(name, said) for name, said in (json.loads(line) for line in lines if line.endswith("\n"))]

    def events(self, event: str, name: str | None = None) -> list[dict[str, Any]]:
        return [said for by, said in self.told() if said.get("event") == event and name in (None, by)]

    def pids(self, name: str) -> list[int]:
        """Return the ids of this child's processes that were ready, in their order."""
        return [said["pid"] for by, said in self.told() if by == name and said.get("ready")]

    def wait_until_ready(self, *names: str, runs: int = 1) -> None:
        wait_for(lambda: all(len(self.pids(name)) >= runs for name in names), 20, self.explain)

    def wait_for_event(self, event: str, name: str | None = None, count: int = 1) -> list[dict[str, Any]]:
        wait_for(lambda: len(self.events(event, name)) >= count, 20, self.explain)
        return self.events(event, name)

    @property
    def port(self) -> int:
        return int(self.told()[0][1]["port"])

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stderr().splitlines() if line.startswith("{")]

    def stderr(self) -> str:
        return (self._folder / "log").read_text()

    def explain(self) -> str:
        return f"{self.told()}\n{self.stderr()}"

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(timeout=20)

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.wait()

    def children(self) -> dict[int, str]:
        """Return the processes below the supervisor, zombies included, and the state of each."""
        pid = self.process.pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {int(child): state_of(int(child)) for child in found}

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def state_of(pid: int) -> str:
    """Return a process's state as proc(5) writes it; "" for one that has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def ended(pid: int) -> bool:
    # Whoever inherits a child of a killed parent may not wait for it.
    return state_of(pid) in {"", "Z"}


@contextmanager
def supervising(folder: Path, *children: dict[str, Any], **options: Any) -> Iterator[Supervision]:
    """Supervise these children until the end of the block."""
    described = json.dumps({"children": children, "pace": FAST} | options)
    with (folder / "told").open("wb") as told, (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.supervisor.program", described], stdout=told, stderr=log, cwd=ROOT
        )
    supervision = Supervision(process, folder)
    try:
        wait_for(lambda: supervision.told() or process.poll() is not None, 20, supervision.stderr)
        yield supervision
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
