"""The segment being written."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from tokenboard.journal.frames import HEAD_SIZE, HEADER_SIZE, Header, encode_header
from tokenboard.journal.segments import segment_of, sync_folder, write_all

ROOM: Final = 262_144
"""Bytes of zeros written ahead of the records: syncing an overwrite is cheaper than syncing growth, which also
writes the file's new size. They also prove at a segment's beginning that the disk has room for more than a header."""

_BEGINNING: Final = "beginning"


class Before(NamedTuple):
    """The segment that the next one follows, and where its committed records end."""

    number: int
    end: int


class Segment:
    """The file of one segment, open for writing. It gets its name only once its header is on disk.

    ``fsync`` makes each write durable; without it all of them are once another segment follows: a power cut costs
    nothing of any but the newest. ``end`` is where its committed records end. Any method but `leave` raises OSError,
    and then nothing but `leave` may be called.
    """

    def __init__(self, folder: Path, header: Header, *, fsync: bool) -> None:
        self.header = header
        self.end = HEADER_SIZE
        self._fsync = fsync
        self._room_end = HEADER_SIZE + ROOM
        place = folder / _BEGINNING
        self._file = os.open(place, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_all(self._file, encode_header(header) + bytes(ROOM), 0)
            os.fdatasync(self._file)
            place.rename(segment_of(folder, header.number))
            sync_folder(folder)
        except OSError:
            os.close(self._file)
            for path in (place, segment_of(folder, header.number)):
                with suppress(OSError):  # one that stays behind is a stray
                    path.unlink(missing_ok=True)
            raise

    @property
    def before(self) -> Before:
        """The predecessor of a segment begun now: an empty one is skipped."""
        header = self.header
        if self.end == HEADER_SIZE:
            return Before(header.previous, header.previous_end)
        return Before(header.number, self.end)

    @property
    def removed(self) -> bool:
        """Whether its file has no name any more: nobody could read what is written to it."""
        return os.fstat(self._file).st_nlink == 0

    def takes(self, body: bytes) -> bool:
        """Whether a record of this body fits where room was made for it, so that writing it makes no other."""
        return not self._fsync or self.end + HEAD_SIZE + len(body) <= self._room_end

    def write(self, frames: bytes) -> int:
        """Write frames after the committed records, synced with ``fsync``; return where they end."""
        end = self.end + len(frames)
        if self._fsync and end > self._room_end:
            write_all(self._file, frames + bytes(ROOM), self.end)
            self._room_end = end + ROOM
        else:
            write_all(self._file, frames, self.end)
        if self._fsync:
            os.fdatasync(self._file)
        return end

    def finish(self) -> None:
        """Sync what is committed, before another segment follows."""
        if not self._fsync:
            os.fdatasync(self._file)

    def leave(self) -> None:
        """Cut off what is not committed, as far as the disk allows, and close the file."""
        with suppress(OSError):  # where the segment ends is told by the next one
            os.ftruncate(self._file, self.end)
        os.close(self._file)
