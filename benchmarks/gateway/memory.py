"""The subject ``gateway-memory``: what tokenboard holds after many requests, and with many streams open."""

import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.gateway.load import LoadMaker
from benchmarks.gateway.plan import OURS
from benchmarks.gateway.process import allow_many_files, two_cores
from benchmarks.gateway.proxies import Proxy, Stage, upstream
from benchmarks.gateway.tokenboard import tokenboard
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
Sizes = Mapping[str, int]
"""Resident bytes by role."""
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
    with TemporaryDirectory(prefix="tokenboard-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        stage = Stage(folder, cores, stack.enter_context(upstream(folder, cores.load)).port)
        yield LoadMaker.found(folder, cores.load), stack.enter_context(tokenboard(stage)).proxy(OURS)


def _requests(maker: LoadMaker, proxy: Proxy) -> Table:
    """Sample the memory every few seconds, each time after the events so far have been delivered."""
    deadline = time.monotonic() + _WITHIN_S
    samples: list[tuple[int, Sizes]] = []
    answered = 0
    while answered < _REQUESTS and time.monotonic() < deadline:
        answered += maker.run(proxy.load("closed", _CONNECTIONS, seconds=_AT_ONCE_S)).requests
        proxy.settle()
        samples.append((answered, proxy.group.resident()))
    warm = [sizes for after, sizes in samples if after >= _WARM_SHARE * answered]
    roles = _roles(proxy)
    title = f"Gateway: memory over {_REQUESTS:,} requests"
    rows = [(f"after {after:,}", *_cells(roles, sizes)) for after, sizes in _marked(samples)]
    rows.append(("from the first tenth on", *(_spread([sizes.get(role, 0) for sizes in warm]) for role in roles)))
    about = (
        f"Resident memory of the processes by their roles, ledger and all, every {_AT_ONCE_S} s of {_CONNECTIONS} "
        "connections that ask again at once, once what was answered is in the rankings."
    )
    return Table(title, about, (title, *map(_named, roles)), tuple(rows))


def _streams(maker: LoadMaker, proxy: Proxy) -> Table:
    """Sample the memory before, during and after many streams that get a chunk a second each."""
    # Each stream is a file here, and two in the proxy.
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    wanted = min(_STREAMS, (files - 500) // 2)
    # A server that has answered before, so that what it loads for its first requests is not taken for the streams'.
    maker.run(proxy.load("closed", _CONNECTIONS, seconds=_AT_ONCE_S))
    maker.run(proxy.load("streams", 1, streams=2))
    proxy.settle()
    before = proxy.group.resident()
    during: list[Sizes] = []
    with maker.held(proxy.load("held", wanted)) as held:
        begun = time.monotonic()
        while time.monotonic() - begun < _HELD_S:
            during.append(proxy.group.resident())
            time.sleep(1)
        outcome = held.close()
    proxy.settle()
    time.sleep(1)
    after = proxy.group.resident()
    print(f"gateway-memory: {outcome.chunks} chunks came, {outcome.failed} streams failed", file=sys.stderr)
    roles = _roles(proxy)
    open_ = {role: [sizes.get(role, 0) for sizes in during] for role in roles}
    title = f"Gateway: memory with {wanted:,} open streams"
    rows = (
        ("before", *_cells(roles, before)),
        (f"while open, {_HELD_S} s", *(_spread(open_[role]) for role in roles)),
        (
            "per stream",
            *(f"{figure((median(open_[role]) - before.get(role, 0)) / wanted / 1024)} KiB" for role in roles),
        ),
        ("after they were closed", *_cells(roles, after)),
    )
    about = f"Every stream gets a chunk a second; {outcome.chunks:,} chunks came, {outcome.failed} streams failed."
    return Table(title, about, (title, *map(_named, roles)), rows)


def _roles(proxy: Proxy) -> list[str]:
    return sorted(proxy.group.counted())


def _named(role: str) -> str:
    return f"`{role}`"


def _cells(roles: Sequence[str], sizes: Sizes) -> list[str]:
    return [_mebibytes(sizes.get(role, 0)) for role in roles]


def _marked(samples: Sequence[tuple[int, Sizes]]) -> Iterator[tuple[int, Sizes]]:
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
