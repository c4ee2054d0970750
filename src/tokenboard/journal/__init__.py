"""The journal: a gateway's durable queue of usage events, from its process to the board's.

    gateway ─▶ JournalWriter ─▶ segment ─▶ segment ─▶ … ─▶ JournalReader ─▶ the board's spool
                  │ witness ("committed up to here") ──────────▶│
                  │◀────────── collected ("taken up to here") ─┘

One writer, which holds a lock, and one reader in another process, which takes none: they share nothing but files, each
of which only one of them writes. A record is one event. What `JournalWriter.append` has acknowledged survives kill -9;
with ``fsync`` also a power cut. The reader sees only committed records, whether the writer is running or not, and
deletes a segment once the board has it durably.

In the folder: ``journal.json`` (its id), ``lock``, ``witness``, ``collected``, and ``<number>.segment``: a header that
says where the segment before it ends, then records. A segment is written to its end or abandoned, never
continued: after an error, and at each start, a new one begins.
"""

from tokenboard.journal.bounded import BoundedJournal, elsewhere_of, journals_in
from tokenboard.journal.position import Damaged, Held, Position, Read
from tokenboard.journal.reader import JournalReader
from tokenboard.journal.segments import lock_folder
from tokenboard.journal.writer import JournalWriter

__all__ = [
    "BoundedJournal",
    "Damaged",
    "Held",
    "JournalReader",
    "JournalWriter",
    "Position",
    "Read",
    "elsewhere_of",
    "journals_in",
    "lock_folder",
]
