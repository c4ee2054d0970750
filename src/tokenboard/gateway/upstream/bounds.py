"""How much of everything one pool may use: counts, bytes and seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; each above 0, `math.inf` for never. They fire up to one tick late (see `pool.tick_of`).

    `connect_s`: name look-up, TCP and TLS handshake together. `first_byte_s`: from the last byte of the request
    written, or the last progress in writing it, to the whole head of the answer. `idle_s`: between two pieces of the
    body, while the caller waits for one. `acquire_s`: waiting for a free connection; `connect_s` when None.
    """

    connect_s: float
    first_byte_s: float
    idle_s: float
    acquire_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("connect_s", "first_byte_s", "idle_s", "acquire_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, not {value}")


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts and bytes of one pool.

    `max_connections`: open at once, idle ones included. `max_idle`: kept open for reuse (0: none).
    `idle_keepalive_s`: for how long; less when the upstream says less. `max_header_bytes` and `max_headers`: one
    answer's head with its 1xx forerunners; the bytes also bound what chunked framing and trailers may hold without a
    byte of body. `high_water`: body bytes held unread before the socket is left unread too; one read of the transport
    (256 KiB under uvloop) may lie above it. `max_waiting`: requests queued for a connection.
    """

    max_connections: int
    max_idle: int
    idle_keepalive_s: float
    max_header_bytes: int = 65_536
    max_headers: int = 200
    high_water: int = 65_536
    max_waiting: int = 1_024

    def __post_init__(self) -> None:
        for name in ("max_connections", "idle_keepalive_s", "max_header_bytes", "max_headers", "high_water"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("max_idle", "max_waiting"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, but is {getattr(self, name)}")
