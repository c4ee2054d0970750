"""A journal in a folder of the test's own, and its two sides."""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tokenboard.journal import JournalReader, JournalWriter, Position, Read
from tokenboard.journal.segments import SUFFIX

OpenWriter = Callable[..., JournalWriter]
SMALL = 1_000
"""Bytes of a segment, where a test wants several."""

START = Position()
_clock = itertools.count(1_700_000_000_000)


def clock_ms() -> int:
    return next(_clock)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "gateway-1"


@pytest.fixture
def open_writer(folder: Path) -> Iterator[OpenWriter]:
    """Open the journal for writing, as often as wanted, one after another; the last one is closed at the end."""
    opened: list[JournalWriter] = []

    def open_one(*, fsync: bool = False, segment_bytes: int = SMALL, at: Path = folder) -> JournalWriter:
        for writer in opened:
            writer.close()
        opened[:] = []  # also when the next line fails
        opened.append(JournalWriter(at, fsync=fsync, clock_ms=clock_ms, segment_bytes=segment_bytes))
        return opened[0]

    yield open_one
    for writer in opened:
        writer.close()


@pytest.fixture
def writer(open_writer: OpenWriter) -> JournalWriter:
    return open_writer()


def append(writer: JournalWriter, bodies: Iterable[bytes], *, together: bool = False) -> None:
    """Append bodies and wait for each of them, or for all of them together."""

    async def run() -> None:
        if together:
            appended = [writer.append(body) for body in bodies]
            for one in appended:
                await one
        else:
            for body in bodies:
                await writer.append(body)

    asyncio.run(run())


def outcomes(writer: JournalWriter, bodies: Iterable[bytes]) -> list[BaseException | None]:
    """Append bodies together and return how each fared."""

    async def one(body: bytes) -> None:
        await writer.append(body)

    async def run() -> list[BaseException | None]:
        return await asyncio.gather(*map(one, bodies), return_exceptions=True)

    return asyncio.run(run())


def reads(folder: Path, cursor: Position = START, *, events: int = 7, size: int = 500) -> Iterator[Read]:
    """Yield all that is to be read, a few at a time."""
    reader = JournalReader(folder)
    while (got := reader.read(cursor, events, size)) is not None:
        yield got
        assert cursor != got.next
        cursor = got.next


def bodies_in(folder: Path, cursor: Position = START) -> list[bytes]:
    """Return all that is to be read and sound."""
    return [body for got in reads(folder, cursor) for body in got.bodies]


def end_of(folder: Path) -> Position:
    """Return the cursor of who has read everything."""
    *_, last = reads(folder)
    return last.next


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def numbered(first: int, last: int) -> list[bytes]:
    """Return bodies that tell which they are, of different lengths."""
    return [b"%d " % number + b"x" * (number % 90) for number in range(first, last + 1)]
