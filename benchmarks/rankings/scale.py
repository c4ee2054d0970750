"""What the cube costs: memory, filling, refreshing a day; and how little the number of events matters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import partial
from statistics import median

from clickhouse_connect.driver.client import Client

from benchmarks.rankings.peers import OVER_EVENTS, ClickHouse, Rows
from benchmarks.rankings.sample import DAYS, FLOOR, LAST, QUESTIONS, BenchApp, Sample, question, roster_of
from benchmarks.table import Table, clocked, figure, milliseconds
from tokenboard.ledger import Ledger
from tokenboard.rankings import Cube, Question, Rankings, Roster

SPARSE_SHARE = 5
"""The sparse form is given this part of the memory that the dense one takes."""

_REFRESHES = 9
_EVENTS = (200_000, 2_000_000)
_EVENT_APPS = 1_000
_EVENT_ROUNDS = 5
_WITHOUT_BOUNDS = 2**62

# Apps by Zipf's law, days evenly, about 3,000 tokens each; the ids of events are of no matter here.
_USAGE = """
INSERT INTO usage
    (id, ts, received, app_id, key_id, account_id, failed, status, model, prompt_tokens, completion_tokens)
SELECT
    hex(number),
    toDateTime64({floor:Date}, 3, 'UTC')
        + toIntervalSecond(intDiv(number * 86400 * {days:UInt64}, {events:UInt64})) AS at,
    at,
    toUInt32(exp2(log2({apps:UInt64} + 1) * (cityHash64(number, 1) % 1000000) / 1000000)),
    1, 1, number % 50 = 0, if(number % 50 = 0, 500, 200), 'some/model',
    cityHash64(number, 2) % 5000, cityHash64(number, 3) % 1000
FROM numbers({events:UInt64})
"""


@dataclass(frozen=True, slots=True)
class BenchChanges:
    """All apps, at the only revision there is."""

    revision: int
    apps: tuple[BenchApp, ...]


class BenchCatalog:
    """A catalog in which nothing changes."""

    def __init__(self, apps: int) -> None:
        self._changes = BenchChanges(1, tuple(BenchApp(number) for number in range(1, apps + 1)))

    def revision(self) -> int:
        return 1

    def changes(self, since: int) -> BenchChanges:  # noqa: ARG002 - there are no others
        return self._changes


@dataclass(frozen=True, slots=True)
class Filled:
    """The rankings over one sample, in both forms, and how long each took to fill, in seconds."""

    sample: Sample
    dense: Rankings
    sparse: Rankings
    fill_s: tuple[float, float]

    def cubes(self) -> tuple[Cube, Cube, Roster]:
        """Return the dense cube, the sparse one, and the roster; nothing is written meanwhile."""
        dense, roster = self.dense.read(lambda cube, roster: (cube, roster))
        return dense, self.sparse.read(lambda cube, _: cube), roster


def fill(sample: Sample, ledger: Ledger) -> Filled:
    """Read the ledger into rankings of either form."""
    catalog = BenchCatalog(sample.apps)
    dense = Rankings(ledger, catalog, floor=FLOOR, clock=_last_noon, memory_budget=_WITHOUT_BOUNDS)
    dense_s = clocked(dense.fill)
    sparse = Rankings(ledger, catalog, floor=FLOOR, clock=_last_noon, memory_budget=dense.nbytes // SPARSE_SHARE)
    return Filled(sample, dense, sparse, (dense_s, clocked(sparse.fill)))


def memory_rows(filled: Filled, client: Client) -> Iterator[tuple[str, ...]]:
    """Write a row for each form; the ledger's figures are changed for it."""
    for rankings, fill_s in zip((filled.dense, filled.sparse), filled.fill_s, strict=True):
        held, step = rankings.nbytes / 1e6, rankings.step
        form = "dense" if step == 1 else f"a checkpoint in {step} days"
        today, late = (_refresh(rankings, client, day) for day in (LAST, FLOOR))
        figures = (f"{figure(held)} MB", f"{figure(fill_s)} s", milliseconds(today), milliseconds(late))
        yield (f"{filled.sample.apps:,} apps, {form}", *figures)


def memory_table(rows: Sequence[tuple[str, ...]]) -> Table:
    """Put the rows of all samples together."""
    return Table(
        "Rankings in memory",
        f"The same {DAYS} days: what the figures take in memory, in the dense form and where the budget is a fifth of "
        "that; how long filling them from the ledger takes at the start; and refreshing them when one app's usage of "
        "one day has changed, today's or that of the dataset's first day, from asking the ledger for its changes on.",
        ("Rankings in memory", "memory", "fill", "refresh of today", "refresh of the first day"),
        tuple(rows),
    )


def events_table(ledger: Ledger, client: Client) -> Table:
    """Let the same questions be asked of few events and of ten times as many."""
    roster = roster_of(_EVENT_APPS)
    found: list[tuple[str, float, float]] = []
    peer = ClickHouse(client, OVER_EVENTS)
    peer.place(roster, _EVENT_APPS)
    for events in _EVENTS:
        for table in ("usage", "app_daily", "app_model_daily", "model_daily", "app_hourly", "key_daily", "day_changes"):
            client.command(f"TRUNCATE TABLE {table}")
        client.command(_USAGE, parameters={"floor": FLOOR, "days": DAYS, "events": events, "apps": _EVENT_APPS})
        client.command("INSERT INTO day_changes SELECT DISTINCT day, 1 FROM app_daily")
        rankings = Rankings(ledger, BenchCatalog(_EVENT_APPS), floor=FLOOR, clock=_last_noon)
        rankings.fill()
        for name, sort, category, days in QUESTIONS[:3]:
            asked = question(sort, category, days)
            if _answered(rankings, asked) != peer.ask(asked):
                raise AssertionError(f"cube and events disagree: {asked}")
            works = (partial(_answered, rankings, asked), partial(peer.ask, asked))
            turns = [[clocked(work) for work in works] for _ in range(_EVENT_ROUNDS)]
            found.append((f"{events:,} events: {name}", *map(median, zip(*turns, strict=True))))
    return Table(
        "Rankings and the number of events",
        f"{_EVENT_APPS:,} apps over {DAYS} days: an answer of the rankings, uncached, and one statement of SQL over "
        "the single events, as their number grows tenfold. What the rankings hold is a figure for each app and day, "
        "however many events it stands for.",
        ("Rankings and the number of events", "tokenboard", "ClickHouse SQL over events"),
        tuple((name, milliseconds(ours), milliseconds(its)) for name, ours, its in found),
    )


def _answered(rankings: Rankings, asked: Question) -> Rows:
    return [(row.app_id, row.tokens, row.requests) for row in rankings.answer(asked).ranking.rows]


def _refresh(rankings: Rankings, client: Client, day: date) -> float:
    """Return how long a refresh takes, the median, when one app has used something on that day."""
    times = []
    for _ in range(_REFRESHES):
        client.command(
            "INSERT INTO app_daily (day, app_id, requests, prompt_tokens, completion_tokens) "
            "VALUES ({day:Date}, 1, 1, 1000, 100)",
            parameters={"day": day},
        )
        client.command("INSERT INTO day_changes VALUES ({day:Date}, 1)", parameters={"day": day})
        times.append(clocked(rankings.refresh))
    return median(times)


def _last_noon() -> datetime:
    return datetime.combine(LAST, time(12), UTC)
