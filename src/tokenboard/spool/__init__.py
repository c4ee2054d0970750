"""The spool: a durable local queue between an answered request and the ledger.

    intake ─▶ append (group commit) ─▶ parcels ─▶ peek ─▶ fix ─▶ [ledger insert] ─▶ ack
                                              └▶ dead letters, each with a reason

One SQLite file in WAL mode, written by one committer thread that puts everything waiting into one transaction. What
`append` has acknowledged survives kill -9; with ``fsync`` also a power cut. A batch's id and content are fixed on disk
before anything is sent on, so that a retry after a crash sends exactly the same. The spool owns the file; it knows
nothing of what a parcel holds beyond its bytes and its number of events. From the first commit or read that fails on it
tells that it is of no use, until one works again: the committer writes a probe until then.
"""

from tokenboard.durability import SpoolDamaged, SpoolError, SpoolFault, SpoolFull, SpoolUnavailable
from tokenboard.spool.records import Batch, DeadLetter, Parcel, Receipt, SpoolState
from tokenboard.spool.spool import Spool

__all__ = [
    "Batch",
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
