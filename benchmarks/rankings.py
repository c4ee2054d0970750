"""The read model: a ranking from the cube, and the same ranking in SQL over the daily rollup."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from tempfile import TemporaryDirectory

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from benchmarks.table import Duel, Table, duel_table, milliseconds
from tokenboard.attribution import GROUPS
from tokenboard.ledger import Ledger
from tokenboard.rankings import Cube, Question, Roster, Sort, Window, rank

_FLOOR = date(2025, 1, 1)
_DAYS = 400
_LAST = _FLOOR + timedelta(days=_DAYS - 1)
_DAYS_AT_ONCE = 16
_APPS = (1_000, 10_000)
_QUESTIONS = (
    ("popular, 30 days", Sort.POPULAR, None, 30),
    ("popular, 366 days", Sort.POPULAR, None, 366),
    ("trending, 30 days", Sort.TRENDING, None, 30),
    ("popular in coding, 30 days", Sort.POPULAR, "coding", 30),
)
_IN_A_ROW = "popular, 30 days"
_TIMES = 10
_ROUNDS = 15

# Every app has usage on every day, from 1 to 10 million tokens; app 0 is unattributed traffic.
_FILL = """
INSERT INTO app_daily
SELECT
    toDate({floor:Date}) + intDiv(number, {apps:UInt64} + 1), number % ({apps:UInt64} + 1),
    1 + cityHash64(number, 1) % 1000, 0,
    toUInt64(exp10(cityHash64(number, 2) % 1000000 / 1000000 * 7)),
    toUInt64(exp10(cityHash64(number, 3) % 1000000 / 1000000 * 6)),
    0, 0, 0
FROM numbers(({apps:UInt64} + 1) * {days:UInt64})
"""
_ROSTER = (
    "CREATE OR REPLACE TABLE roster (app_id UInt32, root_id UInt32, shown Bool, groups Array(String)) ENGINE = Memory"
)
_RANKING = """
SELECT root_id, tokens, requests
FROM
(
    SELECT
        roster.root_id AS root_id,
        any(root.shown) AS shown,
        any(root.groups) AS groups,
        sumIf(prompt_tokens + completion_tokens, day >= {start:Date}) AS tokens,
        sumIf(requests, day >= {start:Date}) AS requests,
        sumIf(prompt_tokens + completion_tokens, day < {start:Date}) AS before
    FROM app_daily
    INNER JOIN roster ON roster.app_id = app_daily.app_id
    INNER JOIN roster AS root ON root.app_id = roster.root_id
    WHERE day BETWEEN {first:Date} AND {end:Date}
    GROUP BY root_id
)
WHERE shown AND tokens > 0
    AND ({category:String} = '' OR has(groups, {category:String}))
    AND (NOT {trending:Bool} OR 3 * toInt256(tokens) > before)
ORDER BY if({trending:Bool}, 3 * toInt256(tokens) - before, tokens) DESC, root_id
LIMIT {limit:UInt32}
"""

Rows = list[tuple[int, int, int]]


@dataclass(frozen=True)
class _App:
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


def tables() -> Iterator[Table]:
    """Fill a ledger in a temporary folder, read it into a cube, ask both."""
    with TemporaryDirectory(prefix="tokenboard-bench-") as folder:
        ledger = Ledger(f"chdb://{folder}")
        client = clickhouse_connect.get_client(dsn=f"chdb://{folder}")
        try:
            ledger.migrate()
            # One after the other: each number of apps fills the tables anew.
            duels = (duel for apps in _APPS for duel in _prepare(apps, ledger, client))
            yield duel_table(
                "Rankings",
                f"The first 50 rows over {_DAYS} days of usage of every app, aliases folded and hidden apps left out: "
                "`rank()` over the cube, against SQL over `app_daily` in the same embedded engine.",
                duels,
                unit=milliseconds,
                rounds=_ROUNDS,
                reference="ClickHouse SQL",
            )
        finally:
            client.close()
            ledger.close()


def _prepare(apps: int, ledger: Ledger, client: Client) -> Iterator[Duel]:
    """Yield the duels over so many apps; the tables are filled anew before the first of them."""
    client.command("TRUNCATE TABLE app_daily")
    client.command(_FILL, parameters={"floor": _FLOOR, "apps": apps, "days": _DAYS})
    client.command("OPTIMIZE TABLE app_daily FINAL")  # merged parts are the best that SQL can hope for
    cube = Cube(_FLOOR)
    days = [_FLOOR + timedelta(days=number) for number in range(_DAYS)]
    for start in range(0, _DAYS, _DAYS_AT_ONCE):
        portion = days[start : start + _DAYS_AT_ONCE]
        cube.replace_days(ledger.read_days(portion), portion)
    roster = Roster()
    roster.update([_App(number) for number in range(1, apps + 1)])
    client.command(_ROSTER)
    client.insert("roster", [_place(roster, number) for number in range(1, apps + 1)])
    for name, sort, category, length in _QUESTIONS:
        window = Window(_LAST - timedelta(days=length - 1), _LAST)
        question = Question(sort, category, None, window, 50, 0)
        if _by_cube(cube, roster, question) != _by_sql(client, question):
            raise AssertionError(f"cube and SQL disagree: {question}")
        by_cube, by_sql = partial(_by_cube, cube, roster, question), partial(_by_sql, client, question)
        yield Duel(f"{apps:,} apps: {name}", by_cube, by_sql)
        if name == _IN_A_ROW:
            row = f"{apps:,} apps: {name}, {_TIMES} times in a row"
            yield Duel(row, partial(_repeat, by_cube), partial(_repeat, by_sql), _TIMES)


def _repeat(ask: Callable[[], Rows]) -> None:
    for _ in range(_TIMES):
        ask()


def _place(roster: Roster, app_id: int) -> tuple[int, int, bool, list[str]]:
    entry = roster.entry(app_id)
    if entry is None:
        raise AssertionError(f"the roster does not know app {app_id}")
    groups = {group for group, names in GROUPS.items() if set(names) & set(entry.categories)}
    return app_id, entry.root_id, entry.visible, sorted(groups)


def _by_cube(cube: Cube, roster: Roster, question: Question) -> Rows:
    return [(row.app_id, row.tokens, row.requests) for row in rank(cube, roster, question).rows]


def _by_sql(client: Client, question: Question) -> Rows:
    window, trending = question.window, question.sort is Sort.TRENDING
    length = window.end - window.start + timedelta(days=1)
    parameters = {
        "start": window.start,
        "end": window.end,
        "first": window.start - 3 * length if trending else window.start,
        "category": question.category or "",
        "trending": trending,
        "limit": question.limit,
    }
    return [
        (int(row[0]), int(row[1]), int(row[2])) for row in client.query(_RANKING, parameters=parameters).result_rows
    ]
