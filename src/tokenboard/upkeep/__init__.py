"""Upkeep of the figures: compared from raw event to ranking, rebuilt, and raw events dropped for their age.

    drain paused ─▶ one month of the ledger ─▶ drain goes on ─▶ the next month

Every step works on one month, between two batches of the drain: usage is accepted all the while, and delivered in
between. Each may be killed at any instant and done again.
"""

from tokenboard.upkeep.audit import Audited, Difference
from tokenboard.upkeep.upkeep import Rebuilt, Upkeep

__all__ = ["Audited", "Difference", "Rebuilt", "Upkeep"]
