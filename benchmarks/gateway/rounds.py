"""The subject ``gateway``: all proxies, round by round, each alone under load."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.gateway import report
from benchmarks.gateway.client import Load
from benchmarks.gateway.installs import Missing, find_tool
from benchmarks.gateway.load import LoadFailed, LoadMaker
from benchmarks.gateway.plan import ROUNDS, WARM_UP, loads, takes_part
from benchmarks.gateway.process import allow_many_files, cpu_seconds, resident_bytes, two_cores
from benchmarks.gateway.proxies import PEERS, Proxy, Stage, tokenboard, upstream
from benchmarks.gateway.report import Report
from benchmarks.gateway.samples import Results, Sample
from benchmarks.table import Table


def tables() -> Iterator[Table]:
    """Measure all proxies that can be had."""
    allow_many_files()
    cores = two_cores()
    try:
        wrk = find_tool("wrk", "wrk")
    except Missing:
        wrk = None
    with TemporaryDirectory(prefix="tokenboard-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        maker = LoadMaker(folder, cores.load, wrk)
        direct = stack.enter_context(upstream(folder, cores))
        stage = Stage(folder, cores, direct.port)
        board = stack.enter_context(tokenboard(stage))
        missing: dict[str, str] = {}
        peers: dict[str, Proxy] = {}
        for peer, start in PEERS.items():
            try:
                peers[peer] = stack.enter_context(start(stage))
            except Missing as error:
                missing[peer] = str(error)
                print(f"{peer}: {error}", file=sys.stderr)
        proxies = [direct, *(peers[peer] for peer in PEERS if peer == "nginx" and peer in peers), board.proxy]
        proxies += [proxy for peer, proxy in peers.items() if peer != "nginx"]
        results = _measure(maker, proxies)
        recorded = board.recorded()
    answered = results.answered(board.proxy.name)
    if recorded < answered:
        raise LoadFailed(f"of {answered} answered requests {recorded} are in the rankings")
    names = [direct.name, "nginx", board.proxy.name, *(peer for peer in PEERS if peer != "nginx")]
    yield from report.tables(Report(results, names, missing, direct.name, maker.told, cores.told(), answered))


def _measure(maker: LoadMaker, proxies: Sequence[Proxy]) -> Results:
    results = Results()
    for number in range(WARM_UP, ROUNDS):
        for proxy in proxies:
            if not takes_part(proxy, number):
                continue
            for kind, load in loads(proxy):
                try:
                    sample = _sample(maker, proxy, load)
                except LoadFailed as error:
                    print(f"{proxy.name}, {kind}: {error}", file=sys.stderr)
                else:
                    results.add(kind, proxy.name, number, sample)
        print(f"gateway: {'warm-up' if number == WARM_UP else f'round {number + 1} of {ROUNDS}'}", file=sys.stderr)
    return results


def _sample(maker: LoadMaker, proxy: Proxy, load: Load) -> Sample:
    before = cpu_seconds(proxy.pid)
    outcome = maker.run(load)
    busy = cpu_seconds(proxy.pid) - before
    proxy.settle()
    return Sample(outcome, cpu_seconds(proxy.pid) - before, busy / outcome.seconds, resident_bytes(proxy.pid))
