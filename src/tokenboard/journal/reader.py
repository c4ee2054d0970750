"""The reading side: committed records, in order, and what the board has collected of them."""

import os
from itertools import pairwise
from pathlib import Path
from typing import Final

from tokenboard.durability import SpoolUnavailable, Testimony, Witness, boot_id, hint_for_system
from tokenboard.journal.frames import HEAD_SIZE, HEADER_SIZE, Header
from tokenboard.journal.position import Held, Position, Read
from tokenboard.journal.scan import scan
from tokenboard.journal.segments import (
    Chain,
    collected_of,
    damaged,
    read_chain,
    read_identity,
    segment_of,
    witness_of,
)
from tokenboard.observability import BoundedLog, logger

_NO_LIMIT: Final = 2**64
_log = BoundedLog(logger("journal"))


class JournalReader:
    """Reads the journal in ``folder``, whether its writer runs or not; one reader at a time.

    ``id`` names the journal: a cursor is valid only with the journal it came from. Not thread-safe.

    Raises:
        SpoolUnavailable: from any method, when the files cannot be read; on opening also when there is none.
        SpoolDamaged: when something acknowledged is not there.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._headers: dict[int, Header] = {}
        try:
            journal = read_identity(folder)
        except OSError as error:
            raise _unreadable(folder, error) from error
        if journal is None:
            raise SpoolUnavailable(f"there is no journal in {folder}")
        self.id = journal

    def waiting(self, cursor: Position) -> Held:
        """Return how much is committed after ``cursor``; cheap: two small reads."""
        try:
            last, size = self._committed().extent
        except OSError as error:
            raise _unreadable(self._folder, error) from error
        return Held(max(last - cursor.seq, 0), max(size - cursor.bytes, 0))

    def glance(self) -> bytes:
        """Return bytes that differ after each commit; costs one small read."""
        try:
            return Witness.bytes_of(witness_of(self._folder))
        except OSError as error:
            raise _unreadable(self._folder, error) from error

    def collected(self) -> Held:
        """Return how much, from the journal's beginning on, its writer was told that it need not keep."""
        try:
            said = Witness.says(collected_of(self._folder))
        except OSError as error:
            raise _unreadable(self._folder, error) from error
        return Held(0, 0) if said is None or said.spool != self.id else Held(*said.extent)

    def read(self, cursor: Position, max_events: int, max_bytes: int) -> Read | None:
        """Return the committed records after ``cursor``, as many as fit, and at least one; None when there are none.

        ``max_bytes`` bounds the size of their bodies. One call reads one segment only: a short batch does not mean
        that no more wait.

        Raises:
            SpoolDamaged: the next record is missing, or its length is damaged.

        """
        try:
            # In this order: what is committed by now is in segments that are there by now.
            said = self._committed()
            if said.extent == (cursor.seq, cursor.bytes):
                return None
            return self._read(said, read_chain(self._folder, self.id, self._headers), cursor, max_events, max_bytes)
        except OSError as error:
            raise _unreadable(self._folder, error) from error

    def forget(self, cursor: Position) -> None:
        """Tell the writer that everything before ``cursor`` is collected, and delete the segments that lie before it.

        Call it once the board has committed ``cursor`` durably; may be repeated. What cannot be written or deleted is
        logged, and done the next time.
        """
        try:
            segments = read_chain(self._folder, self.id, self._headers)
            collected = cursor.seq, cursor.bytes
            if segments.headers:
                oldest = segments.headers[0]
                collected = max(collected, (oldest.first - 1, oldest.bytes))
            self._tell_collected(*collected)
            for number in _collected(segments, cursor):
                segment_of(self._folder, number).unlink(missing_ok=True)
        except OSError as error:
            facts = {"journal": str(self._folder), "reason": str(error), "hint": hint_for_system(error)}
            _log.warning("forget", "a journal cannot be told what is collected of it", facts)

    # --- within ----------------------------------------------------------------------------------------------------

    def _committed(self) -> Testimony:
        said = Witness.says(witness_of(self._folder))
        if said is None:
            if not witness_of(self._folder).exists() or read_chain(self._folder, self.id, self._headers).headers:
                raise damaged(f"{witness_of(self._folder)}, which says what is committed, is missing or damaged")
            return Testimony(self.id, (0, 0), fsync=False, boot="")  # just made
        if said.spool != self.id:
            raise damaged(f"{witness_of(self._folder)} speaks of another journal")
        return said

    def _tell_collected(self, seq: int, size: int) -> None:
        path = collected_of(self._folder)
        said = Witness.says(path)
        if said is not None and (said.spool, said.extent) == (self.id, (seq, size)):
            return
        collected = Witness(path, self.id, fsync=False)
        try:
            collected.write(seq, size)
        finally:
            collected.close()

    def _read(self, said: Testimony, segments: Chain, cursor: Position, max_events: int, max_bytes: int) -> Read | None:
        here, missing, wanted = cursor, 0, 0
        while (found := self._segment_at(segments, here)) is not None:
            header, here, skipped = found
            missing += skipped
            following = segments.after(header.number)
            path = segment_of(self._folder, header.number)
            if following is None:
                last = said.extent[0]
                waiting = max(said.extent[1] - here.bytes, 0) + HEAD_SIZE * max(last - here.seq, 0)
            else:
                last, waiting = _NO_LIMIT, following.previous_end - here.offset
            if here.seq >= last:
                break
            wanted = max(min(waiting, max_bytes + HEAD_SIZE * max_events), wanted, HEAD_SIZE)
            if following is not None:
                wanted = min(wanted, waiting)
            data = _fetch(path, here.offset, wanted)
            got = scan(data, here.seq, last, max_events, max_bytes)
            missing += got.missing
            after = Position(header.number, here.offset + got.used, got.seq, here.bytes + got.size)
            if got.bodies or got.damaged:
                return Read(got.bodies, got.damaged, missing, after)
            if got.used:  # what was given up
                here = after
            elif wanted < got.needed and (following is None or got.needed <= waiting):
                wanted = got.needed
            elif following is None and _may_be_lost(said):
                break
            else:
                raise damaged(f"{path} is damaged at byte {here.offset:,}: event {here.seq + 1:,} should be there")
        if found is None and here.seq < said.extent[0] and not (_may_be_lost(said) or self._is_collected(said)):
            raise damaged(
                f"the journal {self._folder} has lost its events from {here.seq + 1:,} on: no file holds them"
            )
        return Read([], [], missing, here) if missing else None

    def _is_collected(self, said: Testimony) -> bool:
        """Whether everything committed was deleted, under whatever cursor."""
        collected = Witness.says(collected_of(self._folder))
        return collected is not None and collected.spool == self.id and collected.extent[0] >= said.extent[0]

    def _segment_at(self, segments: Chain, cursor: Position) -> tuple[Header, Position, int] | None:
        """Return the segment in which a cursor's next record is, the cursor there, and how many are missing before.

        None when there is no segment yet.
        """
        headers, missing = segments.headers, 0
        header = next((each for each in headers if each.number >= cursor.segment), None)
        if header is None:
            return None
        if header.number != cursor.segment:
            cursor, missing = _enter(header, cursor)
        while (following := segments.after(header.number)) is not None and cursor.offset >= following.previous_end:
            cursor, more = _enter(following, cursor)
            header, missing = following, missing + more
        if following is None and header is not headers[-1]:
            later = next(each for each in headers if each.number > header.number)
            raise damaged(f"{segment_of(self._folder, later.previous)} is missing")
        return header, cursor, missing


def _enter(header: Header, cursor: Position) -> tuple[Position, int]:
    missing = max(header.first - 1 - cursor.seq, 0)
    return Position(header.number, HEADER_SIZE, header.first - 1, header.bytes), missing


def _fetch(path: Path, at: int, size: int) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(file, size, at)
    finally:
        os.close(file)


def _collected(segments: Chain, cursor: Position) -> list[int]:
    """Return the numbers of the segments that hold nothing after ``cursor``, oldest first."""
    numbers = [number for number in segments.strays if number < segments.headers[-1].number]
    for before, after in pairwise(segments.headers):
        if after.previous != before.number or (cursor.segment, cursor.offset) < (before.number, after.previous_end):
            break
        numbers.append(before.number)
    return sorted(numbers)


def _may_be_lost(said: Testimony) -> bool:
    """Whether a power cut may have lost what the witness claims; the writer's next start decides."""
    return not said.fsync and said.boot != boot_id()


def _unreadable(folder: Path, error: OSError) -> SpoolUnavailable:
    return SpoolUnavailable(f"cannot read the journal {folder}: {error}", hint_for_system(error))
