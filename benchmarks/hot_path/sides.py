"""The two forms side by side: a process each, which take turns."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median
from typing import Self

from benchmarks.hot_path import worker
from benchmarks.table import Table, microseconds

_ROUNDS = 31
_WHOLE = (worker.REQUEST, worker.STREAM)


class Side:
    """A process of one form; ``compiled`` says which it really runs."""

    def __init__(self, *, pure: bool) -> None:
        environment = {**os.environ, "TOKENBOARD_PURE": "1" if pure else ""}
        command = [sys.executable, "-m", "benchmarks.hot_path.worker"]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.compiled = bool(self._told())
        self.rounds: list[dict[str, float]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self) -> None:
        """Clock every part once more."""
        assert self._process.stdin is not None
        print("round", file=self._process.stdin, flush=True)
        self.rounds.append(self._told())

    def median(self, part: str) -> float:
        """Return the median of a part's times, in CPU seconds."""
        return median(found[part] for found in self.rounds)

    def _told(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process under measurement ended with {self._process.wait()}")
        told: dict[str, float] = json.loads(line)
        return told


def tables() -> Iterator[Table]:
    """Clock both forms in turns; without compiled modules only the sources."""
    with ExitStack() as stack:
        pure, other = (stack.enter_context(Side(pure=alone)) for alone in (True, False))
        sides = [pure, other] if other.compiled else [pure]
        for _ in range(_ROUNDS):
            for side in sides:
                side.run()
    yield _table(pure, other if other.compiled else None)


def _table(pure: Side, compiled: Side | None) -> Table:
    about = (
        "One connection without sockets, disk or turns of the event loop, in CPU time. A request is the server, the "
        "gateway with auth and attribution, the client towards the upstream, the meter and the event; parts marked by "
        "dots are clocked by themselves."
    )
    if compiled is None:
        about += " Nothing is compiled here: `make compile` adds the other columns."
    columns = ("Hot path", "Python sources", "compiled", "times as quick")
    rows = []
    for part in pure.rounds[0]:
        name = part if part in _WHOLE else f"… {part}"
        told = ("", "")
        if compiled is not None:
            told = microseconds(compiled.median(part)), f"{_ratio(pure, compiled, part):.2f} ×"
        rows.append((name, microseconds(pure.median(part)), *told))
    return Table("Hot path", about, columns, tuple(rows))


def _ratio(pure: Side, compiled: Side, part: str) -> float:
    """Return the median of the rounds' ratios."""
    pairs = zip(pure.rounds, compiled.rounds, strict=True)
    return median(slow[part] / quick[part] for slow, quick in pairs)
