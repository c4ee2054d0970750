"""The way of a record: onto the disk, into the ledger, into the rankings."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import uuid4

import clickhouse_connect
import httpx
import uvloop
from clickhouse_connect.driver.client import Client
from tests.board import now_text, running_board, today, wait_for
from tests.rows import arrange_rows

from benchmarks.table import Duel, Table, duel_table, microseconds, milliseconds, per_second, quantile
from tokenboard.demo import DemoYear
from tokenboard.event import UsageEvent, encode_parcel
from tokenboard.event_table import decode_parcel
from tokenboard.ingest import Ingest
from tokenboard.journal import JournalWriter
from tokenboard.ledger import BatchId, Ledger
from tokenboard.observability import Counters
from tokenboard.spool import Spool

_CALLERS = 64
_CONNECTIONS = 16
_APPENDS = 256
_INSERTS = (1, 1_000, 10_000)
_POSTS = 60

Append = Callable[[], Awaitable[object]]

PLAIN_TABLE = """
CREATE TABLE plain
(
    id String, ts DateTime64(3, 'UTC'), app_id UInt32, model LowCardinality(String), provider LowCardinality(String),
    status UInt16, failed Bool, prompt_tokens Nullable(UInt64), completion_tokens Nullable(UInt64),
    cached_tokens Nullable(UInt64), reasoning_tokens Nullable(UInt64), cost Nullable(Decimal(38, 12)),
    latency_ms Nullable(UInt32)
)
ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY (ts, id)
"""
_PLAIN_COLUMNS = (
    "id", "ts", "app_id", "model", "provider", "status", "failed", "prompt_tokens", "completion_tokens",
    "cached_tokens", "reasoning_tokens", "cost", "latency_ms",
)  # fmt: skip


def tables() -> Iterator[Table]:
    """Measure the spool, the journal, the ledger, and the whole way through a running server."""
    with TemporaryDirectory(prefix="tokenboard-bench-") as folder:
        events = _usage_events(Path(folder) / "intake", max(_INSERTS))
        yield _spool(Path(folder) / "spool", encode_parcel(events[:1]))
        yield _journal(Path(folder) / "journal", encode_parcel(events[:1]))
        yield _ledger(Path(folder) / "ledger", events)
        yield _visible(Path(folder) / "board")


def _usage_events(folder: Path, wanted: int) -> list[UsageEvent]:
    """Return events of the demo year, as the door makes them."""
    with closing(_open_spool(folder, fsync=False)) as spool:
        ingest = Ingest(spool, Counters(), floor=date(2025, 1, 1), clock_ms=_clock_ms)
        for day in DemoYear(date(2026, 5, 11), days=40).days():
            ingest.record_new(day.facts)
        parcels = spool.peek(2 * wanted, 10**9)
    return [event for parcel in parcels for event in decode_parcel(parcel.body)][:wanted]


def _open_spool(folder: Path, *, fsync: bool) -> Spool:
    return Spool(folder, "bench", max_bytes=10**10, fsync=fsync, clock_ms=_clock_ms)


# --- onto the disk ---------------------------------------------------------------------------------------------------


def _spool(folder: Path, parcel: bytes) -> Table:
    """Compare appends of one event each, which return once committed, with the same rows through sqlite3 itself."""
    with ExitStack() as opened:
        runner = opened.enter_context(asyncio.Runner())
        duels: list[Duel] = []

        def append(spool: Spool, callers: int) -> None:
            runner.run(_append(_append_new(spool, parcel), callers))

        for fsync in (True, False):
            place = folder / f"fsync-{fsync}"
            spool = opened.enter_context(closing(_open_spool(place, fsync=fsync)))
            plain = opened.enter_context(closing(_plain_sqlite(place / "plain.sqlite", fsync=fsync)))
            kind = "fsync on" if fsync else "fsync off"
            for callers in (1, _CALLERS):
                many = "one caller" if callers == 1 else f"{callers} callers at once"
                duels.append(
                    Duel(
                        f"{many}, {kind}",
                        partial(append, spool, callers),
                        partial(_insert_plainly, plain, parcel, callers),
                        _APPENDS,
                    )
                )
        return duel_table(
            "Records committed to the spool",
            f"`Spool.append_new` of one event of {len(parcel)} bytes, its id remembered, each caller waiting for its "
            "commit, against one transaction of plain `sqlite3` (WAL) per row, or per as many rows as there are "
            "callers, without ids.",
            duels,
            unit=per_second,
            rounds=15,
            reference="sqlite3",
        )


def _append_new(spool: Spool, parcel: bytes) -> Append:
    """Return what appends the parcel under an id that was never sent before."""
    return lambda: asyncio.wrap_future(spool.append_new(lambda _: parcel, [uuid4().bytes]))


async def _append(append: Append, callers: int) -> list[float]:
    """Return how long each append waited, in seconds."""
    waits: list[float] = []

    async def caller() -> None:
        for _ in range(_APPENDS // callers):
            begun = time.perf_counter()
            await append()
            waits.append(time.perf_counter() - begun)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return waits


def _journal(folder: Path, parcel: bytes) -> Table:
    """Compare a gateway's journal with the board's spool: processor time of all threads, and each caller's wait."""
    rows: list[tuple[str, ...]] = []
    with ExitStack() as opened:
        runner = opened.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        for fsync in (True, False):
            place = folder / f"fsync-{fsync}"
            journal = JournalWriter(place / "journal", fsync=fsync, clock_ms=_clock_ms)
            opened.enter_context(closing(journal))
            spool = opened.enter_context(closing(_open_spool(place, fsync=fsync)))
            stores: list[Append] = [partial(journal.append, parcel), _append_new(spool, parcel)]
            for callers in (1, _CONNECTIONS):
                costs: list[list[float]] = [[] for _ in stores]
                waits: list[list[float]] = [[] for _ in stores]
                for _ in range(15):
                    for at, store in enumerate(stores):
                        begun = time.process_time()
                        waited = runner.run(_append(store, callers))
                        costs[at].append((time.process_time() - begun) / _APPENDS)
                        waits[at].append(median(waited))
                many = "one caller" if callers == 1 else f"{callers} callers at once"
                figures = (microseconds(median(each)) for each in (*costs, *waits))
                rows.append((f"{many}, fsync {'on' if fsync else 'off'}", *figures))
    title = "Records committed to a gateway's journal"
    about = (
        "The same event through `JournalWriter.append`, as a gateway records it, and through `Spool.append_new`, as "
        "`POST /usage` takes it with its id, in turn: processor time of all threads for each record, and how long a "
        "caller waits for its commit; medians."
    )
    return Table(title, about, (title, "CPU, journal", "CPU, spool", "p50, journal", "p50, spool"), tuple(rows))


def _plain_sqlite(path: Path, *, fsync: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
    connection.execute("CREATE TABLE parcels (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL)")
    return connection


def _insert_plainly(connection: sqlite3.Connection, parcel: bytes, together: int) -> None:
    for _ in range(_APPENDS // together):
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(together):
            connection.execute("INSERT INTO parcels (body) VALUES (?)", (parcel,))
        connection.execute("COMMIT")


# --- into the ledger -------------------------------------------------------------------------------------------------


def _ledger(folder: Path, events: Sequence[UsageEvent]) -> Table:
    """Compare inserts into raw table and rollups with an insert into one plain table."""
    numbers = count(1)
    with ExitStack() as opened:
        ledger = opened.enter_context(closing(Ledger(f"chdb://{folder}")))
        ledger.migrate()
        client = opened.enter_context(closing(clickhouse_connect.get_client(dsn=f"chdb://{folder}")))
        client.command(PLAIN_TABLE)

        def insert(batch: Sequence[UsageEvent]) -> None:
            app_ids = [1 + at % 60 for at in range(len(batch))]
            ledger.insert(BatchId(1, next(numbers)), arrange_rows(batch, app_ids, [None] * len(batch)), fresh=True)

        return duel_table(
            "Rows into the ledger",
            "`Ledger.insert` of a batch of events of the demo year: every column, five rollups, deduplicated, synced "
            "to disk, against `clickhouse-connect`'s own insert of rows into one table with none of that.",
            [
                Duel(
                    f"{rows:,} in a batch",
                    partial(insert, events[:rows]),
                    partial(insert_rows, client, events[:rows]),
                    rows,
                )
                for rows in _INSERTS
            ],
            unit=per_second,
            rounds=11,
            reference="plain insert",
        )


def insert_rows(client: Client, events: Sequence[UsageEvent]) -> None:
    rows = [
        (
            event.id,
            datetime.fromtimestamp(event.ts_ms / 1000, UTC),
            1 + at % 60,
            *(getattr(event, name) for name in _PLAIN_COLUMNS[3:]),
        )
        for at, event in enumerate(events)
    ]
    client.insert("plain", rows, column_names=_PLAIN_COLUMNS)


# --- into the rankings -----------------------------------------------------------------------------------------------


def _visible(data: Path) -> Table:
    """Time one event after another from its 202 to the answer of app-rankings that counts it."""
    with running_board(data) as board:
        headers = {"Authorization": f"Bearer {board.make_key()}"}
        with httpx.Client(base_url=board.url, headers=headers, timeout=30) as client:
            _post(client, 0)
            board.wait_until_counted()
            posted: list[float] = []
            seen: list[float] = []
            for number in range(1, _POSTS + 1):
                begun = time.perf_counter()
                _post(client, number)
                acknowledged = time.perf_counter()
                wait_for(partial(_shows, client, 10 * (number + 1)), 10, board.log)
                posted.append(acknowledged - begun)
                seen.append(time.perf_counter() - acknowledged)
    rows = tuple(
        (what, *(milliseconds(quantile(sorted(times), share)) for share in (0.5, 0.9)), milliseconds(max(times)))
        for what, times in (("POST /usage answered", posted), ("from there to app-rankings", seen))
    )
    title = "From POST /usage to the rankings"
    about = (
        f"{_POSTS} events, one at a time, into a real server process on an empty folder; the rankings asked every 5 ms."
    )
    return Table(title, about, (title, "median", "9 in 10 within", "longest"), rows)


def _post(client: httpx.Client, number: int) -> None:
    event = {
        "id": f"bench-{number}",
        "ts": now_text(),
        "referer": "https://bench.example",
        "model": "author/model",
        "prompt_tokens": 7,
        "completion_tokens": 3,
    }
    client.post("/api/v1/usage", json=[event]).raise_for_status()


def _shows(client: httpx.Client, tokens: int) -> bool:
    """Whether the first app of the rankings has so many tokens."""
    days = {"start_date": str(today() - timedelta(days=1)), "end_date": str(today())}
    rows = client.get("/api/v1/datasets/app-rankings", params=days).raise_for_status().json()["data"]
    return bool(rows) and int(rows[0]["total_tokens"]) == tokens


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000
