"""The state that a gateway reports to its board."""

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """Why its journal cannot be written: since when (UTC epoch ms), what fails, and a hint for the operator."""

    since_ms: int
    what: str
    hint: str


class GatewayState(msgspec.Struct, frozen=True):
    """One gateway: its process, the snapshot it uses, its journal, and its counters since its start.

    ``events`` and ``bytes`` count all that was ever committed to the journal (id: ``journal``). ``full``: new requests
    are refused, as too much usage waits.
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
