"""The collector: moves what gateways have recorded from their journals into the board's spool.

    journal ─▶ read after the cursor ─▶ joined into parcels ─▶ spool, with the cursor ─▶ segments are deleted

    gateway on another machine ─▶ shipment ─▶ the same way                                         `Shipments`

Usage and cursor are committed in one transaction, so each event is collected exactly once, whichever process dies.
"""

from tokenboard.collector.collector import Collector, Uncollected
from tokenboard.collector.shipments import Shipments

__all__ = ["Collector", "Shipments", "Uncollected"]
