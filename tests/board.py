"""A real server, in a process of its own, on a data folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import httpx

from tests.warm import WarmProcess
from tokenboard.cli.catalog import changing_catalog_of
from tokenboard.cli.session import Session

BRISK = "tests.brisk"
"""The module of boards that tests only ask and feed."""
START_WITHIN_S = 60.0
UNLIMITED = {"TOKENBOARD_DATA_API__REQUESTS_PER_MINUTE": "0", "TOKENBOARD_DATA_API__REQUESTS_PER_DAY": "0"}
"""Tests ask for rankings more often than a key may, unless their environment says otherwise."""


class BoardProcess:
    """One run of ``tokenboard serve``; may be stopped or killed and started again on the same folder.

    ``gateways`` is how many processes of them there are beside the board's; 0: all in one process, which is quicker.
    """

    def __init__(
        self,
        data: Path,
        *,
        config: Path | None = None,
        environment: Mapping[str, str] | None = None,
        module: str = "tokenboard",
        gateways: int = 0,
    ) -> None:
        self.data = data
        self._gateways = gateways
        self._module = module
        self._config = config
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | WarmProcess | None = None
        self.url = ""
        self.port = 0

    def start(self) -> "BoardProcess":
        """Start it and wait until it answers; it takes the same port again after a restart."""
        arguments = ["serve", "--host", "127.0.0.1", "--port", str(self.port)]
        arguments += ["--gateways", str(self._gateways)] if self._gateways else ["--single"]
        arguments += ["--config", str(self._config)] if self._config else []
        self.data.mkdir(parents=True, exist_ok=True)
        command, log = self.command(*arguments), self.data / "server.log"
        if self._module == BRISK and not self._gateways:
            self._process = WarmProcess(command, log=log, env=self._env(), cwd=self.data)
        else:
            with log.open("ab") as output:
                self._process = subprocess.Popen(command, stdout=output, stderr=output, env=self._env(), cwd=self.data)
        announced = wait_for(self._announced, START_WITHIN_S, self.log)
        self.url = announced["url"]
        self.port = int(self.url.rpartition(":")[2])
        return self

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", self._module, "--data", str(self.data), *arguments]

    def run(self, *arguments: str) -> str:
        """Run a command on the same folder and return what it printed."""
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, env=self._env(), check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def make_key(self, scopes: str = "inference,data,ingest,admin", label: str = "test") -> str:
        """Make a key as `keys create` does, in this process: to load an interpreter takes longer than all the rest."""
        session = Session(self.data, self._config)
        with (
            mock.patch.dict(os.environ, self._env(), clear=True),
            changing_catalog_of(session, make=True) as catalog,
        ):
            return catalog.create_key(label, scopes.split(","), actor="test").secret

    @property
    def pid(self) -> int:
        """The process that was started; it may have started others."""
        assert self._process is not None
        return self._process.pid

    def ready(self) -> dict[str, Any]:
        """Return what /readyz says."""
        return dict(httpx.get(f"{self.url}/readyz", timeout=10).json())

    def wait_until_counted(self, timeout_s: float = 30.0) -> None:
        """Return once every event accepted so far is in the rankings."""

        def counted() -> bool:
            said = self.ready()
            return bool(said["status"] == "ready" and said["spool"]["pending"] == 0)

        wait_for(counted, timeout_s, self.log)

    def kill(self) -> None:
        """End it without warning."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """End it with SIGTERM and return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=60)

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        return (self.data / "server.log").read_text()

    def _announced(self) -> dict[str, Any] | None:
        assert self._process is not None
        assert self._process.poll() is None, f"the server ended at once:\n{self.log()}"
        try:
            found = json.loads((self.data / "server.json").read_text())
        except (OSError, ValueError):
            return None
        return dict(found) if found["pid"] == self._process.pid else None

    def _env(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOKENBOARD_")}
        # The server runs elsewhere than the tests, and may be one of their modules.
        return inherited | UNLIMITED | {"PYTHONPATH": str(Path(__file__).parent.parent)} | self._environment


@contextmanager
def running_board(
    data: Path,
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    module: str = "tokenboard",
    gateways: int = 0,
) -> Iterator[BoardProcess]:
    """Run a server until the end of the block."""
    board = BoardProcess(data, config=config, environment=environment, module=module, gateways=gateways).start()
    try:
        yield board
    finally:
        if board.alive():
            board.stop()


def wait_for(
    condition: Callable[[], Any],
    timeout_s: float = 10.0,
    explain: Callable[[], str] = str,
    *,
    every_s: float = 0.005,
) -> Any:
    """Return the condition's value as soon as it is true; fail, with an explanation, when it never is.

    What asks a server is asked less often than every 5 ms: it would keep from its work the server it waits for.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain: {explain()}"
        time.sleep(every_s)


def today() -> date:
    return datetime.now(UTC).date()


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
