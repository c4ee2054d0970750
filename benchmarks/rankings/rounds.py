"""The rounds: the cube in both its forms and the peers answer the same questions in turn."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from statistics import median
from tempfile import TemporaryDirectory
from types import MappingProxyType

import clickhouse_connect

from benchmarks.gateway.installs import Missing
from benchmarks.rankings import scale, served
from benchmarks.rankings.peers import PEERS, ClickHouse, Peer, Rows
from benchmarks.rankings.sample import DAYS, QUESTIONS, invent, question, roster_of
from benchmarks.table import Table, clocked, figure, milliseconds
from tokenboard.ledger import Ledger
from tokenboard.rankings import Cube, Question, Roster, rank

_ROUNDS: Mapping[int, int] = MappingProxyType({1_000: 7, 10_000: 7, 100_000: 3})
"""By number of apps, how often all answer."""
_IN_A_ROW = 5


def tables() -> Iterator[Table]:
    """Let all answer, then look at memory and times of filling, at the number of events, and at a server."""
    rows: list[tuple[str, ...]] = []
    held: list[tuple[str, ...]] = []
    told: list[str] = []
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="tokenboard-bench-"))
        ledger = Ledger(f"chdb://{folder}")
        stack.callback(ledger.close)
        client = clickhouse_connect.get_client(dsn=f"chdb://{folder}")
        stack.callback(client.close)
        ledger.migrate()
        peers: list[Peer] = [ClickHouse(client)]
        missing: dict[str, str] = {}
        for name, start in PEERS.items():
            try:
                peers.append(stack.enter_context(start()))
            except Missing as error:
                missing[name] = str(error)
        for apps in _ROUNDS:
            sample = invent(apps)
            told.append(sample.told())
            roster = roster_of(apps)
            for peer in peers:
                peer.load(sample, roster)
            filled = scale.fill(sample, ledger)
            rows += _answers(filled, peers)
            held += scale.memory_rows(filled, client)
        names = [peer.name for peer in peers]
        columns = ("Rankings", "tokenboard", "sparse", *names)
        absent = "".join(f" {name} is missing: {reason}." for name, reason in missing.items())
        yield Table("Rankings", _ABOUT.format(told="; ".join(told), absent=absent), columns, tuple(rows))
        yield scale.memory_table(held)
        yield scale.events_table(ledger, client)
    yield from served.tables()


_ABOUT = (
    f"The first 50 rows over {DAYS} days of usage, aliases folded and hidden apps left out, not kept from an earlier "
    f"answer: `rank()` over the cube, dense and in a fifth of the memory, against one statement of SQL "
    "over the same daily rows, indexed where that helps: in brackets, how many times as long as the dense cube. "
    f"All take turns, for {' / '.join(map(str, _ROUNDS.values()))} rounds, and give the same rows; the cube answers "
    f"{_IN_A_ROW} times in each. "
    "{told}.{absent}"
)


def _answers(filled: scale.Filled, peers: Sequence[Peer]) -> Iterator[tuple[str, ...]]:
    dense, sparse, roster = filled.cubes()
    for name, sort, category, days in QUESTIONS:
        asked = question(sort, category, days)
        contenders: dict[str, Callable[[], Rows]] = {
            "dense": partial(_by_cube, dense, roster, asked),
            "sparse": partial(_by_cube, sparse, roster, asked),
        }
        contenders |= {peer.name: partial(peer.ask, asked) for peer in peers}
        given = {who: answer() for who, answer in contenders.items()}
        for who, answer in given.items():
            if answer != given["dense"]:
                raise AssertionError(f"{who} answers otherwise: {asked}")
        times = _take_turns(contenders, _ROUNDS[filled.sample.apps])
        ours = median(times["dense"])
        cells = [milliseconds(ours), milliseconds(median(times["sparse"]))]
        for peer in peers:
            ratio = median(their / our for our, their in zip(times["dense"], times[peer.name], strict=True))
            cells.append(f"{milliseconds(median(times[peer.name]))} ({figure(ratio)} ×)")
        yield (f"{filled.sample.apps:,} apps: {name}", *cells)


def _take_turns(contenders: Mapping[str, Callable[[], Rows]], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {who: [] for who in contenders}
    for _ in range(rounds):
        for who, answer in contenders.items():
            in_a_row = _IN_A_ROW if who in {"dense", "sparse"} else 1
            times[who].append(median(clocked(answer) for _ in range(in_a_row)))
    return times


def _by_cube(cube: Cube, roster: Roster, asked: Question) -> Rows:
    return [(row.app_id, row.tokens, row.requests) for row in rank(cube, roster, asked).rows]
