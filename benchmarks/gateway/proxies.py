"""The proxies under test, each started as its makers would for speed, in front of one upstream."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import httpx
from tests.board import BoardProcess, today

from benchmarks.gateway.client import Load
from benchmarks.gateway.dialogue import HEADERS, MODEL, TOKENS, question
from benchmarks.gateway.installs import Missing, bare_environment, find_tool, install_litellm, install_portkey
from benchmarks.gateway.process import Cores, free_port, pinned, running

_START_WITHIN_S = 60.0
_COUNTED_WITHIN_S = 120.0
_CONNECTIONS = 4096
_CHAT = "/v1/chat/completions"
_STREAMING = "/streaming"
_LITELLM_KEY = "sk-bench"
"""It checks keys, as tokenboard does; without a database it records nothing."""

_NGINX = """
daemon off; master_process off; pid nginx.pid; error_log stderr;
worker_rlimit_nofile {files};
events {{ worker_connections {files}; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_buffer_size 64k; client_max_body_size 64m;
  client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  upstream bench {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    proxy_http_version 1.1; proxy_set_header Connection "";
    location / {{ proxy_pass http://bench; }}
    location {streaming}/ {{ proxy_pass http://bench/; proxy_buffering off; }}
  }}
}}
"""
_TOKENBOARD = """
[gateway]
echo = false
max_connections = {connections}

[[upstream]]
name = "bench"
base_url = "http://127.0.0.1:{upstream}/v1"
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where proxies are started: their folder, their cores, the port of the upstream."""

    folder: Path
    cores: Cores
    upstream: int


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running proxy. ``slow`` ones get longer measurements, less often, and no open loop.

    ``settle`` returns once the proxy has nothing left to do for the requests it has answered.
    """

    name: str
    pid: int
    port: int
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = _CHAT
    stream_path: str = _CHAT
    slow: bool = False
    settle: Callable[[], None] = lambda: None

    def load(
        self,
        kind: Literal["closed", "open", "streams", "held"],
        connections: int,
        *,
        seconds: float = 0,
        rate: int = 0,
        streams: int = 0,
        prompt_bytes: int = 50,
    ) -> Load:
        """Return a load on this proxy."""
        return Load(
            kind=kind,
            port=self.port,
            path=self.stream_path if kind in {"streams", "held"} else self.path,
            headers={**HEADERS, **self.headers},
            connections=connections,
            seconds=seconds,
            rate=rate,
            streams=streams,
            prompt_bytes=prompt_bytes,
        )


@contextlib.contextmanager
def upstream(folder: Path, cores: Cores) -> Iterator[Proxy]:
    """Run the upstream; it is the proxy of the row without any."""
    command = [sys.executable, "-m", "benchmarks.gateway.upstream"]
    with running(command, cores=cores.load, log=folder / "upstream.log", talks=True) as process:
        assert process.stdout is not None
        yield Proxy("none (direct)", process.pid, int(process.stdout.readline()))


@contextlib.contextmanager
def nginx(stage: Stage) -> Iterator[Proxy]:
    """Run nginx as a plain proxy with kept connections, unbuffered for streams."""
    program = find_tool("nginx", "nginx-light")
    folder = stage.folder / "nginx"
    folder.mkdir()
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(files=2 * _CONNECTIONS, upstream=stage.upstream, port=port, streaming=_STREAMING))
    with running(
        [program, "-p", str(folder), "-c", str(config)], cores=stage.cores.proxy, log=folder / "log"
    ) as process:
        yield _answering(Proxy("nginx", process.pid, port, stream_path=_STREAMING + _CHAT), process)


class Tokenboard:
    """A ``tokenboard serve`` on an empty folder, with the settings it comes with: every answer durably metered."""

    name = "tokenboard"

    def __init__(self, board: BoardProcess) -> None:
        self._board = board
        headers = {"Authorization": f"Bearer {board.make_key('inference,data')}"}
        pid = json.loads((board.data / "server.json").read_text())["pid"]
        self.proxy = Proxy(self.name, pid, board.port, headers, settle=self._settle)

    def recorded(self) -> int:
        """Return how many whole answers the rankings count."""
        self._settle()
        days = {"start_date": str(today() - timedelta(days=1)), "end_date": str(today())}
        found = httpx.get(
            f"{self._board.url}/api/v1/datasets/app-rankings", params=days, headers=dict(self.proxy.headers), timeout=30
        )
        return sum(int(row["total_tokens"]) for row in found.raise_for_status().json()["data"]) // TOKENS

    def _settle(self) -> None:
        self._board.wait_until_counted(_COUNTED_WITHIN_S)


@contextlib.contextmanager
def tokenboard(stage: Stage) -> Iterator[Tokenboard]:
    """Run tokenboard."""
    folder = stage.folder / "tokenboard"
    folder.mkdir()
    config = folder / "tokenboard.toml"
    config.write_text(_TOKENBOARD.format(connections=_CONNECTIONS, upstream=stage.upstream))
    board = BoardProcess(folder / "data", config=config)
    with pinned(stage.cores.proxy):
        board.start()
    try:
        yield Tokenboard(board)
    finally:
        if board.alive():
            board.stop()


@contextlib.contextmanager
def portkey(stage: Stage) -> Iterator[Proxy]:
    """Run Portkey's gateway; requests name their upstream in a header."""
    server = install_portkey()
    node = shutil.which("node") or "node"
    port = free_port()
    environment = bare_environment({"NODE_ENV": "production"})
    with running(
        [node, str(server), "--headless", f"--port={port}"],
        cores=stage.cores.proxy,
        log=stage.folder / "portkey.log",
        env=environment,
    ) as process:
        headers = {
            "Authorization": "Bearer bench",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{stage.upstream}/v1",
        }
        yield _answering(Proxy("Portkey", process.pid, port, headers, slow=True), process)


@contextlib.contextmanager
def litellm(stage: Stage) -> Iterator[Proxy]:
    """Run LiteLLM's proxy: one worker, no database, no telemetry."""
    programs = install_litellm()
    config = stage.folder / "litellm.yaml"
    config.write_text(json.dumps(_litellm_config(stage.upstream)))  # YAML takes JSON
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    environment = bare_environment({"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"})
    with running(
        [str(programs / "litellm"), "--config", str(config), *options],
        cores=stage.cores.proxy,
        log=stage.folder / "litellm.log",
        env=environment,
    ) as process:
        headers = {"Authorization": f"Bearer {_LITELLM_KEY}"}
        yield _answering(Proxy("LiteLLM", process.pid, port, headers, slow=True), process)


def _litellm_config(upstream_port: int) -> dict[str, object]:
    reached = {"model": f"openai/{MODEL}", "api_base": f"http://127.0.0.1:{upstream_port}/v1", "api_key": "bench"}
    return {
        "model_list": [{"model_name": MODEL, "litellm_params": reached}],
        "general_settings": {"master_key": _LITELLM_KEY},
        "litellm_settings": {"num_retries": 0, "telemetry": False},
    }


def _answering(proxy: Proxy, process: "subprocess.Popen[bytes]") -> Proxy:
    """Return the proxy as soon as it answers the question all will be asked."""
    deadline = time.monotonic() + _START_WITHIN_S
    said = "none"
    url = f"http://127.0.0.1:{proxy.port}{proxy.path}"
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(url, headers={**HEADERS, **proxy.headers}, content=question(), timeout=30)
            if answer.status_code == 200 and answer.json()["usage"]["total_tokens"] == TOKENS:
                return proxy
            said = f"{answer.status_code}"
        time.sleep(0.05)
    if process.poll() is not None:
        raise Missing("it ended at once")
    raise Missing(f"it did not answer as it should within {_START_WITHIN_S:.0f} s (its last status: {said})")


PEERS: Mapping[str, Callable[[Stage], AbstractContextManager[Proxy]]] = MappingProxyType(
    {"nginx": nginx, "Portkey": portkey, "LiteLLM": litellm}
)
"""How the others are started, by name; each may raise `Missing`."""
