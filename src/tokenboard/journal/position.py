"""What a reader of a journal gets: positions, counts, and batches of records."""

from dataclasses import dataclass
from typing import NamedTuple


class Position(NamedTuple):
    """A position in a journal, just before the next record: a segment's number and an offset in its file.

    ``seq`` is that of the last record before it and ``bytes`` the size of all bodies before it; they count, and are
    not used to seek. The default is the beginning.
    """

    segment: int = 0
    offset: int = 0
    seq: int = 0
    bytes: int = 0


class Held(NamedTuple):
    """How many events wait, and the size of their bodies."""

    events: int
    bytes: int


class Damaged(NamedTuple):
    """A record whose bytes have changed: which, what is wrong with it, and the bytes found."""

    seq: int
    reason: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Read:
    """Committed records, in order: ``bodies``, and apart those that are ``damaged``. ``next`` is the position behind.

    ``missing`` counts events before or among them that the journal no longer has: deleted under another cursor, lost in
    a power cut without fsync, or given up when an operator accepted a damaged journal. There may be no records beside
    them.
    """

    bodies: list[bytes]
    damaged: list[Damaged]
    missing: int
    next: Position
