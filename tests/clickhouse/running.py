"""Runs the ClickHouse server for tests, tells it what is to go wrong, kills it and starts it again."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.clickhouse.server import PASSWORD, USER


class ClickHouse:
    """One such server, on a port that stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = 0
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "tests.clickhouse.server", str(self._folder), str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        told = self.process.stdout.readline()
        assert told, "the server ended by itself"
        self.port = int(told)

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.wait_until_dead()

    def wait_until_dead(self) -> None:
        """Wait until it has ended by itself, as told."""
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def dsn(self) -> str:
        """Where it is, for [ledger] dsn."""
        return f"clickhouse://{USER}:{PASSWORD}@127.0.0.1:{self.port}/default"

    def fail(self, *faults: dict[str, Any]) -> None:
        """Let these go wrong from now on, and nothing else."""
        self._post("/faults", json.dumps(faults))

    def said(self) -> list[str]:
        """Return the statements that were sent so far."""
        return list(json.loads(self._post("/said", "")))

    def _post(self, path: str, body: str) -> bytes:
        request = Request(f"http://127.0.0.1:{self.port}{path}", data=body.encode(), method="POST")
        with urlopen(request, timeout=30) as answer:
            return bytes(answer.read())


@contextmanager
def running_clickhouse(folder: Path) -> Iterator[ClickHouse]:
    """Run a server until the end of the block."""
    server = ClickHouse(folder)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()
