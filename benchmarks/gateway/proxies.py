"""A proxy under test as the load sees it, and the upstream behind all of them."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx

from benchmarks.gateway.client import Load
from benchmarks.gateway.dialogue import HEADERS, MODEL, TOKENS, question
from benchmarks.gateway.group import Group
from benchmarks.gateway.installs import Missing
from benchmarks.gateway.process import Cores, running

CHAT = "/v1/chat/completions"
DIRECT = "none (direct)"
START_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where proxies are started: their folder, their cores, the port of the upstream."""

    folder: Path
    cores: Cores
    upstream: int


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running proxy. ``slow`` ones are measured less often, and take no open loop.

    ``prepare`` puts its processes where they belong before it comes under load; those of the roles ``elsewhere`` are
    not on the core of the proxies. ``settle`` returns once it has nothing left to do for the requests it has answered.
    """

    name: str
    group: Group
    port: int
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = CHAT
    stream_path: str = CHAT
    model: str = MODEL
    slow: bool = False
    elsewhere: frozenset[str] = frozenset()
    prepare: Callable[[], None] = lambda: None
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
            model=self.model,
        )


@contextlib.contextmanager
def upstream(folder: Path, cores: frozenset[int] | None, port: int = 0) -> Iterator[Proxy]:
    """Run an upstream on these cores; it is the proxy of the row without any. Several may share a port."""
    command = [sys.executable, "-m", "benchmarks.gateway.upstream", str(port)]
    with running(command, cores=cores, log=folder / "upstream.log", talks=True) as process:
        assert process.stdout is not None
        yield Proxy(DIRECT, Group(process.pid), int(process.stdout.readline()))


def answering(proxy: Proxy, process: "subprocess.Popen[bytes] | None" = None) -> Proxy:
    """Return the proxy as soon as it answers the question all will be asked.

    Raises:
        Missing: it never does, or its process has ended.

    """
    deadline = time.monotonic() + START_WITHIN_S
    said = "none"
    url = f"http://127.0.0.1:{proxy.port}{proxy.path}"
    asked = question(model=proxy.model)
    while time.monotonic() < deadline and (process is None or process.poll() is None):
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(url, headers={**HEADERS, **proxy.headers}, content=asked, timeout=30)
            if answer.status_code == 200 and answer.json()["usage"]["total_tokens"] == TOKENS:
                return proxy
            said = f"{answer.status_code}"
        time.sleep(0.05)
    if process is not None and process.poll() is not None:
        raise Missing("it ended at once")
    raise Missing(f"it did not answer as it should within {START_WITHIN_S:.0f} s (its last status: {said})")
