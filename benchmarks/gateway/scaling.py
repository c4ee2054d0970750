"""The subject ``gateway-cores``: two gateways on two cores beside one gateway on one core.

Upstream and load must live somewhere too, and this is made for a machine of two cores. So everything is doubled: each
core carries one proxy, one upstream and one load; only the board is one, and runs on all cores that take part. One
core then gives R requests/s, two give 2 R if nothing is shared that matters, and nginx, set up the same way, shows how
near to that this machine lets anything come.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.gateway.goals import Goal, goals_table
from benchmarks.gateway.group import Group
from benchmarks.gateway.installs import Missing
from benchmarks.gateway.load import LoadFailed, LoadMaker
from benchmarks.gateway.peers import nginx
from benchmarks.gateway.plan import OURS, Plan
from benchmarks.gateway.process import Cores, allow_many_files, free_port, two_cores
from benchmarks.gateway.proxies import Proxy, Stage, upstream
from benchmarks.gateway.report import microseconds, milliseconds, percent
from benchmarks.gateway.samples import Results, Sample
from benchmarks.gateway.taking import take
from benchmarks.gateway.tokenboard import Tokenboard, tokenboard
from benchmarks.table import Table, figure

_CONNECTIONS = 32
"""On each core: enough that each of two gateways has some to serve at all times, however the kernel shares them out."""
_SECONDS = 3
_TITLE = "Gateway: two cores beside one"
_COLUMNS = (
    _TITLE,
    "requests/s",
    "of one core's",
    "by the proxies' CPU time",
    "p99",
    "proxies, per request",
    "board, per request",
    "upstream and load, per request",
    "proxies, of the cores",
)
_LOAD = "answer"
_GOAL = 1.7
_BEHIND = frozenset({"board", "serve"})
"""Roles of processes that are no proxies."""


@dataclass(frozen=True, slots=True)
class Site:
    """Some cores, each with an upstream and a load of its own; ``port`` is that of all the upstreams."""

    cores: Sequence[frozenset[int]]
    upstreams: Sequence[Proxy]
    port: int

    @property
    def all_cores(self) -> frozenset[int]:
        """All cores that take part."""
        return frozenset().union(*self.cores)


def tables(plan: Plan) -> Iterator[Table]:
    """Measure nginx and tokenboard on one core, and on two."""
    allow_many_files()
    cores = two_cores()
    if cores.proxy is None or cores.load is None:
        yield Table(_TITLE, "", _COLUMNS, (("not measured: there are no two cores to be had", *["—"] * 8),))
        return
    results = Results()
    missing: dict[str, str] = {}
    boards: dict[str, Tokenboard] = {}
    with TemporaryDirectory(prefix="tokenboard-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        maker = LoadMaker.found(folder, cores.load)
        proxies: list[tuple[Proxy, Site]] = []
        for used in ([cores.proxy], [cores.proxy, cores.load]):
            site = _site(stack, folder, used)
            count = len(used)
            stage = Stage(folder / f"{count}", Cores(site.all_cores, site.all_cores), site.port)
            if "nginx" in plan.proxies:
                try:
                    proxies.append((_nginx(stack, stage, site), site))
                except Missing as error:
                    missing[_row("nginx", count)] = str(error)
            if OURS in plan.proxies:
                row = _row(OURS, count)
                boards[row] = stack.enter_context(tokenboard(stage, gateways=count))
                if boards[row].gateways == count:
                    proxies.append((boards[row].proxy(row, gateways=used, others=[site.all_cores]), site))
                else:
                    missing[row] = "one process does everything"
        _measure(plan, maker, proxies, results)
        for row, board in boards.items():
            board.expect(results.answered(row))
    rows = [_cells(results, missing, who, count) for who in ("nginx", OURS) if who in plan.proxies for count in (1, 2)]
    yield Table(_TITLE, _about(plan, maker, results), _COLUMNS, tuple(rows))

    def goal(what: str, figure_of: Callable[[Sample, Sample], float]) -> Goal:
        measured = results.compared(_LOAD, _row(OURS, 2), _row(OURS, 1), figure_of)
        return Goal(f"two gateways on two cores, of one: {what}", _GOAL, measured, at_least=True, unit="×")

    goals = [goal("requests/s", _rates), goal("by the gateways' CPU time", _by_proxies(2))]
    yield goals_table(goals, "Gateway: two cores beside one, goals")


def _site(stack: ExitStack, folder: Path, cores: Sequence[frozenset[int]]) -> Site:
    first = stack.enter_context(upstream(folder, cores[0]))
    more = [stack.enter_context(upstream(folder, core, first.port)) for core in cores[1:]]
    return Site(cores, [first, *more], first.port)


def _nginx(stack: ExitStack, stage: Stage, site: Site) -> Proxy:
    """Start an nginx on each core; all share a port."""
    port = free_port()
    started = [
        stack.enter_context(nginx(Stage(stage.folder / f"{number}", Cores(core, core), stage.upstream), port))
        for number, core in enumerate(site.cores)
    ]
    group = Group(*(pid for proxy in started for pid in proxy.group.roles()))
    return Proxy(_row("nginx", len(site.cores)), group, port)


def _measure(plan: Plan, maker: LoadMaker, proxies: Sequence[tuple[Proxy, Site]], results: Results) -> None:
    for number in plan.numbers():
        for proxy, site in proxies:
            load = proxy.load("closed", _CONNECTIONS, seconds=_SECONDS)
            try:
                results.add(_LOAD, proxy.name, number, take(maker, proxy, load, site.upstreams, site.cores))
            except LoadFailed as error:
                print(f"{proxy.name}: {error}", file=sys.stderr)
        print(f"gateway-cores: {plan.step(number)}", file=sys.stderr)


def _about(plan: Plan, maker: LoadMaker, results: Results) -> str:
    failed = results.failed()
    return (
        f"The 300-byte answer, asked by {maker.told} over {_CONNECTIONS} connections on each core, for {_SECONDS} s; "
        f"medians of {plan.told()} in turn. Each core carries a proxy (nginx, or a gateway of tokenboard's), an "
        "upstream and a load; the board is one, on all cores that take part, and its CPU time holds all that a request "
        "causes later. “Of one core's” compares requests/s within a round. As upstream and load are doubled as well, "
        "“by the proxies' CPU time” leaves them out: twice the CPU time that a request costs a proxy on one core, by "
        "what it costs one of two. Of the board's work some costs the same however many requests there are, and takes "
        "more of one core than of two: requests/s may more than double. What this machine cannot show is two gateways "
        f"with a core each to themselves, and more than two. Other work took {results.others():.0%} of the machine "
        "meanwhile. " + (f"{failed} requests failed." if failed else "No request failed.")
    )


def _cells(results: Results, missing: dict[str, str], who: str, count: int) -> tuple[str, ...]:
    name, one = _row(who, count), _row(who, 1)
    if not results.of(_LOAD, name):
        return (f"{name}: {missing.get(name, 'not measured')}", *["—"] * (len(_COLUMNS) - 1))

    def told(what: Callable[[Sample], float], unit: Callable[[float], str]) -> str:
        measured = results.median(_LOAD, name, what)
        return "—" if measured is None else unit(measured)

    def compared(what: Callable[[Sample, Sample], float]) -> str:
        measured = results.compared(_LOAD, name, one, what)
        return "—" if measured is None else f"{measured:.2f} ×"

    return (
        name,
        told(lambda sample: sample.rate, figure),
        compared(_rates),
        compared(_by_proxies(count)),
        told(lambda sample: sample.outcome.p99, milliseconds),
        told(_proxies, microseconds),
        told(lambda sample: sample.per_request - _proxies(sample), microseconds) if who == OURS else "—",
        told(lambda sample: (sample.upstream + sample.outcome.cpu) / sample.outcome.requests, microseconds),
        told(lambda sample: _busy(sample) / count, percent),
    )


def _row(who: str, count: int) -> str:
    return f"{who}, {count} core{'s' if count > 1 else ''}"


def _rates(ours: Sample, theirs: Sample) -> float:
    return ours.rate / theirs.rate


def _proxies(sample: Sample) -> float:
    """Return the CPU seconds of the proxies themselves for one request."""
    return sum(cpu for role, cpu in sample.cpu.items() if role not in _BEHIND) / sample.outcome.requests


def _by_proxies(count: int) -> Callable[[Sample, Sample], float]:
    """Return how many times one core's requests so many proxies answer if only their own CPU time counts."""
    return lambda ours, single: count * _proxies(single) / _proxies(ours)


def _busy(sample: Sample) -> float:
    """Return how many cores the proxies themselves had while they were asked."""
    return sum(busy for role, busy in sample.busy.items() if role not in _BEHIND) / sample.outcome.seconds
