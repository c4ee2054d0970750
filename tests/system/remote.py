"""A gateway on another machine: a process of its own, with its own folder, that reaches its board over TCP alone."""

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.board import today, wait_for

APP = "https://far.example"
CLIENT = httpx.Client(timeout=60, limits=httpx.Limits(max_keepalive_connections=0), follow_redirects=True)
"""One for all: to make one costs more than a request. A connection each, as processes come and go."""


class RemoteGateway:
    """One run after another of ``tokenboard gateway --board``, and a record of what it has answered in full.

    ``answered`` counts uses by their tokens' sum; ``cut_off`` requests of which nobody knows whether they count.
    """

    def __init__(self, data: Path, board_url: str, key: str, environment: Mapping[str, str] | None = None) -> None:
        self.data = data
        self._board_url = board_url
        self._key = key
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.requests = 0
        self.tokens = 0

    def start(self, *, wait: bool = True) -> "RemoteGateway":
        """Start it; with ``wait`` return once it takes requests."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.port = self.port or _free_port()
        command = [sys.executable, "-m", "tokenboard", "--data", str(self.data), "gateway", "--board", self._board_url]
        with (self.data / "gateway.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(self.port)],
                stdout=log,
                stderr=log,
                env=self._env(),
                cwd=self.data,
            )
        if wait:
            wait_for(lambda: self.state().get("status") == "ready", 60, self.log, every_s=0.05)
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def state(self) -> dict[str, Any]:
        """Return what /readyz/gateway says; nothing while nobody answers."""
        try:
            return dict(CLIENT.get(f"{self.url}/readyz/gateway").json())
        except (httpx.HTTPError, ValueError):
            return {}

    def ask(self, key: str, words: int, *, stream: bool = False) -> int:
        """Ask once, by prompt of so many words; return the status, and keep a record of what was answered in full."""
        body = {
            "model": "tokenboard/echo",
            "messages": [{"role": "user", "content": " ".join(["word"] * words)}],
            "stream": stream,
        }
        headers = {"Authorization": f"Bearer {key}", "HTTP-Referer": APP}
        answer = CLIENT.post(f"{self.url}/api/v1/chat/completions", json=body, headers=headers)
        if answer.status_code == 200 and (not stream or "[DONE]" in answer.text):
            self.requests += 1
            self.tokens += 2 * words
        return answer.status_code

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
        return (self.data / "gateway.log").read_text()

    def wait_until_shipped(self) -> None:
        """Return once the board is known to have everything."""
        wait_for(lambda: self.state().get("board", {}).get("waiting") == 0, 60, self.log, every_s=0.05)

    def _env(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOKENBOARD_")}
        return inherited | {"TOKENBOARD_GATEWAY_KEY": self._key} | self._environment


def totals(board_url: str, key: str) -> Counter[str]:
    """Return what the board has counted for the app: its requests and tokens, of today and yesterday."""
    headers = {"Authorization": f"Bearer {key}"}
    found = CLIENT.get(f"{board_url}/api/v1/apps/lookup", params={"url": APP}, headers=headers)
    if found.status_code == 404:
        return Counter()
    number = found.json()["data"]["app_id"]
    days = {"start_date": str(today() - timedelta(days=1)), "end_date": str(today())}
    answer = CLIENT.get(f"{board_url}/api/v1/apps/{number}/usage", params=days, headers=headers).json()
    total = answer["meta"]["total"]
    return Counter(requests=int(total["total_requests"]), tokens=int(total["total_tokens"]))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
