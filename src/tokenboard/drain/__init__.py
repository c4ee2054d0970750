"""The drain: spool ─▶ catalog (app ids, titles, categories) ─▶ ledger ─▶ rankings refreshed ─▶ ack.

    peek ─▶ decode ─▶ observe (catalog) ─▶ plan ─▶ fix (spool) ─▶ insert (ledger) ─▶ delivered() ─▶ ack (spool)

One thread, one batch at a time. Up to *fix* everything may be done again; from *fix* on the batch is sent unchanged
until the ledger has taken it, which makes each event count once. A record that cannot be read or placed is kept in the
spool as a dead letter, with its reason, and holds up nothing.
"""

from tokenboard.drain.drain import MAX_BATCH, Drain, DrainState
from tokenboard.drain.plan import Plan, PlanError, decode_plan

__all__ = ["MAX_BATCH", "Drain", "DrainState", "Plan", "PlanError", "decode_plan"]
