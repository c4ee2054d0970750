"""The subject ``hostile``: what the board holds while somebody without a key asks for whatever there is to ask."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.board import BoardProcess, running_board
from tests.hostile import Enemy, Tally, assault, public_addresses

from benchmarks.gateway.group import Group
from benchmarks.table import Table

_REQUESTS = 50_000
_ENEMIES = 8
_AT_ONCE = 250
"""Requests of each between two looks at the memory."""
_WARM_UP = 20_000
"""Requests before those that count: afterwards what is kept has filled its room."""
_FLAT = 0.05
_SEED_WITHIN_S = 300


def tables() -> Iterator[Table]:
    """Seed the demo year, serve it, and read its memory every few thousand requests."""
    with TemporaryDirectory(prefix="tokenboard-bench-") as folder:
        data = Path(folder, "data")
        subprocess.run(
            BoardProcess(data).command("seed"), check=True, timeout=_SEED_WITHIN_S, stdout=subprocess.DEVNULL
        )
        with running_board(data, environment={"TOKENBOARD_DATA_API__CORS": "*"}) as board:
            board.wait_until_counted()
            yield _measure(board)


def _measure(board: BoardProcess) -> Table:
    processes = Group(board.pid)
    addresses = public_addresses(board)
    enemies = [Enemy(addresses, seed) for seed in range(_ENEMIES)]
    begun, at_first = time.monotonic(), _resident(processes)
    all_told, samples = Tally(), []
    asked = 0
    while asked < _WARM_UP + _REQUESTS:
        told = assault(board, [enemy.requests(_AT_ONCE) for enemy in enemies])
        asked += _ENEMIES * _AT_ONCE
        all_told.statuses += told.statuses
        all_told.broken += told.broken
        all_told.faults += told.faults
        samples.append((asked, _resident(processes)))
        print(f"hostile: {asked:,} asked, {samples[-1][1] / 2**20:,.0f} MiB", file=sys.stderr)
    if all_told.faults:
        raise AssertionError(f"{len(all_told.faults)} faults, the first: {all_told.faults[0]}")
    counted = [size for after, size in samples if after > _WARM_UP]
    middle = median(counted)
    down, up = min(counted) / middle - 1, max(counted) / middle - 1
    flat = "flat" if max(-down, up) <= _FLAT else "not flat"
    marks = [_WARM_UP, *(_WARM_UP + part * _REQUESTS // 5 for part in range(1, 6))]
    rows = [("at the start", _mebibytes(at_first))]
    rows += [(f"after {mark:,}", _mebibytes(next(size for after, size in samples if after >= mark))) for mark in marks]
    rows.append((f"over the last {_REQUESTS:,}", f"{_mebibytes(middle)} ({down:+.1%} to {up:+.1%}: {flat})"))
    statuses = ", ".join(f"{count:,} × {status}" for status, count in sorted(all_told.statuses.items()))
    title = f"Hostile requests: memory over {_REQUESTS:,}"
    about = (
        f"Resident memory of all its processes, ledger and all, on the demo year, under {_ENEMIES} connections without "
        f"a key: every public address ({len(addresses)}) with random parameters, parts, hosts, headers and bodies, "
        f"after {_WARM_UP:,} to fill what is kept. It took {time.monotonic() - begun:,.0f} s; answered were "
        f"{statuses}; {all_told.broken:,} were no HTTP and closed."
    )
    return Table(title, about, (title, "resident"), tuple(rows))


def _resident(processes: Group) -> int:
    return sum(processes.resident().values())


def _mebibytes(size: float) -> str:
    return f"{size / 2**20:,.1f} MiB"
