"""What was acknowledged is there after kill -9 and, with fsync, after a power cut; and nothing is there twice."""

import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.board import wait_for
from tests.journal.conftest import START, OpenWriter, append, bodies_in, numbered, reads, segments
from tokenboard.journal import JournalReader, Position
from tokenboard.journal.frames import HEAD_SIZE

ROUNDS = 6


@dataclass
class Board:
    """A reader as the board has it: what it took, and its cursor, are committed together."""

    folder: Path
    cursor: Position = START
    taken: list[int] = field(default_factory=list)

    def collect(self) -> None:
        reader = JournalReader(self.folder)
        while (got := reader.read(self.cursor, 50, 10**6)) is not None:
            assert (0, []) == (got.missing, got.damaged)
            self.taken += map(int, got.bodies)
            self.cursor = got.next
            reader.forget(self.cursor)


@pytest.mark.parametrize("fsync", [True, False])
def test_what_was_acknowledged_survives_kill_9_while_the_board_collects(folder: Path, fsync: bool) -> None:
    choose = random.Random(9)
    acknowledged: set[int] = set()
    board = Board(folder)
    for _ in range(ROUNDS):
        first = max([*acknowledged, *board.taken], default=0) + 1000
        command = [sys.executable, "-m", "tests.journal.appender", str(folder), str(first), str(fsync)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            lines = []
            for _ in range(choose.randrange(1, 500)):
                lines.append(child.stdout.readline())
                if choose.random() < 0.05:
                    board.collect()
            child.kill()
            lines += child.stdout.readlines()
        acknowledged |= {int(line) for line in lines if line.endswith("\n")}
        if choose.random() < 0.5:
            board.collect()
    board.collect()
    assert len(set(board.taken)) == len(board.taken)
    assert acknowledged <= set(board.taken)
    assert len(acknowledged) > ROUNDS * 10
    assert len(segments(folder)) <= 2


def test_a_killed_writer_leaves_no_lock(open_writer: OpenWriter, folder: Path) -> None:
    command = [sys.executable, "-m", "tests.journal.appender", str(folder), "1", "False"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.kill()
    append(open_writer(), [b"0"])
    assert b"0" == bodies_in(folder)[-1]


@pytest.fixture
def torn(open_writer: OpenWriter, folder: Path, tmp_path: Path) -> Path:
    """A journal of one segment whose writer was killed after it wrote a third record, before it told the witness."""
    writer = open_writer()
    append(writer, [b"one", b"two"])
    witness = (folder / "witness").read_bytes()
    append(writer, [b"three"])
    copy = tmp_path / "torn"
    shutil.copytree(folder, copy)
    (copy / "witness").write_bytes(witness)
    return copy


def cut(journal: Path, drop: int, place: Path) -> Path:
    """Return a copy that lacks the last bytes of its last record."""
    shutil.copytree(journal, place)
    (segment,) = segments(place)
    end = segment.read_bytes().index(b"three") + 5
    os.truncate(segment, end - drop)
    return place


@pytest.mark.parametrize("room", [True, False])
def test_a_last_record_nobody_was_told_of_is_cut_off_wherever_it_ends(
    torn: Path, open_writer: OpenWriter, tmp_path: Path, room: bool
) -> None:
    for drop in range(HEAD_SIZE + 6):
        journal = cut(torn, drop, tmp_path / f"cut-{drop}")
        if room:
            os.truncate(segments(journal)[0], 300_000)
        append(open_writer(at=journal), [b"next"])
        assert [b"one", b"two", b"next"] == bodies_in(journal)


def test_after_a_power_cut_a_record_beyond_the_witness_counts_if_it_is_whole(
    torn: Path, open_writer: OpenWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    another_run_of_the_machine(monkeypatch)
    for drop in range(HEAD_SIZE + 6):
        journal = cut(torn, drop, tmp_path / f"cut-{drop}")
        append(open_writer(at=journal), [b"next"])
        assert [b"one", b"two", *([] if drop else [b"three"]), b"next"] == bodies_in(journal)


def another_run_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("journal.recovery", "journal.reader", "durability.witness"):
        monkeypatch.setattr(f"tokenboard.{module}.boot_id", lambda: "another run of the machine")


class Disk:
    """What a power cut leaves of a folder: names as of its last sync, and each file as of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.names: dict[str, int] = {}
        self.contents: dict[int, bytes] = {}
        for call in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, call, self.sync)

    def sync(self, file: int) -> None:
        path = Path(f"/proc/self/fd/{file}").resolve()
        if path == self.folder:
            self.names = {entry.name: entry.inode() for entry in os.scandir(path)}
        elif path.is_file():
            self.contents[os.fstat(file).st_ino] = path.read_bytes()

    def left(self, place: Path, tear: random.Random | None = None) -> Path:
        """Make a folder as it is after a power cut now; with ``tear`` some sectors more got to the disk."""
        place.mkdir()
        for name, inode in self.names.items():
            content = bytearray(self.contents.get(inode, b""))
            if tear is not None and name.endswith(".segment"):
                now = (self.folder / name).read_bytes()
                for at in range(0, min(len(now), len(content)), 512):
                    if tear.random() < 0.5:
                        content[at : at + 512] = now[at : at + 512]
            (place / name).write_bytes(content)
        return place


def test_what_was_acknowledged_survives_a_power_cut(
    open_writer: OpenWriter, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(folder, monkeypatch)
    writer = open_writer(fsync=True, segment_bytes=3_000)
    left: list[tuple[int, Path]] = []
    for number in range(1, 60):
        append(writer, numbered(number, number))
        if number % 4 == 1:
            left.append((number, disk.left(tmp_path / f"left-{number}")))
    writer.close()
    another_run_of_the_machine(monkeypatch)
    for number, journal in left:
        assert set(numbered(1, number)) >= set(bodies_in(journal))  # before the writer starts, what the witness tells
        append(open_writer(at=journal, fsync=True), [b"next"])
        assert [*numbered(1, number), b"next"] == bodies_in(journal)


def test_of_a_write_that_a_power_cut_has_torn_nothing_is_taken_for_a_record(
    open_writer: OpenWriter, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(folder, monkeypatch)
    tear = random.Random(3)
    writer = open_writer(fsync=True, segment_bytes=10**6)
    left: list[Path] = []
    bodies = [bytes([number]) * 700 for number in range(1, 9)]
    append(writer, bodies[:2])

    def half(file: int) -> None:
        left.extend(disk.left(tmp_path / f"torn-{len(left)}", tear) for _ in range(20))
        disk.sync(file)

    monkeypatch.setattr(os, "fdatasync", half)
    append(writer, bodies[2:], together=True)
    monkeypatch.setattr(os, "fdatasync", disk.sync)
    writer.close()
    another_run_of_the_machine(monkeypatch)
    found = []
    for journal in left:
        append(open_writer(at=journal, fsync=True), [b"next"])
        *records, last = bodies_in(journal)
        assert (b"next", bodies[: len(records)]) == (last, records)
        found.append(len(records))
    assert (2, True) == (min(found), max(found) > 2)


@pytest.fixture
def lossy(open_writer: OpenWriter, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Position:
    """The cursor of a board that had all of a journal without fsync, before a power cut cost its segment the end."""
    append(open_writer(segment_bytes=10**6), numbered(1, 20))
    board = JournalReader(folder)
    got = board.read(START, 100, 10**6)
    assert got is not None
    open_writer().close()
    first = segments(folder)[0]
    os.truncate(first, first.stat().st_size // 2)
    for path in segments(folder)[1:]:
        path.unlink()
    another_run_of_the_machine(monkeypatch)
    return got.next


def test_a_power_cut_without_fsync_costs_what_the_setting_says_and_is_told(
    lossy: Position, open_writer: OpenWriter, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left = bodies_in(folder)  # a board that starts first reads what there is
    assert numbered(1, len(left)) == left
    assert 0 < len(left) < 20
    append(open_writer(), [b"next"])
    assert "a power cut has cost the journal" in caplog.text
    assert [*left, b"next"] == bodies_in(folder)
    append(open_writer(), [b"more"])
    assert [*left, b"next", b"more"] == bodies_in(folder)
    assert 20 - len(left) == sum(got.missing for got in reads(folder))


def test_a_cursor_beyond_what_a_power_cut_left_misses_nothing_that_comes_after(
    lossy: Position, open_writer: OpenWriter, folder: Path
) -> None:
    append(open_writer(), [b"next"])
    assert [b"next"] == bodies_in(folder, lossy)
    append(open_writer(), [b"more"])
    assert [b"next", b"more"] == bodies_in(folder, lossy)


def test_reader_and_writer_at_once_over_many_segments(open_writer: OpenWriter, folder: Path) -> None:
    command = [sys.executable, "-m", "tests.journal.appender", str(folder), "1", "False"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        wait_for(lambda: (folder / "journal.json").exists() and bool(segments(folder)), 20)
        board = Board(folder)

        def has_many() -> bool:
            board.collect()
            return len(board.taken) > 20_000

        try:
            wait_for(has_many, 60)
        finally:
            child.kill()
    board.collect()
    numbers = sorted(board.taken)
    assert len(set(numbers)) == len(numbers)
    # Each task waits for its number before it goes on to the next: no number is there before those before it.
    for offset in range(20):
        mine = [number for number in board.taken if number % 20 == offset]
        assert sorted(mine) == mine


def test_a_look_changes_nothing(folder: Path, open_writer: OpenWriter) -> None:
    append(open_writer(), numbered(1, 3))
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}
    reader = JournalReader(folder)
    reader.read(START, 10, 10**6)
    reader.waiting(START)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}
