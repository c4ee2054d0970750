"""How a gateway is: what its board asks."""

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """Why its journal is of no use: since when (UTC epoch ms), what fails, and how the operator mends it."""

    since_ms: int
    what: str
    hint: str


class GatewayState(msgspec.Struct, frozen=True):
    """One gateway: its process, the snapshot it goes by, its journal, and what it has counted since its start.

    ``events`` and ``bytes`` are all that was ever committed to the journal ``journal``. ``full``: new requests are
    refused, as too much usage waits.
    """

    name: str
    pid: int
    run: str
    revision: int
    journal: str
    events: int
    bytes: int
    full: bool
    fault: Fault | None
    counters: dict[str, int]
