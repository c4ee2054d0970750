"""The subject ``gateway``: all proxies, round by round, each alone under load."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.gateway import peers, report
from benchmarks.gateway.load import LoadFailed, LoadMaker
from benchmarks.gateway.plan import OURS, PROXIES, Plan, loads
from benchmarks.gateway.process import Cores, allow_many_files, two_cores
from benchmarks.gateway.proxies import Proxy, Stage, upstream
from benchmarks.gateway.report import Report
from benchmarks.gateway.samples import Results
from benchmarks.gateway.taking import take
from benchmarks.gateway.tokenboard import GATEWAY_ALONE, Tokenboard, tokenboard
from benchmarks.table import Table


def tables(plan: Plan) -> Iterator[Table]:
    """Measure all proxies of the plan that can be had."""
    allow_many_files()
    cores = two_cores()
    with TemporaryDirectory(prefix="tokenboard-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        maker = LoadMaker.found(folder, cores.load)
        direct = stack.enter_context(upstream(folder, cores.load))
        stage = Stage(folder, cores, direct.port)
        found, missing = stack.enter_context(peers.started(stage, plan.proxies))
        board: Tokenboard | None = None
        if OURS in plan.proxies:
            board = stack.enter_context(tokenboard(stage))
            ours = _arranged(board, cores)
            found += ours
            if len(ours) == 1:
                missing[GATEWAY_ALONE] = "not to be had of one process, or of one core"
        order = _names(plan)
        found.sort(key=lambda proxy: order.index(proxy.name))
        results = _measure(plan, maker, direct, found)
        answered = sum(map(results.answered, (OURS, GATEWAY_ALONE)))
        if board is not None:
            board.expect(answered)
    rows = [direct.name, *(name for name in order if name in missing or any(proxy.name == name for proxy in found))]
    yield from report.tables(Report(plan, results, rows, missing, direct.name, maker.told, cores.told(), answered))


def _arranged(board: Tokenboard, cores: Cores) -> list[Proxy]:
    """Return tokenboard on one core with all of its processes, and, where that can be, with its gateway alone on it."""
    if cores.proxy is None or cores.load is None:
        return [board.proxy(OURS)]
    together = board.proxy(OURS, gateways=[cores.proxy], others=[cores.proxy])
    if not board.gateways:
        return [together]
    return [together, board.proxy(GATEWAY_ALONE, gateways=[cores.proxy], others=[cores.load], apart=True)]


def _names(plan: Plan) -> list[str]:
    """Return the names of all rows, in their order."""
    names: list[str] = []
    for name in PROXIES:
        if name in plan.proxies:
            names += [OURS, GATEWAY_ALONE] if name == OURS else [name]
    return names


def _measure(plan: Plan, maker: LoadMaker, direct: Proxy, proxies: Sequence[Proxy]) -> Results:
    results = Results()
    for number in plan.numbers():
        for proxy in (direct, *proxies):
            if not plan.takes_part(proxy, number):
                continue
            for kind, load in loads(proxy):
                try:
                    # Without a proxy the upstream is what is measured, and counts as that.
                    taken = take(maker, proxy, load, [] if proxy is direct else [direct])
                except LoadFailed as error:
                    print(f"{proxy.name}, {kind}: {error}", file=sys.stderr)
                else:
                    results.add(kind, proxy.name, number, taken)
        print(f"gateway: {plan.step(number)}", file=sys.stderr)
    return results
