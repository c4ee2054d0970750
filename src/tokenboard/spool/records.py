"""What a spool takes in and gives out."""

from dataclasses import dataclass
from typing import NamedTuple

from tokenboard.durability import SpoolFault


class Parcel(NamedTuple):
    """One appended record: ``events`` usage events in ``body``. ``seq`` grows with every append and is never reused.

    ``sound`` says whether the bytes are those that were appended: a disk may give back others.
    """

    seq: int
    events: int
    body: bytes
    sound: bool = True


@dataclass(frozen=True, slots=True)
class Batch:
    """All parcels up to ``last_seq`` under an id that never changes; ``plan`` is the drain's own record."""

    id: str
    last_seq: int
    plan: bytes
    parcels: tuple[Parcel, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one append: the number of events taken, and of those whose id had been seen before."""

    accepted: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that no store takes: since when (epoch ms), why, and its bytes."""

    number: int
    at_ms: int
    reason: str
    body: bytes


@dataclass(frozen=True, slots=True)
class SpoolState:
    """How full the spool is: events and bytes not yet acknowledged by the ledger, its limit, and the dead letters.

    ``dropped`` is how many dead letters operators have ever given up. ``fault`` tells why the spool cannot
    be used, None as long as it can.
    """

    pending: int
    bytes: int
    max_bytes: int
    dead_letters: int
    dropped: int = 0
    fault: SpoolFault | None = None

    @property
    def full(self) -> bool:
        """Whether new work is refused."""
        return self.bytes >= self.max_bytes
