"""How the gateway records usage: every use of a model that it serves becomes an event on disk.

    gateway ─▶ Intake: room? ─▶ … ─▶ event ─▶ encode ─▶ journal ─▶ on disk
                         └─▶ Dropped(reason), counted

Usage metered elsewhere arrives as `Facts`, through ``tokenboard.ingest``.
"""

from tokenboard.intake.facts import OPERATOR, Caller, Facts
from tokenboard.intake.intake import MAX_MODEL, MAX_PROVIDER, Dropped, EventLog, Intake, Recorded
from tokenboard.intake.refusal import RefusalReason

__all__ = [
    "MAX_MODEL",
    "MAX_PROVIDER",
    "OPERATOR",
    "Caller",
    "Dropped",
    "EventLog",
    "Facts",
    "Intake",
    "Recorded",
    "RefusalReason",
]
