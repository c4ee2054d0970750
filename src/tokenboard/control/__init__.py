"""What a board and its gateways exchange, apart from usage.

    board ─▶ snapshot (keys, rules): a file, replaced atomically ─▶ gateway               `Publisher`, `SnapshotFile`
    board ─▶ "read it now", "how are you?" over the gateway's Unix socket ─▶ gateway      `Gateways`, `Endpoint`
    gateway ─▶ `GatewayState`: its journal, its counters, the snapshot it uses ─▶ board
    gateway on another machine ─▶ `Report`, and "is there another snapshot?" ─▶ board     `Remotes`

Neither depends on the other: without a board a gateway goes on with its last snapshot, and a gateway that misses a
request of the board finds the new snapshot in the file.
"""

from tokenboard.control.endpoint import Endpoint
from tokenboard.control.gateways import Gateways
from tokenboard.control.publisher import SNAPSHOT, Publisher
from tokenboard.control.remotes import RemoteGateway, Remotes, Report, ReportError, decode_report
from tokenboard.control.snapshot import (
    Snapshot,
    SnapshotError,
    SnapshotFile,
    decode_snapshot,
    encode_snapshot,
    read_snapshot,
    tag_of,
    write_snapshot,
)
from tokenboard.control.state import Fault, GatewayState
from tokenboard.control.watcher import Watcher

__all__ = [
    "SNAPSHOT",
    "Endpoint",
    "Fault",
    "GatewayState",
    "Gateways",
    "Publisher",
    "RemoteGateway",
    "Remotes",
    "Report",
    "ReportError",
    "Snapshot",
    "SnapshotError",
    "SnapshotFile",
    "Watcher",
    "decode_report",
    "decode_snapshot",
    "encode_snapshot",
    "read_snapshot",
    "tag_of",
    "write_snapshot",
]
