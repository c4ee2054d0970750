import random
import shutil
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.journal.conftest import (
    SMALL,
    START,
    OpenWriter,
    append,
    bodies_in,
    clock_ms,
    end_of,
    numbered,
    reads,
    segments,
)
from tokenboard.durability import SpoolDamaged, SpoolUnavailable
from tokenboard.journal import Held, JournalReader, JournalWriter


def test_a_read_keeps_to_its_limits_and_has_one_record_at_least(writer: JournalWriter, folder: Path) -> None:
    append(writer, [b"1" * 10, b"2" * 10, b"3" * 100, b"4"])
    reader = JournalReader(folder)
    sizes = [(1, 10**6), (2, 10**6), (10, 20), (10, 19), (10, 1)]
    found = [reader.read(START, *limits) for limits in sizes]
    assert [1, 2, 2, 1, 1] == [len(got.bodies) for got in found if got is not None]
    assert [[b"1" * 10, b"2" * 10], [b"3" * 100], [b"4"]] == [got.bodies for got in reads(folder, size=25)]


def test_nothing_waits_where_nothing_was_appended(writer: JournalWriter, folder: Path) -> None:
    reader = JournalReader(folder)
    assert (None, Held(0, 0)) == (reader.read(START, 10, 10), reader.waiting(START))
    append(writer, numbered(1, 3))
    cursor = end_of(folder)
    assert (None, Held(0, 0)) == (reader.read(cursor, 10, 10), reader.waiting(cursor))


def test_a_reader_sees_what_comes_later_and_where_the_writer_starts_anew(open_writer: OpenWriter, folder: Path) -> None:
    append(open_writer(), numbered(1, 1))
    reader = JournalReader(folder)
    cursor = START
    seen: list[bytes] = []
    for number in range(2, 30):
        got = reader.read(cursor, 5, 10**6)
        assert got is not None
        cursor, seen = got.next, seen + got.bodies
        append(open_writer(), numbered(number, number))
    assert numbered(1, 28) == seen


def test_a_reader_needs_no_writer(open_writer: OpenWriter, folder: Path) -> None:
    writer = open_writer()
    append(writer, numbered(1, 50))
    writer.close()
    assert numbered(1, 50) == bodies_in(folder)
    assert Held(50, sum(map(len, numbered(1, 50)))) == JournalReader(folder).waiting(START)


def test_where_no_journal_is_there_is_none_to_read(tmp_path: Path) -> None:
    with pytest.raises(SpoolUnavailable, match="there is no journal"):
        JournalReader(tmp_path / "none")


def test_a_journal_has_an_id_that_stays_and_another_in_its_place_has_another(
    open_writer: OpenWriter, folder: Path
) -> None:
    first = open_writer().id
    assert first == JournalReader(folder).id == open_writer().id
    old = JournalReader(folder)
    open_writer(at=folder.with_name("elsewhere"))
    shutil.rmtree(folder)
    append(open_writer(), [b"x"])
    assert first != JournalReader(folder).id
    with pytest.raises(SpoolDamaged, match="another journal"):
        old.read(START, 1, 1)


def test_what_is_collected_goes_and_the_newest_segment_stays(writer: JournalWriter, folder: Path) -> None:
    append(writer, numbered(1, 100))
    reader, before = JournalReader(folder), segments(folder)
    some = list(reads(folder))[5]
    reader.forget(some.next)
    assert [path for path in before if int(path.stem) >= some.next.segment] == segments(folder)
    reader.forget(end_of(folder))
    assert before[-1:] == segments(folder)
    append(writer, numbered(101, 110))
    assert numbered(101, 110)[-3:] == bodies_in(folder)[-3:]


def test_a_forget_may_be_repeated_and_an_older_cursor_neither_doubles_nor_loses_what_is_there(
    open_writer: OpenWriter, folder: Path
) -> None:
    append(open_writer(), numbered(1, 100))
    cursors = [START, *(got.next for got in reads(folder))]
    reader = JournalReader(folder)
    late, later = cursors[4], cursors[9]
    for cursor in (late, later, later, late, START, later):
        reader.forget(cursor)
        assert numbered(later.seq + 1, 100) == bodies_in(folder, later)
        append(open_writer(), [])  # a start finds nothing wrong
    got = reader.read(late, 1000, 10**6)
    assert got is not None
    # What was dropped meanwhile is told, and what was not is there.
    first = late.seq + 1 + got.missing
    assert late.seq < first <= later.seq + 1
    assert numbered(first, 100) == [body for each in reads(folder, late) for body in each.bodies]


def test_a_forget_that_fails_is_told_and_done_the_next_time(
    writer: JournalWriter, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    append(writer, numbered(1, 100))
    cursor = end_of(folder)

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(1, "not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        JournalReader(folder).forget(cursor)
    assert "a journal cannot be told" in caplog.text
    assert len(segments(folder)) > 1
    JournalReader(folder).forget(cursor)
    assert 1 == len(segments(folder))


_numbers = count()


class Journal(RuleBasedStateMachine):
    """A writer that starts anew now and then, a reader with a cursor, and a list of what was acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.acknowledged: list[bytes] = []
        self.collected: list[bytes] = []
        self.cursor = START
        self.durable = 0, self.cursor
        self.folder = self.place / f"journal-{next(_numbers)}"
        self.start()

    place: Path
    writer: JournalWriter

    def start(self) -> None:
        self.writer = JournalWriter(self.folder, fsync=False, clock_ms=clock_ms, segment_bytes=SMALL)
        self.reader = JournalReader(self.folder)

    @rule(sizes=st.lists(st.integers(0, 400), max_size=12), together=st.booleans())
    def append(self, sizes: list[int], together: bool) -> None:
        bodies = [b"%d " % (len(self.acknowledged) + at) + bytes(size) for at, size in enumerate(sizes)]
        append(self.writer, bodies, together=together)
        self.acknowledged += bodies

    @rule(events=st.integers(1, 20), size=st.integers(1, 2_000))
    def read(self, events: int, size: int) -> None:
        got = self.reader.read(self.cursor, events, size)
        if got is None:
            assert self.collected == self.acknowledged
        else:
            assert (0, []) == (got.missing, got.damaged)
            assert 1 <= len(got.bodies) <= events
            self.collected += got.bodies
            self.cursor = got.next

    @rule()
    def commit_and_forget(self) -> None:
        self.durable = len(self.collected), self.cursor
        self.reader.forget(self.cursor)

    @rule()
    def the_board_dies(self) -> None:
        count, self.cursor = self.durable
        del self.collected[count:]
        self.reader = JournalReader(self.folder)

    @rule()
    def the_gateway_starts_anew(self) -> None:
        self.writer.close()
        self.start()

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        assert self.acknowledged[: len(self.collected)] == self.collected
        waiting = self.acknowledged[len(self.collected) :]
        assert Held(len(waiting), sum(map(len, waiting))) == self.reader.waiting(self.cursor)
        assert self.writer.held().events >= len(waiting)

    def teardown(self) -> None:
        self.writer.close()
        assert self.acknowledged[len(self.collected) :] == bodies_in(self.folder, self.cursor)


def test_whatever_the_two_sides_do_each_record_is_read_once_and_in_order(tmp_path: Path) -> None:
    Journal.place = tmp_path
    run_state_machine_as_test(
        Journal,
        settings=settings(
            max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_reading_in_steps_of_any_size_finds_the_same(open_writer: OpenWriter, folder: Path) -> None:
    choose = random.Random(4)
    for first in range(1, 200, 40):
        append(open_writer(), numbered(first, first + 39), together=choose.random() < 0.5)
    for _ in range(20):
        reader, cursor = JournalReader(folder), START
        seen: list[bytes] = []
        while (got := reader.read(cursor, choose.randrange(1, 50), choose.randrange(1, 3_000))) is not None:
            cursor, seen = got.next, seen + got.bodies
        assert numbered(1, 200) == seen
