"""Thousands of events at a time: ``POST /usage``, the drain behind it, files."""

import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import clickhouse_connect
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
from tests.board import BoardProcess, running_board, today, wait_for

from benchmarks.record import PLAIN_TABLE, insert_rows
from benchmarks.table import Table, figure, milliseconds, quantile
from tokenboard.app.catalog import open_catalog
from tokenboard.app.clock import wall_clock_ms
from tokenboard.app.stores import open_ledger, open_spool
from tokenboard.attribution import AttributionOptions
from tokenboard.config import Settings
from tokenboard.drain import Drain
from tokenboard.event import UsageEvent
from tokenboard.event_table import decode_parcel
from tokenboard.ingest import Ingest
from tokenboard.ingest.reports import parse_reports
from tokenboard.intake import OPERATOR
from tokenboard.ledger import Ledger
from tokenboard.observability import Counters
from tokenboard.rankings import Rankings
from tokenboard.spool import Spool

_BODY = 10_000
_BODIES = 40
_SENDERS = 2
_IN_FIRST = 1_000  # events of each body that are the first app's
_ROUNDS = 3
_DRAINED = 20
_FLOOR = date(2025, 1, 1)
_APPS, _MODELS = 500, 30
_DAY_MS = 86_400_000
_numbers = count()


def tables() -> Iterator[Table]:
    """Measure the way in through a server on one core, the drain alone, and files, each against a plain insert."""
    with TemporaryDirectory(prefix="tokenboard-bench-") as folder:
        data = Path(folder)
        taken, of_cpu, visible = _posted(data / "board")
        drained, plain = _drained(data)
        rows = [
            ("POST /usage, until acknowledged, on one core", taken),
            ("POST /usage and all behind it, by CPU time", of_cpu),
            ("from the spool into ledger and rankings", drained),
            *((f"a file, {kind}, from command to counted", rate) for kind, rate in _imported(data)),
        ]
    yield Table(
        "Events in",
        f"Bodies of {_BODY:,} events of 320 bytes over {_APPS} apps (Zipf) and {_MODELS} models. The server runs on "
        "one core, with all that it does: HTTP, parsing, attribution, ids looked up, synced to disk, and the drain "
        "behind it; by its CPU time: so many events, from the socket to the rankings, a second of it. Drain and files "
        "have both cores. The reference is `clickhouse-connect`'s plain insert of the same rows into one table without "
        "rollups, ids, names or syncs.",
        ("Events in", "tokenboard", "plain insert", "times as quick"),
        tuple((what, f"{rate:,.0f} /s", f"{plain:,.0f} /s", f"{figure(rate / plain)} ×") for what, rate in rows),
    )
    title = "From acknowledged to ranked, under that load"
    yield Table(
        title,
        "For each body, from its 202 to the first answer of app-rankings that counts it, asked every 50 ms.",
        (title, "median", "9 in 10 within", "longest"),
        (("a body", *(milliseconds(quantile(visible, share)) for share in (0.5, 0.9)), milliseconds(visible[-1])),),
    )
    goals = (
        ("acknowledged, on one core", "≥ 50,000 /s", f"{taken:,.0f} /s", taken >= 50_000),
        ("drained", "≥ 200,000 /s", f"{drained:,.0f} /s", drained >= 200_000),
        ("longest from acknowledged to ranked", "≤ 2 s", f"{visible[-1]:.2f} s", visible[-1] <= 2),
    )
    title = "Events in: goals"
    yield Table(
        title,
        "The figures of the two tables above.",
        (title, "goal", "this run", ""),
        tuple((what, goal, found, "met" if met else "missed") for what, goal, found, met in goals),
    )


def _events(seed: int, number: int, days: int = 1) -> list[dict[str, object]]:
    """Return reports: the first `_IN_FIRST` are the first app's, so that a ranking tells how many bodies it counts."""
    choose = random.Random(seed)
    now = wall_clock_ms()
    apps = [0] * _IN_FIRST
    apps += [1 + int(choose.paretovariate(1.1)) % (_APPS - 1) for _ in range(number - _IN_FIRST)]
    return [
        {
            "id": f"bench-{seed}-{next(_numbers)}",
            "ts": now - choose.randrange(days * _DAY_MS),
            "referer": f"https://app{app}.example",
            "title": f"App {app}",
            "categories": "cli-agent",
            "model": f"author/model-{choose.randrange(_MODELS)}",
            "provider": "openai",
            "prompt_tokens": choose.randrange(20_000),
            "completion_tokens": choose.randrange(2_000),
            "cached_tokens": choose.randrange(100),
            "cost": f"{choose.randrange(10**6) / 1e8:.8f}",
            "status": 200,
            "latency_ms": choose.randrange(3_000),
        }
        for app in apps
    ]


def _ndjson(events: Sequence[dict[str, object]]) -> bytes:
    return "\n".join(map(json.dumps, events)).encode()


# --- through a server ------------------------------------------------------------------------------------------------


def _posted(data: Path) -> tuple[float, float, list[float]]:
    """Return events acknowledged a second, and a second of CPU time; and each body's time to the rankings, sorted."""
    bodies = [_ndjson(_events(seed, _BODY)) for seed in range(_BODIES)]
    warm = _ndjson(_events(_BODIES, _BODY))
    with running_board(data) as board, ExitStack() as opened:
        headers = {"Authorization": f"Bearer {board.make_key()}"}
        client = partial(httpx.Client, base_url=board.url, headers=headers, timeout=60)
        prober = opened.enter_context(client())
        _send(prober, warm)
        board.wait_until_counted()
        known = _counted(prober)
        cpu_s = _pin(board)
        used = cpu_s()
        acknowledged: list[float] = []
        seen: list[tuple[float, int]] = []
        over = threading.Event()
        watching = threading.Thread(target=_watch, args=(prober, seen, over))
        watching.start()
        waiting = iter(bodies)
        lock = threading.Lock()

        def sender() -> None:
            with client() as own:
                while True:
                    with lock:
                        body = next(waiting, None)
                    if body is None:
                        return
                    _send(own, body)
                    with lock:
                        acknowledged.append(time.perf_counter())

        begun = time.perf_counter()
        senders = [threading.Thread(target=sender) for _ in range(_SENDERS)]
        for each in senders:
            each.start()
        for each in senders:
            each.join()
        taken = _BODIES * _BODY / (acknowledged[-1] - begun)
        wanted = known + _BODIES * _IN_FIRST
        wait_for(lambda: bool(seen) and seen[-1][1] >= wanted, 60, board.log)
        used = cpu_s() - used
        over.set()
        watching.join()
    delays = []
    for number, at in enumerate(acknowledged, 1):
        shown = next(when for when, requests in seen if requests >= known + number * _IN_FIRST)
        delays.append(max(shown - at, 0.0))
    return taken, _BODIES * _BODY / used, sorted(delays)


def _send(client: httpx.Client, body: bytes) -> None:
    client.post("/api/v1/usage", content=body, headers={"Content-Type": "application/x-ndjson"}).raise_for_status()


def _watch(client: httpx.Client, seen: list[tuple[float, int]], over: threading.Event) -> None:
    while not over.wait(0.05):
        seen.append((time.perf_counter(), _counted(client)))


def _counted(client: httpx.Client) -> int:
    """Return the requests of the first app."""
    days = {"start_date": str(today() - timedelta(days=2)), "end_date": str(today()), "limit": "100"}
    rows = client.get("/api/v1/datasets/app-rankings", params=days).raise_for_status().json()["data"]
    return next((int(row["total_requests"]) for row in rows if row["app_name"] == "App 0"), 0)


def _pin(board: BoardProcess) -> Callable[[], float]:
    """Keep the server, every thread of it, on one core; return what tells its CPU time so far, in seconds."""
    process = json.loads((board.data / "server.json").read_text())["pid"]
    core = {min(os.sched_getaffinity(0))}
    for thread in os.listdir(f"/proc/{process}/task"):
        os.sched_setaffinity(int(thread), core)
    ticks = os.sysconf("SC_CLK_TCK")

    def used() -> float:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / ticks

    return used


# --- the drain alone -------------------------------------------------------------------------------------------------


def _drained(data: Path) -> tuple[float, float]:
    """Return events drained a second, and the rate of a plain insert of the same rows: medians, taking turns."""
    settings = Settings()
    ours: list[float] = []
    plain: list[float] = []
    place = data / "drain"
    place.mkdir()
    with ExitStack() as opened:
        catalog = opened.enter_context(closing(open_catalog(settings, place)))
        ledger: Ledger = opened.enter_context(closing(open_ledger(settings, place)))
        spool = opened.enter_context(closing(open_spool(settings, place)))
        client = opened.enter_context(closing(clickhouse_connect.get_client(dsn=settings.ledger_dsn(place))))
        client.command(PLAIN_TABLE)
        rankings = Rankings(ledger, catalog, floor=_FLOOR, clock=lambda: datetime.now(UTC))
        drain = Drain(spool, catalog, ledger, delivered=rankings.refresh, counters=Counters(), clock_ms=wall_clock_ms)
        drain.recover()
        for number in range(_ROUNDS + 1):
            events = _fill(spool, number)
            begun = time.perf_counter()
            while drain.deliver():
                pass
            ours.append(len(events) / (time.perf_counter() - begun))
            begun = time.perf_counter()
            for start in range(0, len(events), 50_000):
                insert_rows(client, events[start : start + 50_000])
            plain.append(len(events) / (time.perf_counter() - begun))
    # The first round warms both up.
    return median(ours[1:]), median(plain[1:])


def _fill(spool: Spool, number: int) -> list[UsageEvent]:
    """Queue events as ``POST /usage`` does; return them."""
    ingest = Ingest(spool, Counters(), floor=_FLOOR, clock_ms=wall_clock_ms)
    for body in range(_DRAINED):
        events = _ndjson(_events(1_000 * (number + 1) + body, _BODY))
        ingest.record_new(parse_reports(events, caller=OPERATOR, options=AttributionOptions()).facts)
    return [event for parcel in spool.peek(10**6, 10**9) for event in decode_parcel(parcel.body)]


# --- files -----------------------------------------------------------------------------------------------------------


def _imported(data: Path) -> Iterator[tuple[str, float]]:
    """Yield the rate of each kind of file, by the command as it is run, start and end included."""
    for number, kind in enumerate(("NDJSON", "CSV", "Parquet")):
        events = _events(10**6 + number, _DRAINED * _BODY, days=30)
        file = _write(data, kind, events)
        board = BoardProcess(data / kind)
        board.make_key()
        begun = time.perf_counter()
        subprocess.run(board.command("import", str(file)), check=True, capture_output=True)
        yield kind, len(events) / (time.perf_counter() - begun)


def _write(folder: Path, kind: str, events: Sequence[dict[str, object]]) -> Path:
    file = folder / f"events.{kind.lower()}"
    if kind == "NDJSON":
        file.write_bytes(_ndjson(events))
    elif kind == "Parquet":
        pq.write_table(pa.Table.from_pylist(list(events)), file)
    else:
        lines = [",".join(events[0]), *(",".join(map(str, event.values())) for event in events)]
        file.write_text("\n".join(lines))
    return file
