"""Records out of a stretch of a segment's bytes."""

import zlib
from typing import NamedTuple

from tokenboard.journal.frames import HEAD_SIZE, RECORD, SKIPPED, frame_at
from tokenboard.journal.position import Damaged


class Scan(NamedTuple):
    """What a stretch holds: the records, how many numbers were given up among them, and where it ended.

    ``seq`` is the last one's, ``size`` that of all their bodies, ``used`` how many bytes they take; that may be more
    than there are when the last thing is a frame over bytes that were given up. ``needed`` is what the stretch should
    have had for one thing more: 0 when that would have been too much, or is no frame at all.
    """

    bodies: list[bytes]
    damaged: list[Damaged]
    missing: int
    seq: int
    size: int
    used: int
    needed: int


def scan(data: bytes, seq: int, last: int, max_events: int, max_bytes: int) -> Scan:
    """Return the records after ``seq`` that ``data`` begins with: up to ``last``, within the limits, at least one."""
    bodies: list[bytes] = []
    broken: list[Damaged] = []
    at, size, missing, needed = 0, 0, 0, 0
    while seq < last and at < len(data):
        frame = frame_at(data, at)
        if frame is None:
            needed = at + HEAD_SIZE if at + HEAD_SIZE > len(data) else 0
            break
        end = at + HEAD_SIZE + frame.length
        if frame.kind == SKIPPED and frame.seq > seq:
            missing += frame.seq - 1 - seq
            at, seq = end, frame.seq - 1
            continue
        if frame.kind != RECORD or frame.seq != seq + 1:
            break
        count = len(bodies) + len(broken)
        if count and (count >= max_events or size + frame.length > max_bytes):
            break
        if end > len(data):
            needed = end
            break
        body = data[at + HEAD_SIZE : end]
        if zlib.crc32(body) == frame.sum:
            bodies.append(body)
        else:
            broken.append(Damaged(frame.seq, "its bytes are not those that were appended", body))
        at, seq, size = end, frame.seq, size + frame.length
    return Scan(bodies, broken, missing, seq, size, at, needed)
