"""The spool: the board's durable queue between what was recorded and the ledger.

    ingest ─▶ append_new ─┐
    collector ─▶ collect ─┴▶ parcels ─▶ peek ─▶ fix ─▶ [ledger insert] ─▶ ack
                                ▲        └▶ dead letters, each with a reason
                                └─ replay ──┘

One SQLite file in WAL mode, written by one committer thread that puts everything waiting into one transaction. What it
has acknowledged survives kill -9; with ``fsync`` also a power cut, which what was collected or fixed survives in any
case. A batch's id and content are fixed on disk before anything is sent on, so that a retry after a crash sends exactly
the same. The spool owns the file; it knows nothing of what a parcel holds beyond its bytes and its number of events.
From the first commit or read that fails on it tells that it is of no use, until a probe that the committer writes, or
the same read, works again.
"""

from tokenboard.durability import CursorMoved, SpoolDamaged, SpoolError, SpoolFault, SpoolFull, SpoolUnavailable
from tokenboard.spool.records import Batch, DeadLetter, Parcel, Receipt, SpoolState
from tokenboard.spool.spool import Spool

__all__ = [
    "Batch",
    "CursorMoved",
    "DeadLetter",
    "Parcel",
    "Receipt",
    "Spool",
    "SpoolDamaged",
    "SpoolError",
    "SpoolFault",
    "SpoolFull",
    "SpoolState",
    "SpoolUnavailable",
]
