"""The one door: every use of a model, whichever way it came in, passes here and becomes a spooled event, or is refused.

    gateway   ─▶ Facts ─┐
    POST /usage ─▶ Facts ┴▶ Intake: room? ─▶ in time? ─▶ in range? ─▶ event ─▶ encode ─▶ spool ─▶ Recorded
                                       └─▶ Dropped(reason), counted

Nothing else writes to the spool. A caller has parsed its input into `Facts` before; headers and JSON stop there.
"""

from tokenboard.intake.facts import OPERATOR, Caller, Facts
from tokenboard.intake.intake import MAX_AHEAD_MS, MAX_MODEL, MAX_PROVIDER, Dropped, Intake, Recorded, Refused, examine
from tokenboard.intake.refusal import Refusal

__all__ = [
    "MAX_AHEAD_MS",
    "MAX_MODEL",
    "MAX_PROVIDER",
    "OPERATOR",
    "Caller",
    "Dropped",
    "Facts",
    "Intake",
    "Recorded",
    "Refusal",
    "Refused",
    "examine",
]
