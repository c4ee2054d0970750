"""The collector: what gateways have recorded, brought from their journals into the board's spool.

    journal ─▶ read behind the cursor ─▶ joined to parcels ─▶ spool, and the cursor with it ─▶ the journal forgets

Usage and cursor are committed in one transaction, so each event is taken over once, whenever either process dies.
"""

from tokenboard.collector.collector import Collector, Uncollected

__all__ = ["Collector", "Uncollected"]
