"""The other proxies, each started as its makers would for speed: in one process, with nothing stored."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

from benchmarks.gateway.dialogue import MODEL
from benchmarks.gateway.group import Group
from benchmarks.gateway.installs import (
    Missing,
    bare_environment,
    find_tool,
    install_litellm,
    install_portkey,
    install_tensorzero,
)
from benchmarks.gateway.process import free_port, running
from benchmarks.gateway.proxies import CHAT, START_WITHIN_S, Proxy, Stage, answering

MAX_CONNECTIONS = 4096
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
    listen 127.0.0.1:{port} backlog=4096 reuseport;
    proxy_http_version 1.1; proxy_set_header Connection "";
    location / {{ proxy_pass http://bench; }}
    location {streaming}/ {{ proxy_pass http://bench/; proxy_buffering off; }}
  }}
}}
"""
_TENSORZERO = """
[gateway]
observability.enabled = false

[models.{model}]
routing = ["bench"]

[models.{model}.providers.bench]
type = "openai"
model_name = "{model}"
api_base = "http://127.0.0.1:{upstream}/v1/"
api_key_location = "none"
"""


@contextlib.contextmanager
def nginx(stage: Stage, port: int | None = None) -> Iterator[Proxy]:
    """Run nginx as a plain proxy with kept connections, unbuffered for streams. Several may share a port."""
    program = find_tool("nginx", "nginx-light")
    folder = stage.folder / "nginx"
    folder.mkdir(parents=True)
    port = port or free_port()
    config = folder / "nginx.conf"
    config.write_text(
        _NGINX.format(files=2 * MAX_CONNECTIONS, upstream=stage.upstream, port=port, streaming=_STREAMING)
    )
    command = [program, "-p", str(folder), "-c", str(config)]
    with running(command, cores=stage.cores.proxy, log=folder / "log") as process:
        yield answering(Proxy("nginx", Group(process.pid), port, stream_path=_STREAMING + CHAT), process)


@contextlib.contextmanager
def tensorzero(stage: Stage) -> Iterator[Proxy]:
    """Run TensorZero's gateway without observability: no ClickHouse, nothing recorded, no keys."""
    python = install_tensorzero()
    config = stage.folder / "tensorzero.toml"
    config.write_text(_TENSORZERO.format(model=MODEL, upstream=stage.upstream))
    address = stage.folder / "tensorzero.url"
    command = [str(python), str(Path(__file__).with_name("start_tensorzero.py")), str(config), str(address)]
    log = stage.folder / "tensorzero.log"
    with running(command, cores=stage.cores.proxy, log=log, env=bare_environment({})) as process:
        base = _address(address, process)
        path = f"{base.path.rstrip('/')}/chat/completions"
        model = f"tensorzero::model_name::{MODEL}"
        proxy = Proxy("TensorZero", Group(process.pid), base.port or 80, path=path, stream_path=path, model=model)
        yield answering(proxy, process)


@contextlib.contextmanager
def portkey(stage: Stage) -> Iterator[Proxy]:
    """Run Portkey's gateway; requests name their upstream in a header."""
    server = install_portkey()
    node = shutil.which("node") or "node"
    port = free_port()
    command = [node, str(server), "--headless", f"--port={port}"]
    environment = bare_environment({"NODE_ENV": "production"})
    log = stage.folder / "portkey.log"
    with running(command, cores=stage.cores.proxy, log=log, env=environment) as process:
        headers = {
            "Authorization": "Bearer bench",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{stage.upstream}/v1",
        }
        yield answering(Proxy("Portkey", Group(process.pid), port, headers, slow=True), process)


@contextlib.contextmanager
def litellm(stage: Stage) -> Iterator[Proxy]:
    """Run LiteLLM's proxy: one worker, no database, no telemetry."""
    programs = install_litellm()
    config = stage.folder / "litellm.yaml"
    config.write_text(json.dumps(_litellm_config(stage.upstream)))  # YAML takes JSON
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    command = [str(programs / "litellm"), "--config", str(config), *options]
    environment = bare_environment({"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"})
    log = stage.folder / "litellm.log"
    with running(command, cores=stage.cores.proxy, log=log, env=environment) as process:
        headers = {"Authorization": f"Bearer {_LITELLM_KEY}"}
        yield answering(Proxy("LiteLLM", Group(process.pid), port, headers, slow=True), process)


@contextlib.contextmanager
def started(stage: Stage, names: tuple[str, ...]) -> Iterator[tuple[list[Proxy], dict[str, str]]]:
    """Start those of the others that are named; return them, and why some cannot be had."""
    found: list[Proxy] = []
    missing: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        for name in names:
            if name in PEERS:
                try:
                    found.append(stack.enter_context(PEERS[name](stage)))
                except Missing as error:
                    missing[name] = str(error)
                    print(f"{name}: {error}", file=sys.stderr)
        yield found, missing


def _address(file: Path, process: "subprocess.Popen[bytes]") -> SplitResult:
    """Return the URL that a program writes into a file once it listens."""
    deadline = time.monotonic() + START_WITHIN_S
    while not (file.exists() and file.read_text()):
        if process.poll() is not None:
            raise Missing("it ended at once")
        if time.monotonic() > deadline:
            raise Missing(f"it did not listen within {START_WITHIN_S:.0f} s")
        time.sleep(0.05)
    return urlsplit(file.read_text())


def _litellm_config(upstream_port: int) -> dict[str, object]:
    reached = {"model": f"openai/{MODEL}", "api_base": f"http://127.0.0.1:{upstream_port}/v1", "api_key": "bench"}
    return {
        "model_list": [{"model_name": MODEL, "litellm_params": reached}],
        "general_settings": {"master_key": _LITELLM_KEY},
        "litellm_settings": {"num_retries": 0, "telemetry": False},
    }


PEERS: Mapping[str, Callable[[Stage], AbstractContextManager[Proxy]]] = MappingProxyType(
    {"nginx": nginx, "TensorZero": tensorzero, "Portkey": portkey, "LiteLLM": litellm}
)
"""How the others are started, by name; each may raise `Missing`."""
