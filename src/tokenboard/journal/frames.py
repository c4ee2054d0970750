"""The bytes of a segment: its header, and a frame around each record.

    header   magic 8 | journal's id 16 | number 8 | previous 8 | previous_end 8 | first 8 | bytes 8 | crc32 4
    frame    magic 2 | kind 2 | length 4 | seq 8 | crc32 of the body 4 | crc32 of the 20 bytes before 4 | body

Integers are little-endian. A frame's head has its own checksum, so that a damaged body hides nothing after it. The
records end at zeros, or at the end of the file.
"""

import struct
import uuid
import zlib
from typing import Final, NamedTuple

RECORD: Final = 1
SKIPPED: Final = 2
"""A frame over bytes that were given up as lost; its ``seq`` is that of the record after it."""

_HEADER: Final = struct.Struct("<8s16s5Q")
_HEAD: Final = struct.Struct("<HHIQI")
_SUM: Final = struct.Struct("<I")
_WHOLE_HEAD: Final = struct.Struct("<HHIQII")
_SEGMENT_MAGIC: Final = b"tbjrnl\x01\n"
_FRAME_MAGIC: Final = 0x4A54
_FRAME_MAGIC_BYTES: Final = _FRAME_MAGIC.to_bytes(2, "little")

HEADER_SIZE: Final = _HEADER.size + _SUM.size
HEAD_SIZE: Final = _WHOLE_HEAD.size


class Header(NamedTuple):
    """How a segment begins.

    ``number`` orders segments and is never reused. What was committed to the segment ``previous`` ends at
    ``previous_end``, whatever lies after that; 0 when nothing was before. ``first`` is the first record's seq, and
    ``bytes`` the size of all bodies before it.
    """

    journal: str
    number: int
    previous: int
    previous_end: int
    first: int
    bytes: int


class Frame(NamedTuple):
    """The head of a frame: ``length`` bytes follow, whose checksum is ``sum``."""

    kind: int
    length: int
    seq: int
    sum: int


def encode_header(header: Header) -> bytes:
    """Return a header's bytes."""
    told = _HEADER.pack(_SEGMENT_MAGIC, uuid.UUID(header.journal).bytes, *header[1:])
    return told + _SUM.pack(zlib.crc32(told))


def decode_header(data: bytes) -> Header | None:
    """Return the header that a segment begins with, None when it is damaged."""
    if len(data) < HEADER_SIZE or _SUM.unpack_from(data, _HEADER.size)[0] != zlib.crc32(data[: _HEADER.size]):
        return None
    magic, journal, *numbers = _HEADER.unpack_from(data)
    return Header(uuid.UUID(bytes=journal).hex, *numbers) if magic == _SEGMENT_MAGIC else None


def encode_records(first: int, bodies: list[bytes]) -> bytes:
    """Return the frames of bodies that are numbered from ``first`` on."""
    parts: list[bytes] = []
    for seq, body in enumerate(bodies, first):
        head = _HEAD.pack(_FRAME_MAGIC, RECORD, len(body), seq, zlib.crc32(body))
        parts += (head, _SUM.pack(zlib.crc32(head)), body)
    return b"".join(parts)


def encode_skipped(size: int, following: int) -> bytes:
    """Return the head of a frame that covers ``size`` bytes, its own among them."""
    head = _HEAD.pack(_FRAME_MAGIC, SKIPPED, size - HEAD_SIZE, following, 0)
    return head + _SUM.pack(zlib.crc32(head))


def frame_at(data: bytes, at: int) -> Frame | None:
    """Return the head of the frame at ``at``, None when there is none that is whole; its body may be cut off."""
    if at + HEAD_SIZE > len(data):
        return None
    magic, kind, length, seq, total, head_sum = _WHOLE_HEAD.unpack_from(data, at)
    if magic != _FRAME_MAGIC or zlib.crc32(data[at : at + _HEAD.size]) != head_sum:
        return None
    return Frame(kind, length, seq, total)


def find_frame(data: bytes, at: int, end: int, seq: int) -> int | None:
    """Return where, from ``at`` on, the next whole record begins that is ``seq`` or later and ends before ``end``."""
    while (at := data.find(_FRAME_MAGIC_BYTES, at, end)) >= 0:
        frame = frame_at(data, at)
        if frame is not None and frame.seq >= seq and at + HEAD_SIZE + frame.length <= min(end, len(data)):
            return at
        at += 1
    return None
