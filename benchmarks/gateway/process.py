"""Processes that the benchmark starts: on which core they are started, how they end; and all that the machine does."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_END_WITHIN_S = 15


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the proxy under test runs, and where upstream and load do; none where they cannot be pinned."""

    proxy: frozenset[int] | None
    load: frozenset[int] | None

    def told(self) -> str:
        """Return what a table says about it."""
        if self.proxy is None:
            return "on any core (this system does not pin processes, or has one core)"
        return "on one core each, upstream and load on another"


def two_cores() -> Cores:
    """Return the first two cores this process may use."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(usable) < 2:
        return Cores(None, None)
    return Cores(frozenset(usable[:1]), frozenset(usable[1:2]))


@contextlib.contextmanager
def pinned(cores: frozenset[int] | None) -> Iterator[None]:
    """Start processes on these cores: what is started within inherits where we run."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    cores: frozenset[int] | None,
    log: Path,
    env: Mapping[str, str] | None = None,
    talks: bool = False,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command until the end of the block, then end it and all it started.

    What it says goes to the log; the standard input and output of one that ``talks`` are pipes.
    """
    with log.open("ab") as said:
        with pinned(cores):
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else said,
                stderr=said,
                env=None if env is None else dict(env),
                start_new_session=True,
            )
        try:
            yield process
        finally:
            end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that leads a session of its own, with everything in that session."""
    for ending in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, ending)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_WITHIN_S)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def busy_seconds() -> float:
    """Return the CPU time that everything on this machine has used so far, in seconds; proc_stat(5)."""
    user, nice, system, _idle, _waiting, *more = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(more)) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port of 127.0.0.1 nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def allow_many_files() -> None:
    """Raise the limit of open files as far as we may; what is started later inherits it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
