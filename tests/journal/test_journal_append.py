import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import uvloop

from tests.journal.conftest import START, OpenWriter, append, bodies_in, clock_ms, end_of, numbered, segments
from tokenboard.durability import SpoolError, SpoolUnavailable
from tokenboard.inline_task import InlineTask, Pause
from tokenboard.journal import Held, JournalReader, JournalWriter
from tokenboard.journal import writer as writing
from tokenboard.journal.frames import encode_records


@pytest.mark.parametrize("fsync", [True, False])
def test_an_append_can_be_read_once_it_is_awaited(open_writer: OpenWriter, folder: Path, fsync: bool) -> None:
    writer = open_writer(fsync=fsync)
    append(writer, [b"one", b"", b"three"])
    assert [b"one", b"", b"three"] == bodies_in(folder)
    assert Held(3, 8) == writer.held()


def test_records_keep_their_order_over_segments_and_starts(open_writer: OpenWriter, folder: Path) -> None:
    append(open_writer(), numbered(1, 60))
    append(open_writer(), numbered(61, 120), together=True)
    append(open_writer(fsync=True), numbered(121, 125))
    assert numbered(1, 125) == bodies_in(folder)
    assert len(segments(folder)) > 4


def test_what_one_turn_of_the_loop_appends_is_one_write(writer: JournalWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []

    def spy(first: int, bodies: list[bytes]) -> bytes:
        groups.append(len(bodies))
        return encode_records(first, bodies)

    monkeypatch.setattr(writing, "encode_records", spy)
    append(writer, numbered(1, 10), together=True)
    assert [10] == groups


def test_an_inline_task_goes_on_once_its_record_is_committed(writer: JournalWriter, folder: Path) -> None:
    seen: list[list[bytes]] = []

    async def run() -> None:
        done = asyncio.Event()

        async def work() -> None:
            await writer.append(b"mine")
            seen.append(bodies_in(folder))
            done.set()

        InlineTask(work(), asyncio.get_running_loop()).step()
        await done.wait()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    assert [[b"mine"]] == seen


def test_the_record_of_an_inline_task_that_is_alone_is_committed_within_the_call_and_of_several_by_the_thread(
    open_writer: OpenWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "QUICK_COMMITS", 1)
    monkeypatch.setattr(writing, "BLOCKS_AT_MOST_S", 60.0)  # whatever else this machine does
    writer = open_writer(fsync=True, segment_bytes=10**6)
    append(writer, [b"first"])
    within_the_call: list[tuple[bytes, bool, list[bytes]]] = []

    async def run() -> None:
        hold, done = Pause(), asyncio.Event()

        async def work(body: bytes) -> None:
            await hold
            waits = writer.append(body)
            within_the_call.append((body, waits.ended, bodies_in(folder)))
            await waits
            done.set()

        async def another() -> None:
            await asyncio.sleep(0)
            await done.wait()
            await work(b"alone")

        for coroutine in (work(b"not alone"), another()):
            InlineTask(coroutine, asyncio.get_running_loop()).step()
        hold.end()
        await done.wait()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    assert [
        (b"not alone", False, [b"first"]),
        (b"alone", True, [b"first", b"not alone", b"alone"]),
    ] == within_the_call


def test_no_event_loop_waits_for_a_disk_that_is_slow(open_writer: OpenWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = open_writer(fsync=True, segment_bytes=10**6)
    monkeypatch.setattr(writing, "BLOCKS_AT_MOST_S", 0.0)
    append(writer, [b"takes longer"])
    assert [False, False] == _ended_at_once(writer, 2)
    monkeypatch.setattr(writing, "BLOCKS_AT_MOST_S", 60.0)
    monkeypatch.setattr(writing, "QUICK_COMMITS", 2)
    assert [False, False, True] == _ended_at_once(writer, 3)  # the thread has found out that it is quick again


def test_where_a_segment_must_follow_or_room_be_made_the_thread_does_it(
    open_writer: OpenWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "QUICK_COMMITS", 1)
    monkeypatch.setattr(writing, "BLOCKS_AT_MOST_S", 60.0)
    writer = open_writer(fsync=True, segment_bytes=700_000)
    append(writer, [b"first"])
    body = b"x" * 100_000
    assert [True, True, False] == _ended_at_once(writer, 3, body)
    assert {True, False} == set(_ended_at_once(writer, 5, body))
    assert [b"first", *[body] * 8] == bodies_in(folder)


def _ended_at_once(writer: JournalWriter, times: int, body: bytes = b"mine") -> list[bool]:
    """Append one after the other from an inline task that is alone; return which were committed by the call."""
    ended: list[bool] = []

    async def run() -> None:
        done = asyncio.Event()

        async def work() -> None:
            for _ in range(times):
                waits = writer.append(body)
                ended.append(waits.ended)
                await waits
            done.set()

        InlineTask(work(), asyncio.get_running_loop()).step()
        await done.wait()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    return ended


def test_a_group_of_more_than_a_segment_is_written_whole(writer: JournalWriter, folder: Path) -> None:
    append(writer, numbered(1, 500), together=True)
    append(writer, numbered(501, 502))
    assert numbered(1, 502) == bodies_in(folder)


def test_a_record_may_be_longer_than_the_room_ahead_and_than_a_segment(open_writer: OpenWriter, folder: Path) -> None:
    long = [bytes([number]) * 400_000 for number in range(3)]
    append(open_writer(fsync=True, segment_bytes=10**6), [b"a", *long, b"b"])
    assert [b"a", *long, b"b"] == bodies_in(folder)


def test_a_record_over_the_limit_is_refused_and_harms_nobody(
    writer: JournalWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MAX_BODY", 5)

    async def run() -> None:
        waits = writer.append(b"12345")
        with pytest.raises(ValueError, match="at most 5 bytes"):
            writer.append(b"123456")
        await waits

    asyncio.run(run())
    assert [b"12345"] == bodies_in(folder)


def test_the_end_commits_what_was_appended_in_its_very_turn_and_takes_no_more(
    writer: JournalWriter, folder: Path
) -> None:
    async def run() -> None:
        appended = [writer.append(body) for body in numbered(1, 3)]
        await asyncio.to_thread(writer.close)
        for one in appended:
            await one
        with pytest.raises(SpoolError, match="closed"):
            writer.append(b"late")

    asyncio.run(run())
    writer.close()
    assert numbered(1, 3) == bodies_in(folder)


def test_a_second_writer_is_refused_by_name_until_the_first_has_ended(folder: Path, writer: JournalWriter) -> None:
    with pytest.raises(SpoolUnavailable, match=rf"gateway-1 is open in process {os.getpid()}$"):
        JournalWriter(folder, fsync=False, clock_ms=clock_ms)
    code = (
        "import sys, pathlib as p, tokenboard.journal as j; j.JournalWriter(p.Path(sys.argv[1]), fsync=1, clock_ms=int)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert f"is open in process {os.getpid()}" in ended.stderr
    writer.close()
    JournalWriter(folder, fsync=False, clock_ms=clock_ms).close()


def test_nobody_else_may_read_it(writer: JournalWriter, folder: Path) -> None:
    append(writer, numbered(1, 30))
    JournalReader(folder).forget(START)
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_what_is_held_falls_when_it_is_collected(open_writer: OpenWriter, folder: Path) -> None:
    writer = open_writer()
    append(writer, [b"12345"] * 100)
    assert Held(100, 500) == writer.held()
    reader = JournalReader(folder)
    got = reader.read(START, 10, 10**6)
    assert got is not None
    reader.forget(got.next)
    assert Held(100, 500) == writer.held()  # from memory
    writer.refresh()
    assert Held(90, 450) == writer.held()
    reader.forget(end_of(folder))
    writer.refresh()
    assert Held(0, 0) == writer.held() == open_writer().held()


def test_without_word_of_the_reader_all_that_is_there_is_held(open_writer: OpenWriter, folder: Path) -> None:
    append(open_writer(), numbered(1, 100))
    JournalReader(folder).forget(end_of(folder))
    (folder / "collected").unlink()
    writer = open_writer()
    assert writer.held().events < 20
    append(writer, [b"more"])
    assert 1 <= writer.held().events


def test_starts_without_a_record_leave_no_segments_behind(open_writer: OpenWriter, folder: Path) -> None:
    for _ in range(5):
        open_writer()
    append(open_writer(), [b"x"])
    assert [b"x"] == bodies_in(folder)
    JournalReader(folder).forget(end_of(folder))
    assert 1 == len(segments(folder))


def test_a_clock_set_back_changes_no_order(folder: Path) -> None:
    times = iter([5_000, 4_000, 3_000, 2_000] + [1_000] * 50)
    for first in (1, 21):
        writer = JournalWriter(folder, fsync=False, clock_ms=lambda: next(times), segment_bytes=300)
        append(writer, numbered(first, first + 19))
        writer.close()
    assert numbered(1, 40) == bodies_in(folder)
