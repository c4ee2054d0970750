"""Load on a proxy: wrk where there is one, else our own client."""

import contextlib
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks.gateway.client import Load, Outcome
from benchmarks.gateway.dialogue import question
from benchmarks.gateway.installs import Missing, find_tool
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
    """Puts proxies under load, from ``cores`` unless told otherwise.

    ``folder`` takes the scripts; ``wrk`` is the path of that program, None where there is none.
    """

    def __init__(self, folder: Path, cores: frozenset[int] | None, wrk: str | None) -> None:
        self._folder = folder
        self._cores = cores
        self._wrk = wrk

    @classmethod
    def found(cls, folder: Path, cores: frozenset[int] | None) -> "LoadMaker":
        """Return one that uses wrk if that can be had."""
        try:
            return cls(folder, cores, find_tool("wrk", "wrk"))
        except Missing:
            return cls(folder, cores, None)

    @property
    def told(self) -> str:
        """What a table says about the closed loops."""
        return "wrk" if self._wrk else "our own client (there is no wrk here)"

    def run(self, load: Load) -> Outcome:
        """Return what came of a load.

        Raises:
            LoadFailed: it did not end in time, or no request was answered.

        """
        return self.run_on([self._cores], load)

    def run_on(self, places: Sequence[frozenset[int] | None], load: Load) -> Outcome:
        """Return what came of a load that comes from several places at once, as much from each.

        Requests are summed; times are those of the place where they are longest. Raises as `run` does.
        """
        command = self._wrk_command(load) if load.kind == "closed" and self._wrk else _client_command(load)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started: list[subprocess.Popen[bytes]] = []
        with contextlib.ExitStack() as stack:
            for cores in places:
                with pinned(cores):
                    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                stack.callback(_end, process)
                started.append(process)
            outcomes = [_outcome(process, load.seconds + _GRACE_S) for process in started]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        requests = sum(outcome.requests for outcome in outcomes)
        failed = sum(outcome.failed for outcome in outcomes)
        if not requests:
            raise LoadFailed(f"none of {failed} requests was answered")
        return Outcome(
            requests=requests,
            failed=failed,
            seconds=max(outcome.seconds for outcome in outcomes),
            p50=max(outcome.p50 for outcome in outcomes),
            p99=max(outcome.p99 for outcome in outcomes),
            first_byte=max(outcome.first_byte for outcome in outcomes),
            chunks=sum(outcome.chunks for outcome in outcomes),
            cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        )

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
        body = self._folder / f"body-{load.port}-{load.prompt_bytes}.json"
        body.write_bytes(question(prompt_bytes=load.prompt_bytes, model=load.model))
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


def _outcome(process: "subprocess.Popen[bytes]", within_s: float) -> Outcome:
    try:
        said, complaint = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"the load did not end within {error.timeout:.0f} s") from error
    if process.returncode:
        raise LoadFailed(complaint.decode(errors="replace").strip())
    return msgspec.json.decode(said.splitlines()[-1], type=Outcome)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
        process.communicate()


def _client_command(load: Load) -> list[str]:
    return [sys.executable, "-m", "benchmarks.gateway.client", msgspec.json.encode(load).decode()]
