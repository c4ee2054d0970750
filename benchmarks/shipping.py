"""An outage made up for: a journal full of events, shipped by a gateway on another machine to its board."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
from tests.board import BoardProcess, running_board, wait_for
from tests.events import event

from benchmarks.table import Table
from tokenboard.app.clock import wall_clock_ms
from tokenboard.event import encode_event
from tokenboard.journal import JournalWriter

_EVENTS = 300_000
_AT_ONCE = 2_000
_ROUNDS = 3
_HOUR = 3_600_000  # events of an hour at 1,000 a second
_APPS, _MODELS = 500, 30


def tables() -> Iterator[Table]:
    """Measure how fast a backlog leaves a gateway, and how fast it is counted, both processes on this machine."""
    shipped, counted, of_gateway, of_board, size = [], [], [], [], 0
    for _ in range(_ROUNDS):
        with TemporaryDirectory(prefix="tokenboard-bench-") as folder:
            size = _fill(Path(folder) / "gateway" / "spool" / "gateway-1")
            with running_board(Path(folder) / "board") as board, _gateway(Path(folder) / "gateway", board) as far:
                url, pid = far
                # It has begun by now: what counts is what is left.
                left, begun, used = _waiting(url), time.monotonic(), [_cpu_s(pid), _cpu_s(board.pid)]
                wait_for(partial(_is_shipped, url), 600, board.log, every_s=0.1)
                shipped.append(left / (time.monotonic() - begun))
                of_gateway.append(left / (_cpu_s(pid) - used[0]))
                of_board.append(left / (_cpu_s(board.pid) - used[1]))
                board.wait_until_counted(600)
                counted.append(left / (time.monotonic() - begun))
    yield Table(
        "A backlog shipped",
        f"{_EVENTS:,} events of {size} bytes over {_APPS} apps in the journal of a gateway, shipped over HTTP on "
        "127.0.0.1 to a board that has had none of them; both processes share this machine's cores, the board's drain "
        f"among them. Median of {_ROUNDS} rounds.",
        ("A backlog", "events a second", "an hour at 1,000 a second takes"),
        (
            ("until the board has it durably", *_told(median(shipped))),
            ("until it is in the rankings", *_told(median(counted))),
            ("by the gateway's CPU time, so many a second of it", *_told(median(of_gateway))),
            ("by the board's CPU time until it has it, its drain included", *_told(median(of_board))),
        ),
    )


def _told(rate: float) -> tuple[str, str]:
    return f"{rate:,.0f}", f"{_HOUR / rate:,.0f} s"


def _fill(folder: Path) -> int:
    """Write a journal full of events; return the bytes of one."""
    now = wall_clock_ms()
    bodies = [
        encode_event(
            event(
                id=f"gen-{now}-{number:012}-{os.getpid():08}",
                ts_ms=now - number % 3_600_000,
                received_ms=now,
                app_key=f"https://app-{number % _APPS}.example",
                title=f"App number {number % _APPS}",
                model=f"author/model-{number % _MODELS}",
                latency_ms=number % 900,
            )
        )
        for number in range(_EVENTS)
    ]

    async def append(journal: JournalWriter) -> None:
        for at in range(0, len(bodies), _AT_ONCE):
            for each in [journal.append(body) for body in bodies[at : at + _AT_ONCE]]:
                await each

    with closing(JournalWriter(folder, fsync=False, clock_ms=wall_clock_ms)) as journal:
        asyncio.run(append(journal))
    return len(bodies[0])


@contextmanager
def _gateway(data: Path, board: BoardProcess) -> Iterator[tuple[str, int]]:
    """Run a gateway that ships the journal in ``data``; yield its URL and its process once it takes requests."""
    command = [sys.executable, "-m", "tokenboard", "--data", str(data), "gateway", "--port", "0", "--board", board.url]
    environment = os.environ | {"TOKENBOARD_GATEWAY_KEY": board.make_key("gateway")}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, cwd=data)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            said = json.loads(line)
            if "takes requests" in said["message"]:
                yield said["url"], process.pid
                return
        raise RuntimeError("the gateway has ended")
    finally:
        process.terminate()
        process.wait(60)


def _cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_shipped(url: str) -> bool:
    return _waiting(url) == 0


def _waiting(url: str) -> int:
    return int(httpx.get(f"{url}/readyz/gateway", timeout=30).json()["board"]["waiting"])
