"""Repairs a damaged journal, when an operator accepts the loss: it keeps what is left.

Segments change only where they cannot be read: those bytes are covered by a frame that marks them as lost, a damaged
header is rebuilt, and a missing segment is replaced by an empty one. So every cursor stays valid, and a reader learns
how many events are lost. Files are copied before they are changed.
"""

import os
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path

from tokenboard.durability import SpoolDamaged, Witness
from tokenboard.journal.frames import (
    HEAD_SIZE,
    HEADER_SIZE,
    RECORD,
    SKIPPED,
    Header,
    encode_header,
    encode_skipped,
    find_frame,
    frame_at,
)
from tokenboard.journal.position import Position
from tokenboard.journal.segment import Segment
from tokenboard.journal.segments import (
    chain,
    collected_of,
    numbers_in,
    read_header,
    read_identity,
    segment_of,
    witness_of,
    write_all,
    write_identity,
)


def accept_folder(folder: Path) -> Path | None:
    """Repair the journal in ``folder``, which must be locked.

    Returns where the files that had to be changed are kept as they were, None when none had to. Raises OSError.
    """
    return _Mending(folder).run()


class _Mending:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept = folder / f"damaged-{int(time.time())}"

    def run(self) -> Path | None:
        found = {number: read_header(self._folder, number) for number in numbers_in(self._folder)}
        journal = self._identity([header for header in found.values() if header is not None])
        headers = {number: header for number, header in found.items() if header and header.journal == journal}
        segments = chain(headers.values())
        ends = {header.previous: header.previous_end for header in segments.headers}
        oldest = min(found, default=0)
        numbers = {*found, *(number for number in ends if number >= oldest)} - {*segments.strays}
        here = Position()
        for number in sorted(numbers - {0}):
            following = segments.after(number)
            here = self._mend(journal, number, headers.get(number), here, following)
        said = [Witness.says(path) for path in (witness_of(self._folder), collected_of(self._folder))]
        last = max([here.seq, *(each.extent[0] for each in said if each is not None and each.spool == journal)])
        number = max([*found, int(time.time() * 1000) - 1]) + 1
        Segment(
            self._folder, Header(journal, number, here.segment, here.offset, last + 1, here.bytes), fsync=True
        ).leave()
        witness = Witness(witness_of(self._folder), journal, fsync=True)
        try:
            witness.write(last, here.bytes)
            witness.sync()
        finally:
            witness.close()
        return self._kept if self._kept.exists() else None

    def _identity(self, headers: list[Header]) -> str:
        journal = None
        with suppress(SpoolDamaged):
            journal = read_identity(self._folder)
        if journal is None:
            journal = headers[-1].journal if headers else uuid.uuid4().hex
            write_identity(self._folder, journal)
        return journal

    def _mend(
        self, journal: str, number: int, header: Header | None, before: Position, following: Header | None
    ) -> Position:
        """Repair one segment, and return where it ends; ``before`` is where its predecessor ends."""
        path = segment_of(self._folder, number)
        data = path.read_bytes() if path.exists() else b""
        patches: list[tuple[int, bytes]] = []
        end = len(data) if following is None else following.previous_end
        if header is None:
            at = find_frame(data, HEADER_SIZE, end, before.seq + 1)
            frame = None if at is None else frame_at(data, at)
            first = frame.seq if frame is not None else before.seq + 1
            header = Header(journal, number, before.segment, before.offset, first, before.bytes)
            patches.append((0, encode_header(header)))
        at, seq, size = HEADER_SIZE, header.first - 1, header.bytes
        while at < end:
            frame = frame_at(data, at)
            if frame is not None and at + HEAD_SIZE + frame.length <= min(end, len(data)):
                if frame.kind == RECORD and frame.seq == seq + 1:
                    at, seq, size = at + HEAD_SIZE + frame.length, frame.seq, size + frame.length
                    continue
                if frame.kind == SKIPPED and frame.seq > seq:
                    at, seq = at + HEAD_SIZE + frame.length, frame.seq - 1
                    continue
            found = find_frame(data, at + HEAD_SIZE, end, seq + 1)
            after = None if found is None else frame_at(data, found)
            if found is not None and after is not None:
                patches.append((at, encode_skipped(found - at, after.seq)))
                at, seq = found, after.seq - 1
            elif following is not None and end - at >= HEAD_SIZE:
                patches.append((at, encode_skipped(end - at, max(following.first, seq + 1))))
                at, seq = end, max(following.first - 1, seq)
            else:
                break
        if patches or len(data) < at:
            self._keep(path)
            self._patch(path, patches, at)
        return Position(number, at, seq, size)

    def _keep(self, path: Path) -> None:
        if path.exists():
            self._kept.mkdir(mode=0o700, exist_ok=True)
            shutil.copy2(path, self._kept)

    def _patch(self, path: Path, patches: list[tuple[int, bytes]], size: int) -> None:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            for at, data in patches:
                write_all(file, data, at)
            if os.fstat(file).st_size < size:
                os.ftruncate(file, size)
            os.fsync(file)
        finally:
            os.close(file)
