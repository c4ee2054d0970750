"""Load on a proxy: wrk where there is one, else our own client; always on the core of the upstream."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.gateway.client import Load, Outcome
from benchmarks.gateway.dialogue import question
from benchmarks.gateway.process import pinned, running

_GRACE_S = 60
_SCRIPT = """
wrk.method = "POST"
wrk.body = io.open("{body}", "rb"):read("*a")
{headers}
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('\\n{{"requests": %d, "failed": %d, "seconds": %.6f, "p50": %.6f, "p99": %.6f}}\\n',
    summary.requests, failed, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""


class LoadFailed(Exception):
    """The load client did not come to an end, or nothing was answered."""


class LoadMaker:
    """Puts proxies under load from ``cores``; ``folder`` takes the scripts; ``wrk`` is None where there is none."""

    def __init__(self, folder: Path, cores: frozenset[int] | None, wrk: str | None) -> None:
        self._folder = folder
        self._cores = cores
        self._wrk = wrk

    @property
    def told(self) -> str:
        """What a table says about the closed loops."""
        return "wrk" if self._wrk else "our own client (there is no wrk here)"

    def run(self, load: Load) -> Outcome:
        """Return what came of a load.

        Raises:
            LoadFailed: it did not end in time, or no request was answered.

        """
        command = self._wrk_command(load) if load.kind == "closed" and self._wrk else _client_command(load)
        with pinned(self._cores):
            try:
                done = subprocess.run(command, capture_output=True, check=True, timeout=load.seconds + _GRACE_S)
            except subprocess.TimeoutExpired as error:
                raise LoadFailed(f"the load did not end within {error.timeout:.0f} s") from error
            except subprocess.CalledProcessError as error:
                raise LoadFailed(error.stderr.decode(errors="replace").strip()) from error
        outcome = msgspec.json.decode(done.stdout.splitlines()[-1], type=Outcome)
        if not outcome.requests:
            raise LoadFailed(f"none of {outcome.failed} requests was answered")
        return outcome

    @contextlib.contextmanager
    def held(self, load: Load) -> Iterator["Held"]:
        """Hold streams open until the end of the block, which begins once all have begun."""
        with running(_client_command(load), cores=self._cores, log=self._folder / "held.log", talks=True) as process:
            assert process.stdout is not None
            if process.stdout.readline() != b"open\n":
                raise LoadFailed("the streams could not be opened")
            yield Held(process)

    def _wrk_command(self, load: Load) -> list[str]:
        assert self._wrk is not None
        body = self._folder / f"body-{load.prompt_bytes}.json"
        body.write_bytes(question(prompt_bytes=load.prompt_bytes))
        script = self._folder / f"load-{load.port}-{load.prompt_bytes}.lua"
        headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in load.headers.items())
        script.write_text(_SCRIPT.format(body=body, headers=headers))
        shape = [f"-c{load.connections}", "-t1", f"-d{max(1, round(load.seconds))}s", "--timeout", "30s"]
        return [self._wrk, *shape, "-s", str(script), f"http://127.0.0.1:{load.port}{load.path}"]


class Held:
    """Streams that are held open."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def close(self) -> Outcome:
        """Close them and return what came through them."""
        stdout, _ = self._process.communicate(timeout=_GRACE_S)
        return msgspec.json.decode(stdout.splitlines()[-1], type=Outcome)


def _client_command(load: Load) -> list[str]:
    return [sys.executable, "-m", "benchmarks.gateway.client", msgspec.json.encode(load).decode()]
