import asyncio
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.board import wait_for
from tests.events import NOON, event
from tokenboard.collector import Collector, Uncollected
from tokenboard.event import encode_event
from tokenboard.event_table import decode_parcel
from tokenboard.journal import BoundedJournal, JournalReader, JournalWriter
from tokenboard.observability import Counters
from tokenboard.spool import Spool, SpoolError


class Lot:
    """A board's spool and the journals beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counters = Counters()
        self.open()

    def open(self) -> None:
        self.spool = Spool(self.folder, "board", max_bytes=10**9, fsync=False, clock_ms=lambda: NOON)
        self.collector = Collector(self.spool, self.folder, counters=self.counters)

    def reopen(self) -> None:
        self.spool.close()
        self.open()

    def write(self, name: str, ids: Sequence[str]) -> None:
        with closing(self.journal(name)) as journal:

            async def append() -> None:
                for each in [journal.append(encode_event(event(id=one))) for one in ids]:
                    await each

            asyncio.run(append())

    def journal(self, name: str, max_bytes: int = 10**9) -> BoundedJournal:
        writer = JournalWriter(self.folder / name, fsync=False, clock_ms=lambda: NOON, segment_bytes=300)
        return BoundedJournal(writer, self.folder / name, max_bytes=max_bytes)

    def spooled(self) -> list[str]:
        return [each.id for parcel in self.spool.peek(10**6, 10**9) for each in decode_parcel(parcel.body)]


@pytest.fixture
def lot(tmp_path: Path) -> Iterator[Lot]:
    lot = Lot(tmp_path)
    yield lot
    lot.spool.close()


def test_what_gateways_recorded_is_in_the_spool_once_in_each_ones_order(lot: Lot) -> None:
    lot.write("gateway-1", ["a", "b", "c"])
    lot.write("gateway-2", ["x", "y"])
    assert 5 == lot.collector.collect()
    assert 0 == lot.collector.collect()
    assert ["a", "b", "c", "x", "y"] == lot.spooled()
    lot.write("gateway-1", ["d"])
    lot.collector.collect()
    assert ["a", "b", "c", "x", "y", "d"] == lot.spooled()
    assert (6, 6) == (lot.spool.state().pending, lot.counters.read()["collected.events"])


def test_a_board_that_begins_anew_goes_on_where_the_last_one_was(lot: Lot) -> None:
    for number in range(5):
        lot.write("gateway-1", [f"{number}-{each}" for each in range(7)])
        lot.reopen()
        lot.collector.collect()
    assert 35 == len(set(lot.spooled())) == len(lot.spooled())


@pytest.mark.parametrize("step", ["before", "after"])
def test_a_board_that_dies_while_it_collects_takes_each_event_once(
    lot: Lot, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies before the spool has them, or after it has and before the journal may forget."""
    lot.write("gateway-1", [str(number) for number in range(20)])
    with monkeypatch.context() as dying:
        name = "tokenboard.spool.Spool.collect" if step == "before" else "tokenboard.journal.JournalReader.forget"

        def die(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        dying.setattr(name, die)
        with pytest.raises(KeyboardInterrupt):
            lot.collector.collect()
    lot.reopen()
    lot.collector.collect()
    assert [str(number) for number in range(20)] == lot.spooled()


def test_two_collectors_of_one_folder_take_nothing_twice(lot: Lot) -> None:
    lot.write("gateway-1", ["a", "b"])
    other = Collector(lot.spool, lot.folder, counters=Counters())
    assert 2 == Uncollected(*other.look()).events
    lot.collector.collect()
    lot.write("gateway-1", ["c"])
    other.collect()
    lot.collector.collect()
    other.collect()
    assert ["a", "b", "c"] == lot.spooled()


def test_a_cursor_that_another_has_moved_is_no_place_to_go_on_from(lot: Lot) -> None:
    lot.spool.collect("journal", "one", after=None, parcels=[])
    with pytest.raises(SpoolError, match="collected by somebody else"):
        lot.spool.collect("journal", "two", after=None, parcels=[(1, b"x")])
    assert ("one", 0) == (lot.spool.cursor("journal"), lot.spool.state().pending)


def test_a_record_whose_bytes_have_changed_is_a_dead_letter_and_holds_up_nothing(lot: Lot) -> None:
    lot.write("gateway-1", ["first", "spoiled", "third"])
    for segment in (lot.folder / "gateway-1").glob("*.segment"):
        segment.write_bytes(segment.read_bytes().replace(b"spoiled", b"SPOILED"))
    lot.collector.collect()
    assert ["first", "third"] == lot.spooled()
    (letter,) = lot.spool.dead_letters()
    assert b"SPOILED" in letter.body
    assert 1 == lot.counters.read()["dead_letters"]


def test_a_journal_that_cannot_be_read_keeps_no_other_from_its_turn(lot: Lot) -> None:
    lot.write("gateway-1", ["lost"])
    lot.write("gateway-2", ["there"])
    (segment,) = (lot.folder / "gateway-1").glob("*.segment")
    segment.unlink()
    lot.collector.collect()
    assert ["there"] == lot.spooled()
    assert ["gateway-1"] == list(lot.collector.faults())
    assert 1 == lot.counters.read()["collect_failures"]


def test_what_waits_is_told_exactly_from_what_a_gateway_says_and_what_is_collected(lot: Lot) -> None:
    lot.write("gateway-1", ["a", "b"])
    lot.collector.collect()
    assert 0 == lot.collector.uncollected({}).events
    with closing(lot.journal("gateway-1")) as journal:
        asyncio.run(append_one(journal, "c"))
        committed = journal.committed()
        said = {journal.id: (committed.events, committed.bytes)}
        assert 1 == lot.collector.uncollected(said).events
        lot.collector.collect()
        assert 0 == lot.collector.uncollected(said).events


async def append_one(journal: BoundedJournal, name: str) -> None:
    await journal.append(encode_event(event(id=name)))


def test_a_gateway_has_no_room_once_all_journals_and_the_spool_hold_too_much(lot: Lot) -> None:
    size = len(encode_event(event(id="a")))
    lot.write("gateway-1", ["a"])
    with closing(lot.journal("gateway-2", max_bytes=2 * size + size // 2)) as journal:
        journal.refresh()
        assert journal.has_room()
        lot.write("gateway-1", ["b"])
        asyncio.run(append_one(journal, "c"))
        journal.refresh()
        assert not journal.has_room()
        lot.collector.collect()
        journal.refresh()
        assert not journal.has_room()  # the spool holds it now
        batch = lot.spool.fix(lot.spool.peek(10**6, 10**9)[-1].seq, b"plan")
        lot.spool.ack(batch)
        lot.collector.collect()
        journal.refresh()
        assert journal.has_room()


def test_journals_that_come_later_are_found_and_those_that_are_taken_away_missed_by_nobody(lot: Lot) -> None:
    lot.write("gateway-1", ["a"])
    lot.collector.collect()
    shutil.rmtree(lot.folder / "gateway-1")
    lot.write("gateway-7", ["b"])
    lot.collector.collect()
    assert (["a", "b"], {}) == (lot.spooled(), lot.collector.faults())


def test_its_thread_reads_a_journal_again_only_once_it_has_changed(lot: Lot, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    for name in ("glance", "read"):
        monkeypatch.setattr(JournalReader, name, _noting(looks, getattr(JournalReader, name)))
    lot.write("gateway-1", ["a"])
    lot.collector.start()
    wait_for(lambda: ["glance"] * 3 == looks[-3:])
    assert ["glance", "read", "read", "glance", "glance", "glance"] == looks[:6]
    lot.write("gateway-1", ["b"])
    wait_for(lambda: 2 == lot.spool.state().pending)
    lot.write("gateway-2", ["c"])  # one that was not there before
    wait_for(lambda: 3 == lot.spool.state().pending)
    shutil.rmtree(lot.folder / "gateway-2")
    wait_for(lambda: lot.counters.read().get("collect_failures", 0) > 0)
    wait_for(lambda: {} == lot.collector.faults())
    assert lot.collector.stop()
    assert ["a", "b", "c"] == lot.spooled()


def _noting(notes: list[str], method: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*arguments: Any) -> Any:
        notes.append(method.__name__)
        return method(*arguments)

    return noted
