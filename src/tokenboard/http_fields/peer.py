"""The client of a relayed request, told by one process of ours to another over a socket that only they can reach."""

import re
from typing import Final

PEER: Final = b"x-tokenboard-peer"
"""The header: ``1.2.3.4:5678`` or ``[2001:db8::1]:5678``. Believed on trusted listeners only, and passed on by none."""

_PEER: Final = re.compile(rb"(?:([0-9.]{7,15})|\[([0-9A-Za-z:.%_-]{2,60})\]):([0-9]{1,5})")


def write_peer(client: tuple[str, int]) -> bytes:
    """Return the header's value for a client's address and port."""
    host, port = client
    return f"[{host}]:{port}".encode("ascii") if ":" in host else f"{host}:{port}".encode("ascii")


def read_peer(value: bytes) -> tuple[str, int] | None:
    """Return the address and port that a value names; None where it is no such value."""
    found = _PEER.fullmatch(value)
    if found is None:
        return None
    port = int(found[3])
    host: bytes = found[1] or found[2]
    return (host.decode("ascii"), port) if port <= 65_535 else None
