"""API keys as everybody knows them who checks one: what a key may be used for, and by what it is recognized."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a key may be used for."""

    INFERENCE = "inference"
    DATA = "data"
    INGEST = "ingest"
    ADMIN = "admin"
    GATEWAY = "gateway"
    """To be a gateway on another machine: to know keys by their SHA-256, and to report what they have used."""


@dataclass(frozen=True, slots=True)
class Key:
    """One API key. ``digest`` is the SHA-256 of its secret, ``hint`` its first and last characters."""

    id: int
    account_id: int
    account: str
    label: str
    scopes: frozenset[Scope]
    digest: bytes
    hint: str
    created_ms: int
    revoked_ms: int | None


def digest_of(secret: str | bytes) -> bytes:
    """Return the SHA-256 of a key's secret, 32 bytes. A string that is no valid Unicode matches no key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret).digest()
