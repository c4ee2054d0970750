"""Damage is told, not worked with; what an operator accepts goes on with what is left."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journal.conftest import START, OpenWriter, append, bodies_in, end_of, numbered, reads, segments
from tokenboard.durability import SpoolDamaged, SpoolUnavailable
from tokenboard.journal import JournalReader, JournalWriter
from tokenboard.journal.frames import HEAD_SIZE, HEADER_SIZE

LAST = 60


@pytest.fixture
def journal(open_writer: OpenWriter, folder: Path) -> Path:
    """A journal of several segments whose writer has ended."""
    append(open_writer(), numbered(1, LAST))
    open_writer().close()
    assert len(segments(folder)) > 4
    return folder


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def remove_segment(journal: Path) -> None:
    segments(journal)[2].unlink()


def remove_first_segment(journal: Path) -> None:
    segments(journal)[0].unlink()


def remove_all_segments(journal: Path) -> None:
    for path in segments(journal):
        path.unlink()


def remove_newest_segments(journal: Path) -> None:
    for path in segments(journal)[-2:]:
        path.unlink()


def cut_segment(journal: Path) -> None:
    path = segments(journal)[2]
    os.truncate(path, path.stat().st_size - 100)


def empty_segment(journal: Path) -> None:
    os.truncate(segments(journal)[2], 0)


def damage_header(journal: Path) -> None:
    flip(segments(journal)[2], 30)


def remove_witness(journal: Path) -> None:
    (journal / "witness").unlink()


def damage_witness(journal: Path) -> None:
    (journal / "witness").write_bytes(b"\xff" * 256)


def remove_identity(journal: Path) -> None:
    (journal / "journal.json").unlink()


def damage_identity(journal: Path) -> None:
    (journal / "journal.json").write_text('{"id": 7}')


Damage = Callable[[Path], None]
KINDS: list[tuple[Damage, str]] = [
    (remove_segment, "segment is missing"),
    (remove_all_segments, "60 events of acknowledged usage are gone"),
    (remove_newest_segments, "events of acknowledged usage: its end is cut off"),
    (cut_segment, "segment is cut off"),
    (empty_segment, "the header of .* is damaged"),
    (damage_header, "the header of .* is damaged"),
    (remove_witness, "witness, which says how far the journal had come, is missing"),
    (damage_witness, "witness, which says how far the journal had come, is missing"),
    (remove_identity, r"has lost its journal\.json"),
    (damage_identity, r"journal\.json is damaged"),
]


@pytest.mark.parametrize(("damage", "words"), KINDS)
def test_what_is_damaged_is_refused_by_name_unchanged_until_it_is_accepted(
    journal: Path, open_writer: OpenWriter, damage: Damage, words: str
) -> None:
    damage(journal)
    before = {path.name: path.read_bytes() for path in journal.iterdir() if path.is_file() and path.name != "lock"}
    with pytest.raises(SpoolDamaged, match=words) as caught:
        open_writer()
    assert "stores accept" in caught.value.hint
    assert before == {
        path.name: path.read_bytes() for path in journal.iterdir() if path.is_file() and path.name != "lock"
    }
    kept = JournalWriter.accept(journal)
    append(open_writer(), [b"next"])
    append(open_writer(), [b"more"])
    found = list(reads(journal))
    bodies = [body for got in found for body in got.bodies]
    assert [b"next", b"more"] == bodies[-2:]
    assert numbered(1, LAST) == sorted({*numbered(1, LAST), *bodies[:-2]}, key=lambda body: int(body.split()[0]))
    missing = sum(got.missing for got in found)
    assert LAST == missing + len(bodies) - 2
    assert [] == [each for got in found for each in got.damaged]
    if kept is not None:
        assert all(before[path.name] == path.read_bytes() for path in kept.iterdir())


def test_an_accepted_journal_keeps_every_cursor_good(journal: Path, open_writer: OpenWriter) -> None:
    cursors = [START, *(got.next for got in reads(journal))]
    cut_segment(journal)
    JournalWriter.accept(journal)
    append(open_writer(), [b"next"])
    whole = bodies_in(journal)
    for cursor in cursors:
        left = [body for body in whole if body == b"next" or int(body.split()[0]) > cursor.seq]
        assert left == bodies_in(journal, cursor)


def test_a_journal_with_nothing_wrong_loses_nothing_by_being_accepted(journal: Path, open_writer: OpenWriter) -> None:
    assert JournalWriter.accept(journal) is None
    append(open_writer(), [b"next"])
    assert [*numbered(1, LAST), b"next"] == bodies_in(journal)
    assert 0 == sum(got.missing for got in reads(journal))


def test_a_journal_that_is_open_cannot_be_accepted(writer: JournalWriter, folder: Path) -> None:
    with pytest.raises(SpoolUnavailable, match="is open in process"):
        JournalWriter.accept(folder)


def test_a_missing_first_segment_is_told_when_the_board_has_not_had_it(journal: Path, open_writer: OpenWriter) -> None:
    reader = JournalReader(journal)
    reader.forget(next(reads(journal)).next)
    remove_first_segment(journal)
    with pytest.raises(SpoolDamaged, match="events are gone that nobody has collected"):
        open_writer()
    assert sum(got.missing for got in reads(journal)) == int(bodies_in(journal)[0].split()[0]) - 1


def test_every_bit_flip_in_a_segment_is_told_and_never_a_wrong_record(
    open_writer: OpenWriter, folder: Path, tmp_path: Path
) -> None:
    writer = open_writer(segment_bytes=10**6)
    bodies = [b"one", b"two two", b"", b"four"]
    append(writer, bodies)
    copy = tmp_path / "copy"
    (segment,) = segments(folder)
    size = HEADER_SIZE + sum(HEAD_SIZE + len(body) for body in bodies)
    kinds = {"refused": 0, "apart": 0}
    shutil.copytree(folder, copy)
    for at in range(size):
        data = bytearray(segment.read_bytes()[:size])
        data[at] ^= 1 << at % 8
        (copy / segment.name).write_bytes(data)
        try:
            found = list(reads(copy))
        except SpoolDamaged as error:
            kinds["refused"] += segment.name in str(error)
        else:
            (damaged,) = [each for got in found for each in got.damaged]
            kinds["apart"] += 1
            assert [body for body in bodies if body != bodies[damaged.seq - 1]] == [
                body for got in found for body in got.bodies
            ]
            assert len(bodies[damaged.seq - 1]) == len(damaged.body)
    # A header is refused, and so is a length; a body is not.
    assert {"refused": HEADER_SIZE + len(bodies) * HEAD_SIZE, "apart": sum(map(len, bodies))} == kinds


@pytest.mark.parametrize("newest", [True, False])
def test_a_record_whose_length_is_damaged_costs_itself_and_no_other(
    journal: Path, open_writer: OpenWriter, newest: bool
) -> None:
    if newest:
        append(open_writer(segment_bytes=10**6), numbered(LAST + 1, LAST + 3))
        open_writer().close()
        segments(journal)[-1].unlink()
    path = segments(journal)[-1 if newest else 1]
    data = path.read_bytes()
    second = data.index(b"TJ", HEADER_SIZE + 2)
    seq = int.from_bytes(data[second + 8 : second + 16], "little")
    flip(path, second + 5)
    whole = numbered(1, LAST + 3 if newest else LAST)
    with pytest.raises(SpoolDamaged, match=f"{path.name} is damaged at byte {second}: event {seq} should be there"):
        bodies_in(journal)
    if newest:
        with pytest.raises(SpoolDamaged, match="its end is cut off, damaged or gone"):
            open_writer()
    kept = JournalWriter.accept(journal)
    assert kept is not None
    assert [path.name] == [each.name for each in kept.iterdir()]
    append(open_writer(), [b"next"])
    assert [*whole[: seq - 1], *whole[seq:], b"next"] == bodies_in(journal)
    assert 1 == sum(got.missing for got in reads(journal))


def test_a_damaged_body_keeps_no_gateway_from_starting(journal: Path, open_writer: OpenWriter) -> None:
    path = segments(journal)[-2]
    flip(path, path.stat().st_size - 1)
    append(open_writer(), [b"next"])
    (damaged,) = [each for got in reads(journal) for each in got.damaged]
    assert LAST == damaged.seq
    assert [*numbered(1, LAST - 1), b"next"] == bodies_in(journal)


@pytest.mark.parametrize("name", ["witness", "collected"])
def test_a_witness_cut_off_or_flipped_anywhere_is_never_believed(
    open_writer: OpenWriter, folder: Path, tmp_path: Path, name: str
) -> None:
    writer = open_writer(segment_bytes=10**6)
    append(writer, numbered(1, 3))
    JournalReader(folder).forget(end_of(folder))
    told = (folder / name).read_bytes()
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    for at in range(0, len(told), 3):
        data = bytearray(told)
        data[at] ^= 0x04
        (copy / name).write_bytes(data)
        found = bodies_in(copy)
        assert numbered(1, len(found)) == found
        assert len(found) >= 2  # what it said one commit before, at the least


def test_a_segment_removed_under_its_writer_costs_what_nobody_had_read_of_it_and_nothing_after(
    open_writer: OpenWriter, folder: Path
) -> None:
    writer = open_writer(segment_bytes=1_000_000)
    append(writer, numbered(1, 5))
    read = end_of(folder)
    segments(folder)[0].unlink()
    append(writer, numbered(6, 9))
    assert numbered(6, 9) == bodies_in(folder, read)
    segments(folder)[0].unlink()
    append(writer, numbered(10, 12))
    assert numbered(10, 12) == bodies_in(folder, read)
    assert 4 == sum(got.missing for got in reads(folder, read))
