"""A spool in a folder of the test's own, and a clock that stands still."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tokenboard.spool import Receipt, Spool, SpoolState

DAY_MS = 86_400_000
_numbers = count()


@dataclass
class Clock:
    """A wall clock that may be set, and the seconds that really pass; both stand still until told otherwise."""

    now: int = 1_700_000_000_000
    elapsed: float = 0.0

    def __call__(self) -> int:
        return self.now

    def elapsed_s(self) -> float:
        return self.elapsed

    def pass_ms(self, ms: int) -> None:
        self.now += ms
        self.elapsed += ms / 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_spool(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Spool]]:
    """Open the spool, as often as wanted, one after another; the last one is closed at the end."""
    opened: list[Spool] = []

    def open_one(*, max_bytes: int = 10**9, fsync: bool = False, seen_days: int = 7) -> Spool:
        for spool in opened:
            spool.close()
        opened[:] = [
            Spool(
                tmp_path,
                "test",
                max_bytes=max_bytes,
                fsync=fsync,
                clock_ms=clock,
                elapsed_s=clock.elapsed_s,
                seen_days=seen_days,
            )
        ]
        return opened[0]

    yield open_one
    for spool in opened:
        spool.close()


@pytest.fixture
def spool(open_spool: Callable[..., Spool]) -> Spool:
    return open_spool()


def append(spool: Spool, body: bytes, events: int = 1) -> "Future[Receipt]":
    """Queue one parcel of events whose ids nobody has sent before."""
    return spool.append_new(lambda _: body, [b"new-%d" % next(_numbers) for _ in range(events)])


def in_file(folder: Path, max_bytes: int = 10**9) -> SpoolState:
    """Return the state as the file has it, read by another connection."""
    with closing(sqlite3.connect(folder / "test.sqlite")) as connection:
        assert ("ok",) == connection.execute("PRAGMA integrity_check").fetchone()
        pending, size = connection.execute(
            "SELECT coalesce(sum(events), 0), coalesce(sum(length(body)), 0) FROM parcels"
        ).fetchone()
        (dead_letters,) = connection.execute("SELECT count(*) FROM aside").fetchone()
        (dropped,) = connection.execute("SELECT coalesce(sum(value), 0) FROM meta WHERE name = 'dropped'").fetchone()
    return SpoolState(pending, size, max_bytes, dead_letters, dropped)
