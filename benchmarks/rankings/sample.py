"""Invented usage: a few apps are used all the time, most of them now and then, as apps are."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from tokenboard.attribution import GROUPS
from tokenboard.query import Window
from tokenboard.rankings import Question, Roster, Sort

FLOOR = date(2025, 1, 1)
DAYS = 400
LAST = FLOOR + timedelta(days=DAYS - 1)
RECENT = 30

QUESTIONS: tuple[tuple[str, Sort, str | None, int], ...] = (
    ("popular, 30 days", Sort.POPULAR, None, 30),
    ("popular, 366 days", Sort.POPULAR, None, 366),
    ("trending, 30 days", Sort.TRENDING, None, 30),
    ("trending, 366 days", Sort.TRENDING, None, 366),
    ("popular in coding, 30 days", Sort.POPULAR, "coding", 30),
    ("popular in coding, 366 days", Sort.POPULAR, "coding", 366),
)

# Of n apps the one in place r has n / 50 / r^1.1 requests a day in the mean; those without are not active that day.
_REQUESTS_PER_APP = 1 / 50
_ZIPF = 1.1
_TOKENS_PER_REQUEST = 3_000
_DAYS_AT_ONCE = 20
_UNIX_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class BenchApp:
    """An app as the catalog would give it: one in twenty an alias of its neighbour, one in seventeen hidden."""

    id: int

    @property
    def url(self) -> str:
        return f"https://app-{self.id}.example"

    @property
    def name(self) -> str:
        return f"App {self.id}"

    @property
    def visibility(self) -> str:
        return "public" if self.id % 17 else "hidden"

    @property
    def canonical_id(self) -> int | None:
        return None if self.id % 20 else self.id - 1

    @property
    def categories(self) -> tuple[str, ...]:
        names = [name for group in GROUPS.values() for name in group]
        return (names[self.id % len(names)],)

    @property
    def first_seen_ms(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Sample:
    """Usage of ``apps`` apps: ``rows`` has a row for each day and app with usage, sorted by both."""

    apps: int
    rows: pa.Table
    requests: int
    active_a_day: int
    active_recently: int

    def told(self) -> str:
        """Return what a table says about it."""
        return (
            f"{self.apps:,} apps: {self.active_a_day:,} active a day, {self.active_recently:,} in the last {RECENT} "
            f"days, {self.rows.num_rows:,} app-days"
        )


def invent(apps: int, seed: int = 1) -> Sample:
    """Invent 400 days of usage; the places of apps by popularity are shuffled, app 0 is unattributed traffic."""
    random = np.random.default_rng(seed)
    places = random.permutation(np.arange(1, apps + 1))
    daily = apps * _REQUESTS_PER_APP / places**_ZIPF
    table = pa.concat_tables(list(_portions(random, daily))).combine_chunks()
    day, app_id = table.column("day").to_numpy(), table.column("app_id").to_numpy()
    recent = day > np.datetime64(LAST - timedelta(days=RECENT))
    return Sample(
        apps,
        table,
        int(table.column("requests").to_numpy().sum()),
        round(table.num_rows / DAYS) - 1,
        int(np.unique(app_id[recent]).size) - 1,
    )


def roster_of(apps: int) -> Roster:
    """Return the roster of so many apps."""
    roster = Roster()
    roster.update(BenchApp(number) for number in range(1, apps + 1))
    return roster


def question(sort: Sort, category: str | None, days: int) -> Question:
    """Return the question for the first 50 rows over the last days but five.

    Not the very last days: 400 is a multiple of 16, and the sparse cube would find its checkpoint there.
    """
    end = LAST - timedelta(days=5)
    return Question(sort, category, None, Window(end - timedelta(days=days - 1), end), 50, 0)


def _portions(random: np.random.Generator, daily: np.ndarray) -> Iterator[pa.Table]:
    for first in range(0, DAYS, _DAYS_AT_ONCE):
        requests = random.poisson(daily, (min(_DAYS_AT_ONCE, DAYS - first), daily.size))
        # Unattributed traffic comes first in every day.
        requests = np.column_stack((np.full(requests.shape[0], daily.size // 10 + 1), requests))
        day, app_id = np.nonzero(requests)
        count = requests[day, app_id]
        tokens = np.ceil(count * random.lognormal(np.log(_TOKENS_PER_REQUEST), 1, count.size)).astype(np.uint64)
        prompt = tokens * np.uint64(4) // np.uint64(5)
        yield pa.table(
            {
                "day": pa.array((day + first + (FLOOR - _UNIX_EPOCH).days).astype(np.int32)).cast(pa.date32()),
                "app_id": pa.array(app_id.astype(np.uint32)),
                "requests": pa.array(count.astype(np.uint64)),
                "failed": pa.array(np.zeros(count.size, np.uint64)),
                "prompt_tokens": pa.array(prompt),
                "completion_tokens": pa.array(tokens - prompt),
                "cached_tokens": pa.array(prompt // np.uint64(3)),
                "reasoning_tokens": pa.array((tokens - prompt) // np.uint64(4)),
            }
        )
