"""Rankings through HTTP: a running server on one core, asked by wrk from another."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import clickhouse_connect
import msgspec
from tests.board import BoardProcess, running_board

from benchmarks.gateway.installs import Missing, find_tool
from benchmarks.gateway.process import pinned, two_cores
from benchmarks.rankings.peers import fill_rollup
from benchmarks.rankings.sample import LAST, Sample, invent
from benchmarks.table import Table, milliseconds
from tokenboard.attribution import AppIdentity
from tokenboard.catalog import Catalog, Observation
from tokenboard.ledger import Ledger

_APPS = 10_000
_CONNECTIONS = 16
_SECONDS = 3
_ROUNDS = 3
_CONFIG = """
[gateway]
echo = true

[data_api]
requests_per_minute = 0
requests_per_day = 0
"""
_KEPT = f"/api/v1/datasets/app-rankings?end_date={LAST}"
# No two requests of a run are the same, and each run begins where no other has been.
_SCRIPT = """
local number = {first}
wrk.headers["Authorization"] = "Bearer {key}"
function request()
  number = number + 1
  local path = "{path}"
  if {fresh} then
    path = string.format("/api/v1/datasets/app-rankings?end_date=2025-12-%02d&limit=%d&offset=%d",
      math.floor(number / 10100) % 28 + 1, number % 100 + 1, math.floor(number / 100) % 101)
  end
  return wrk.format("GET", path)
end
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('\\n{{"requests": %d, "failed": %d, "seconds": %.6f, "p50": %.6f, "p99": %.6f}}\\n',
    summary.requests, failed, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""
_FIRST_OF_RUN = 60_000


class _Outcome(msgspec.Struct, frozen=True):
    requests: int
    failed: int
    seconds: float
    p50: float
    p99: float


def tables() -> Iterator[Table]:
    """Ask one question again and again, and questions that nobody has asked before."""
    cores = two_cores()
    sample = invent(_APPS)
    columns = ("Rankings through HTTP", "answers/s", "p50", "p99")
    where = "the server on one core, the load on another" if cores.proxy else "both on any core"
    about = (
        f"The first rows of {_APPS:,} apps over 30 days, asked by wrk over {_CONNECTIONS} connections; {where}. "
        f"Medians of {_ROUNDS} runs of {_SECONDS} s, in turn. The same question is answered with bytes kept from the "
        "first time."
    )
    try:
        wrk = find_tool("wrk", "wrk")
    except Missing as error:
        yield Table(columns[0], about, columns, ((f"not measured: {error}", "—", "—", "—"),))
        return
    with TemporaryDirectory(prefix="tokenboard-bench-") as folder:
        data, config = Path(folder, "data"), Path(folder, "tokenboard.toml")
        data.mkdir()
        config.write_text(_CONFIG)
        _fill(data, sample)
        with pinned(cores.proxy), running_board(data, config=config) as board:
            key = board.make_key("data")
            board.wait_until_counted()
            found: dict[str, list[_Outcome]] = {"the same question": [], "a question never asked before": []}
            for turn in range(_ROUNDS):
                for number, outcomes in enumerate(found.values()):
                    script = Path(folder, "load.lua")
                    fresh = "true" if number else "false"
                    first = (turn + 1) * _FIRST_OF_RUN
                    script.write_text(_SCRIPT.format(first=first, key=key, path=_KEPT, fresh=fresh))
                    with pinned(cores.load):
                        outcomes.append(_load(wrk, script, board))
    yield Table(columns[0], about, columns, tuple(_row(case, outcomes) for case, outcomes in found.items()))


def _fill(data: Path, sample: Sample) -> None:
    """Make a data folder with this usage, and its apps under their ids."""
    ledger = Ledger(f"chdb://{data / 'ledger'}")
    try:
        ledger.migrate()
        client = clickhouse_connect.get_client(dsn=f"chdb://{data / 'ledger'}")
        fill_rollup(client, sample)
        client.close()
    finally:
        ledger.close()
    catalog = Catalog.open(f"sqlite:///{data / 'catalog.sqlite'}", new_app_limit=0)
    try:
        catalog.migrate()
        seen_ms = int(datetime(LAST.year, LAST.month, LAST.day, tzinfo=UTC).timestamp() * 1000)
        catalog.observe(
            [
                Observation(AppIdentity(f"https://app-{number}.example"), f"App {number}", (), seen_ms, seen_ms, 1)
                for number in range(1, sample.apps + 1)
            ]
        )
    finally:
        catalog.close()


def _load(wrk: str, script: Path, board: BoardProcess) -> _Outcome:
    command = [wrk, f"-c{_CONNECTIONS}", "-t1", f"-d{_SECONDS}s", "-s", str(script), board.url]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    outcome = msgspec.json.decode(done.stdout.splitlines()[-1], type=_Outcome)
    if outcome.failed:
        raise AssertionError(f"{outcome.failed} of {outcome.requests} requests failed")
    return outcome


def _row(case: str, outcomes: list[_Outcome]) -> tuple[str, ...]:
    rate = median(outcome.requests / outcome.seconds for outcome in outcomes)
    p50, p99 = (median(getattr(outcome, name) for outcome in outcomes) for name in ("p50", "p99"))
    return case, f"{rate:,.0f}", milliseconds(p50), milliseconds(p99)
