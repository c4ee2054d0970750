"""A disk that fails: nothing of the failed group is acknowledged, admission closes at once, and a probe opens it."""

import asyncio
import errno
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app.test_full_disk import may_mount
from tests.board import wait_for
from tests.journal.conftest import OpenWriter, append, bodies_in, numbered, outcomes, segments
from tests.journal.test_journal_crash import another_run_of_the_machine
from tokenboard.durability import SpoolUnavailable
from tokenboard.durability.health import NO_ROOM
from tokenboard.inline_task import InlineTask
from tokenboard.journal import JournalWriter
from tokenboard.journal import writer as writing

Fail = Callable[[str, int], None]


class Disk:
    """Fails calls on a segment's file, once told to: ``os.pwrite`` after part of the bytes, or a sync."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failing: dict[str, int] = {}
        self.part = 0
        self._monkeypatch = monkeypatch
        self._calls = {name: getattr(os, name) for name in ("pwrite", "fdatasync", "ftruncate", "open")}
        monkeypatch.setattr(os, "pwrite", self._pwrite)
        for name in ("fdatasync", "ftruncate"):
            monkeypatch.setattr(os, name, self._other(name))

    def fail(self, number: int, *calls: str, part: int = 0) -> None:
        self.part = part
        self.failing = dict.fromkeys(calls, number)

    def mend(self) -> None:
        self.failing = {}

    def _pwrite(self, file: int, data: bytes, at: int) -> int:
        if "witness" in self.failing and os.readlink(f"/proc/self/fd/{file}").endswith("witness"):
            raise OSError(self.failing["witness"], "witness")
        if "pwrite" not in self.failing or not _is_segment(file):
            return int(self._calls["pwrite"](file, data, at))
        if self.part:
            part, self.part = self.part, 0
            return int(self._calls["pwrite"](file, data[:part], at))
        raise OSError(self.failing["pwrite"], os.strerror(self.failing["pwrite"]))

    def _other(self, name: str) -> Callable[..., None]:
        def call(file: int, *arguments: int) -> None:
            if name in self.failing and _is_segment(file):
                raise OSError(self.failing[name], os.strerror(self.failing[name]))
            self._calls[name](file, *arguments)

        return call


def _is_segment(file: int) -> bool:
    return os.readlink(f"/proc/self/fd/{file}").endswith((".segment", "beginning"))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.mark.parametrize(
    ("calls", "number", "hint"),
    [
        (("pwrite",), errno.ENOSPC, "Free disk space"),
        (("pwrite",), errno.EROFS, "writable again"),
        (("fdatasync",), errno.EIO, "Look at the disk"),
        (("witness",), errno.EIO, "Look at the disk"),
        (("pwrite", "fdatasync", "ftruncate"), errno.EIO, "Look at the disk"),
    ],
)
def test_a_fault_fails_all_who_wait_closes_admission_first_and_ends_by_a_probe(
    open_writer: OpenWriter,
    folder: Path,
    disk: Disk,
    caplog: pytest.LogCaptureFixture,
    calls: tuple[str, ...],
    number: int,
    hint: str,
) -> None:
    writer = open_writer(fsync=True, segment_bytes=10**6)
    append(writer, numbered(1, 5))
    with caplog.at_level(logging.INFO):
        disk.fail(number, *calls)
        failed = outcomes(writer, numbered(6, 15))
        assert [SpoolUnavailable] * 10 == [type(error) for error in failed]
        assert 10 == len({id(error) for error in failed})
        assert all(isinstance(error, SpoolUnavailable) and hint in error.hint for error in failed)
        fault = writer.fault()
        assert fault is not None
        assert (calls == ("witness",) or not writer.sound, True) == (True, hint in fault.hint)
        assert numbered(1, 5) == bodies_in(folder)
        disk.mend()
        wait_for(lambda: writer.sound)
    append(writer, numbered(6, 20))
    assert numbered(1, 20) == bodies_in(folder)
    messages = [record.message for record in caplog.records]
    assert ["the spool is of no use: new requests are refused", "the spool works again"] == messages
    append(open_writer(), numbered(21, 22))
    assert numbered(1, 22) == bodies_in(folder)


@pytest.mark.parametrize("truncates", [True, False])
@pytest.mark.parametrize("dies", [True, False])
def test_what_a_failed_write_left_is_no_record_and_in_nobodys_way(
    open_writer: OpenWriter, folder: Path, disk: Disk, truncates: bool, dies: bool
) -> None:
    writer = open_writer(fsync=True, segment_bytes=10**6)
    append(writer, numbered(1, 5))
    # Two whole records, and part of a third, get to the file.
    disk.fail(errno.ENOSPC, "pwrite", *([] if truncates else ["ftruncate"]), part=70)
    assert None not in outcomes(writer, [b"lost" * 2, b"lost" * 2, b"lost" * 2])
    if dies:
        writer.close()
    disk.mend()
    if dies:
        writer = open_writer(fsync=True)
    append(writer, numbered(6, 30))
    assert numbered(1, 30) == bodies_in(folder)


def test_a_fault_that_befalls_the_event_loops_own_commit_closes_admission_and_ends_by_a_probe(
    open_writer: OpenWriter, folder: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "QUICK_COMMITS", 1)
    monkeypatch.setattr(writing, "BLOCKS_AT_MOST_S", 60.0)
    writer = open_writer(fsync=True, segment_bytes=10**6)
    append(writer, [b"1"])
    seen: list[object] = []

    async def run() -> None:
        async def work() -> None:
            waits = writer.append(b"2")
            seen.append((waits.ended, writer.sound))
            try:
                await waits
            except SpoolUnavailable as error:
                seen.append(error.hint)

        disk.fail(errno.ENOSPC, "pwrite", "ftruncate")
        InlineTask(work(), asyncio.get_running_loop()).step()

    asyncio.run(run())
    assert [(True, False), NO_ROOM] == seen
    disk.mend()
    wait_for(lambda: writer.sound)
    append(writer, [b"3"])
    assert [b"1", b"3"] == bodies_in(folder)


def test_while_it_fails_each_append_is_an_attempt_and_the_first_that_succeeds_opens_it(
    open_writer: OpenWriter, folder: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenboard.durability.probing.FIRST_PROBE_S", 600.0)
    writer = open_writer()
    writer._probing._wait_s = 600.0
    disk.fail(errno.ENOSPC, "pwrite")
    assert None not in outcomes(writer, numbered(1, 3)) + outcomes(writer, numbered(1, 3))
    assert (False, []) == (writer.sound, bodies_in(folder))
    disk.mend()
    append(writer, numbered(1, 3))
    assert (True, numbered(1, 3)) == (writer.sound, bodies_in(folder))


def test_a_probe_that_fails_leaves_it_closed_and_no_files_behind(
    open_writer: OpenWriter, folder: Path, disk: Disk
) -> None:
    writer = open_writer()
    append(writer, numbered(1, 3))
    disk.fail(errno.ENOSPC, "pwrite")
    outcomes(writer, [b"x"])
    before = segments(folder)
    for _ in range(3):
        writer._probe()
        assert not writer.sound
    assert before == segments(folder)
    disk.mend()
    wait_for(lambda: writer.sound)


def test_a_segment_that_cannot_follow_fails_the_group_and_not_what_is_before(
    writer: JournalWriter, folder: Path, disk: Disk
) -> None:
    append(writer, [b"x" * 1_200])  # over the size: the next group needs another segment
    disk.fail(errno.ENOSPC, "fdatasync")
    assert None not in outcomes(writer, [b"y"])
    disk.mend()
    wait_for(lambda: writer.sound)
    append(writer, [b"z"])
    assert [b"x" * 1_200, b"z"] == bodies_in(folder)


def test_it_opens_while_no_segment_can_be_begun_and_is_not_sound(
    open_writer: OpenWriter, folder: Path, disk: Disk
) -> None:
    append(open_writer(), numbered(1, 30))
    open_writer().close()
    disk.fail(errno.ENOSPC, "pwrite")
    writer = open_writer()
    wait_for(lambda: not writer.sound)
    assert (numbered(1, 30), 30) == (bodies_in(folder), writer.held().events)
    disk.mend()
    wait_for(lambda: writer.sound)
    append(writer, numbered(31, 32))
    assert numbered(1, 32) == bodies_in(folder)


def test_a_start_after_a_power_cut_that_begins_no_segment_leaves_the_next_one_to_judge(
    open_writer: OpenWriter, folder: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(open_writer(segment_bytes=10**6), numbered(1, 20))
    open_writer().close()
    oldest, empty = segments(folder)
    empty.unlink()
    os.truncate(oldest, oldest.stat().st_size // 2)
    another_run_of_the_machine(monkeypatch)
    disk.fail(errno.ENOSPC, "pwrite")
    for _ in range(2):
        open_writer().close()
    disk.mend()
    left = bodies_in(folder)
    append(open_writer(), [b"next"])
    assert [*left, b"next"] == bodies_in(folder)


@pytest.mark.skipif(not may_mount(), reason="mounts no disk of its own here")
def test_on_a_full_disk_all_that_was_acknowledged_can_be_read_and_what_is_collected_makes_room(tmp_path: Path) -> None:
    command = ["unshare", "-rm", sys.executable, "-m", "tests.journal.full_disk", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=90, env=os.environ | {"PYTHONPATH": os.getcwd()}
    )
    assert 0 == done.returncode, done.stderr
    facts = json.loads(done.stdout)
    assert {
        "failed": ["SpoolUnavailable"],
        "each its own": True,
        "hint": "Free disk space where the spool's folder lies ([spool] folder); the board goes on by itself then.",
        "sound": False,
        "fault": "cannot be written: [Errno 28] No space left on device",
        "readable": True,
        "opens without room": True,
        "works again": True,
        "after": True,
    } == facts
