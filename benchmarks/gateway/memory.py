"""The subject ``gateway-memory``: what tokenboard holds after many requests, and with many streams open."""

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.gateway.installs import Missing, find_tool
from benchmarks.gateway.load import LoadMaker
from benchmarks.gateway.process import allow_many_files, resident_bytes, two_cores
from benchmarks.gateway.proxies import Proxy, Stage, tokenboard, upstream
from benchmarks.table import Table, figure

_REQUESTS = 200_000
_WITHIN_S = 240
_AT_ONCE_S = 2
_CONNECTIONS = 16
_WARM_SHARE = 0.1
"""Share of the requests after which memory is expected to stay as it is."""
_FLAT = 0.05
_STREAMS = 2_000
_HELD_S = 15
_CLOSED_WITHIN_S = 10
_MARKS = (0.1, 0.25, 0.5, 0.75, 1.0)


def tables() -> Iterator[Table]:
    """Measure resident memory over many requests, then over many open streams, each in a server of its own."""
    allow_many_files()
    for measure in (_requests, _streams):
        with _running() as (maker, proxy):
            yield measure(maker, proxy)


@contextmanager
def _running() -> Iterator[tuple[LoadMaker, Proxy]]:
    cores = two_cores()
    try:
        wrk = find_tool("wrk", "wrk")
    except Missing:
        wrk = None
    with TemporaryDirectory(prefix="tokenboard-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        stage = Stage(folder, cores, stack.enter_context(upstream(folder, cores)).port)
        yield LoadMaker(folder, cores.load, wrk), stack.enter_context(tokenboard(stage)).proxy


def _requests(maker: LoadMaker, proxy: Proxy) -> Table:
    """Sample the memory every few seconds, each time after the events so far have been delivered."""
    deadline = time.monotonic() + _WITHIN_S
    samples: list[tuple[int, int]] = []
    answered = 0
    while answered < _REQUESTS and time.monotonic() < deadline:
        answered += maker.run(proxy.load("closed", _CONNECTIONS, seconds=_AT_ONCE_S)).requests
        proxy.settle()
        samples.append((answered, resident_bytes(proxy.pid)))
    warm = [size for after, size in samples if after >= _WARM_SHARE * answered]
    title = f"Gateway: memory over {_REQUESTS:,} requests"
    rows = [(f"after {after:,}", _mebibytes(size)) for after, size in _marked(samples)]
    rows += [("from the first tenth on", _spread(warm))]
    about = (
        f"Resident memory of the one process, ledger and all, every {_AT_ONCE_S} s of {_CONNECTIONS} connections that "
        "ask again at once, once what was answered is in the rankings."
    )
    return Table(title, about, (title, "resident"), tuple(rows))


def _streams(maker: LoadMaker, proxy: Proxy) -> Table:
    """Sample the memory before, during and after many streams that get a chunk a second each."""
    # Each stream is a file here, and two in the proxy.
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    wanted = min(_STREAMS, (files - 500) // 2)
    # A server that has answered before, so that what it loads for its first requests is not taken for the streams'.
    maker.run(proxy.load("closed", _CONNECTIONS, seconds=_AT_ONCE_S))
    maker.run(proxy.load("streams", 1, streams=2))
    proxy.settle()
    before = resident_bytes(proxy.pid)
    during: list[int] = []
    with maker.held(proxy.load("held", wanted)) as held:
        begun = time.monotonic()
        while time.monotonic() - begun < _HELD_S:
            during.append(resident_bytes(proxy.pid))
            time.sleep(1)
        outcome = held.close()
    proxy.settle()
    time.sleep(1)
    after = resident_bytes(proxy.pid)
    print(f"gateway-memory: {outcome.chunks} chunks came, {outcome.failed} streams failed", file=sys.stderr)
    title = f"Gateway: memory with {wanted:,} open streams"
    rows = (
        ("before", _mebibytes(before)),
        (f"while open, {_HELD_S} s", _spread(during)),
        ("per stream", f"{figure((median(during) - before) / wanted / 1024)} KiB"),
        ("after they were closed", _mebibytes(after)),
    )
    about = f"Every stream gets a chunk a second; {outcome.chunks:,} chunks came, {outcome.failed} streams failed."
    return Table(title, about, (title, "resident"), rows)


def _marked(samples: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Return the first sample at or after each mark."""
    total = samples[-1][0]
    for mark in _MARKS:
        yield next(sample for sample in samples if sample[0] >= mark * total)


def _spread(sizes: Sequence[int]) -> str:
    """Tell the median, and how far the others are from it."""
    middle = median(sizes)
    down, up = min(sizes) / middle - 1, max(sizes) / middle - 1
    flat = "flat" if max(-down, up) <= _FLAT else "not flat"
    return f"{_mebibytes(middle)} ({down:+.1%} to {up:+.1%}: {flat})"


def _mebibytes(size: float) -> str:
    return f"{size / 2**20:,.1f} MiB"
