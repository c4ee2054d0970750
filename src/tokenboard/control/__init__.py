"""What a board and its gateways tell each other, beside usage.

    board ─▶ snapshot (keys, rules): a file, put in place of the last one ─▶ gateway      `Publisher`, `SnapshotFile`
    board ─▶ "read it now", "how are you?" over the gateway's Unix socket ─▶ gateway      `Gateways`, `Endpoint`
    gateway ─▶ `GatewayState`: its journal, its counters, which snapshot it goes by ─▶ board

Neither waits for the other: without a board a gateway goes on by its last snapshot, and what a board tells to a gateway
that is away, that gateway finds in the file.
"""

from tokenboard.control.endpoint import Endpoint
from tokenboard.control.gateways import Gateways
from tokenboard.control.publisher import SNAPSHOT, Publisher
from tokenboard.control.snapshot import Snapshot, SnapshotError, SnapshotFile
from tokenboard.control.state import Fault, GatewayState
from tokenboard.control.watcher import Watcher

__all__ = [
    "SNAPSHOT",
    "Endpoint",
    "Fault",
    "GatewayState",
    "Gateways",
    "Publisher",
    "Snapshot",
    "SnapshotError",
    "SnapshotFile",
    "Watcher",
]
