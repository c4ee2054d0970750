"""What the gateway has served, on its way into the gateway's journal."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.events import NOON
from tokenboard.event import Source, UsageEvent, decode_events, join_events
from tokenboard.intake import Dropped, Intake, RefusalReason
from tokenboard.journal import BoundedJournal, JournalReader, JournalWriter, Position
from tokenboard.observability import Counters
from tokenboard.spool import SpoolUnavailable

SERVED = UsageEvent(
    "gen-1", NOON, NOON, Source.GATEWAY, 3, 9, "https://cline.bot", None, "Cline", (), "gpt-4o", "openai", "chat",
    False, 200, False, "reported", 12, 9,
)  # fmt: skip


class Desk:
    """An intake on a journal of its own."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.counters = Counters()
        writer = JournalWriter(folder, fsync=False, clock_ms=lambda: NOON)
        self.journal = BoundedJournal(writer, folder, max_bytes=max_bytes)
        self.intake = Intake(self.journal, self.counters)

    def recorded(self) -> list[UsageEvent]:
        """Return what another process would read."""
        read = JournalReader(self.folder).read(Position(), 100, 10**6)
        return [] if read is None else list(decode_events(join_events(read.bodies)))


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    opened: list[Desk] = []

    def open_one(max_bytes: int = 10**9) -> Desk:
        opened.append(Desk(tmp_path / f"gateway-{len(opened) + 1}", max_bytes))
        return opened[-1]

    yield open_one
    for desk in opened:
        desk.journal.close()


def test_a_use_is_on_disk_when_record_returns(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()

    async def record() -> list[UsageEvent]:
        await desk.intake.record(SERVED)
        return desk.recorded()

    assert [SERVED] == asyncio.run(record())
    assert {"recorded.gateway": 1} == desk.counters.read()


def test_a_use_is_recorded_even_when_there_is_no_room_or_its_id_is_known(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(max_bytes=1)
    assert desk.intake.admit() is None
    for _ in range(2):
        asyncio.run(desk.intake.record(SERVED))
    assert [SERVED, SERVED] == desk.recorded()
    assert Dropped(RefusalReason.SPOOL_FULL) == desk.intake.admit()
    assert {"dropped.spool_full": 1, "recorded.gateway": 2} == desk.counters.read()


def test_a_use_that_cannot_be_written_is_an_error_of_the_spool(
    open_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise SpoolUnavailable("cannot write the journal: disk full")

    desk = open_desk()
    monkeypatch.setattr(desk.journal, "append", lambda body: fail())
    with pytest.raises(SpoolUnavailable):
        asyncio.run(desk.intake.record(SERVED))
    assert {"unrecorded.gateway": 1} == desk.counters.read()
