"""How much of everything one client may use: counts, bytes and seconds."""

from dataclasses import dataclass

_COUNTS = ("max_connections", "max_header_bytes", "max_headers", "max_target_bytes", "max_pipelined", "high_water")
_TIMES = ("header_timeout_s", "body_timeout_s", "keep_alive_s", "write_timeout_s", "linger_s")


@dataclass(frozen=True, slots=True)
class Limits:
    """Each above 0. Times are seconds, and fire up to one tick late.

    ``max_connections``: open at once; a further one is told 503 and closed. ``max_header_bytes``, ``max_headers``: one
    request's target and fields; the bytes also bound what chunked framing and trailers may hold beside the body.
    ``max_pipelined``: requests read ahead while one is answered; the connection ends behind the last of them when there
    are more. ``high_water``: body bytes held for an application that does not take them; then the socket is left
    unread, so that one read of it (256 KiB under uvloop) may lie above it.

    ``header_timeout_s``: from a request's first byte, or the connection's beginning, to the end of its headers.
    ``body_timeout_s``: for each further KiB of a body, or the rest of it. ``keep_alive_s``: between two requests.
    ``write_timeout_s``: for a client to take anything of what is to be sent. ``linger_s``: how long bytes that a client
    is still sending are swallowed behind an answer that ends the connection, so that it can read the answer.
    """

    max_connections: int = 10_000
    max_header_bytes: int = 65_536
    max_headers: int = 200
    max_target_bytes: int = 8_192
    max_pipelined: int = 16
    high_water: int = 65_536
    header_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    keep_alive_s: float = 75.0
    write_timeout_s: float = 60.0
    linger_s: float = 5.0

    def __post_init__(self) -> None:
        for name in (*_COUNTS, *_TIMES):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")

    @property
    def tick_s(self) -> float:
        """How often the clocks of all connections are looked at, in seconds."""
        shortest = min(
            self.header_timeout_s, self.body_timeout_s, self.keep_alive_s, self.write_timeout_s, self.linger_s
        )
        return min(1.0, max(0.01, shortest / 4))
