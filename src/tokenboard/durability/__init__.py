"""What the queues on disk share: errors, health, group commit, and the witness file.

    append ─▶ handover (once a turn of the loop) ─▶ committer's thread ─▶ file ─▶ witness ─▶ appends told, at once

The `spool` (SQLite, the board's) and the `journal` (segment files, a gateway's) are made of these. Nothing here knows
what a body holds, or how it is stored.
"""

from tokenboard.durability.errors import CursorMoved, SpoolDamaged, SpoolError, SpoolFull, SpoolUnavailable
from tokenboard.durability.group_commit import Append, Handover, tell
from tokenboard.durability.health import Health, SpoolFault, hint_for_system
from tokenboard.durability.probing import Probing
from tokenboard.durability.witness import Testimony, Witness, boot_id

__all__ = [
    "Append",
    "CursorMoved",
    "Handover",
    "Health",
    "Probing",
    "SpoolDamaged",
    "SpoolError",
    "SpoolFault",
    "SpoolFull",
    "SpoolUnavailable",
    "Testimony",
    "Witness",
    "boot_id",
    "hint_for_system",
    "tell",
]
