"""Recovery: how far a journal had come when its writer ended, and whether everything acknowledged is there.

    all segments there? ─▶ none truncated? ─▶ the newest read to its end ─▶ as far as the witness says?

Only the newest segment is read: where another ends is in its successor's header, and its records have checksums that
the reader verifies. Since the last boot the witness is exact: what lies beyond it was never acknowledged, and is cut
off. After a power cut it may say too little, and every intact record counts.
"""

import zlib
from pathlib import Path
from typing import NamedTuple

from tokenboard.durability import Testimony, Witness, boot_id
from tokenboard.journal.frames import HEAD_SIZE, HEADER_SIZE, RECORD, SKIPPED, Header, frame_at
from tokenboard.journal.segments import Chain, collected_of, damaged, read_chain, segment_of, witness_of
from tokenboard.observability import logger

_log = logger("journal")


class End(NamedTuple):
    """Where a journal continues: the segment a new one follows, its end, and the next one's first seq and bytes.

    ``newest`` is the highest segment number, and ``floor`` how far (seq, bytes) it was certainly collected.
    """

    previous: int = 0
    previous_end: int = 0
    first: int = 1
    bytes: int = 0
    newest: int = 0
    floor: tuple[int, int] = (0, 0)


class Extent(NamedTuple):
    """Where a segment's records end, the last one's seq, and the size of all bodies up to there."""

    offset: int
    seq: int
    bytes: int


def find_end(folder: Path, journal: str) -> End:
    """Return where a journal continues; nothing is written.

    Raises:
        SpoolDamaged: something acknowledged is not there.
        OSError: it cannot be read.

    """
    said = Witness.says(witness_of(folder))
    collected = said_of(collected_of(folder), journal)
    segments = read_chain(folder, journal)
    if said is not None and said.spool != journal:
        raise damaged(f"{witness_of(folder)} speaks of another journal")
    if not segments.headers:
        if said is not None and said.extent[0]:
            raise damaged(f"{said.extent[0]:,} events of acknowledged usage are gone: {folder} has no segment")
        return End()
    if said is None:
        raise damaged(f"{witness_of(folder)}, which says how far the journal had come, is missing or damaged")
    _check_chain(folder, segments, collected)
    oldest, newest = segments.headers[0], segments.headers[-1]
    exact = said.boot == boot_id() != ""
    extent = _extent(folder, newest, said, exact=exact)
    first = extent.seq + 1
    if extent.seq < said.extent[0]:
        lost = said.extent[0] - extent.seq
        if exact or said.fsync:
            raise damaged(
                f"{segment_of(folder, newest.number)} lacks {lost:,} events of acknowledged usage: its end is cut off, "
                "damaged or gone"
            )
        facts = {"events": lost, "hint": "Set [spool] fsync = true, and a power cut costs nothing."}
        _log.error("a power cut has cost the journal what [spool] fsync = false leaves to it", extra=facts)
        first = said.extent[0] + 1
    if not exact and not said.fsync and collected is not None:
        # Numbers that the board has seen are not reused, even if no file here mentions them.
        first = max(first, collected.extent[0] + 1)
    number = segments.strays[-1] if segments.strays else 0
    floor = (oldest.first - 1, oldest.bytes)
    if extent.offset == HEADER_SIZE:  # nothing is in it: the next one takes its place
        return End(newest.previous, newest.previous_end, first, extent.bytes, max(newest.number, number), floor)
    return End(newest.number, extent.offset, first, extent.bytes, max(newest.number, number), floor)


def said_of(path: Path, journal: str) -> Testimony | None:
    """Return the content of a witness file; None when it is missing, or another journal's.

    Raises OSError.
    """
    said = Witness.says(path)
    return said if said is not None and said.spool == journal else None


def _check_chain(folder: Path, segments: Chain, collected: Testimony | None) -> None:
    for before, after in zip(segments.headers, segments.headers[1:], strict=False):
        if after.previous != before.number:
            raise damaged(f"{segment_of(folder, after.previous)} is missing")
        if segment_of(folder, before.number).stat().st_size < after.previous_end:
            raise damaged(f"{segment_of(folder, before.number)} is cut off")
    oldest = segments.headers[0]
    # After a power cut the file may be older than the folder's listing.
    if collected is not None and collected.boot == boot_id() and collected.extent[0] < oldest.first - 1:
        lost = oldest.first - 1 - collected.extent[0]
        raise damaged(f"{lost:,} events are gone that nobody has collected: {segment_of(folder, oldest.previous)}")


def _extent(folder: Path, header: Header, said: Testimony, *, exact: bool) -> Extent:
    """Return where the newest segment's records end."""
    data = segment_of(folder, header.number).read_bytes()
    last = said.extent[0]
    at, seq, size = HEADER_SIZE, header.first - 1, header.bytes
    while seq < last or not exact:
        frame = frame_at(data, at)
        if frame is None:
            break
        end = at + HEAD_SIZE + frame.length
        if frame.kind == SKIPPED:
            at, seq = end, frame.seq - 1
            continue
        if frame.kind != RECORD or frame.seq != seq + 1 or end > len(data):
            break
        if frame.seq > last and zlib.crc32(data[at + HEAD_SIZE : end]) != frame.sum:
            break
        at, seq, size = end, frame.seq, size + frame.length
    return Extent(at, seq, size)
