"""Keys that were refused, as the operator sees them: counted each time, logged now and then, never shown."""

from enum import StrEnum
from typing import Any, Final

from tokenboard.observability import BoundedLog, Counters, logger

Peer = tuple[str, int] | None
"""The address and port a request came from, as an ASGI scope's ``client`` has it."""

_KEYS_BEGIN: Final = b"tb-"


class Why(StrEnum):
    """Why a request's key did not let it in. Counted as ``refused_keys.REASON``."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    SCOPE = "scope"


class RefusedKeys:
    """Counts refused keys and logs the first of each reason, then at most one a minute.

    A log line has what helps to find the client and the mistake: its address, how long the secret is and whether it
    looks like a key of a board; the id of a key that is known. Of the secret itself not a letter.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._log = BoundedLog(logger("access"))

    def note(self, why: Why, peer: Peer, *, secret: bytes = b"", key_id: int | None = None) -> None:
        """Note one refusal."""
        self._counters.add(f"refused_keys.{why}")
        if why is Why.MISSING:
            return  # every scanner of the network asks without one
        facts: dict[str, Any] = {"reason": str(why), "client": peer[0] if peer else "unknown"}
        if key_id is not None:
            facts["key_id"] = key_id
        elif secret:
            facts |= {"key_length": len(secret), "looks_like_ours": secret.startswith(_KEYS_BEGIN)}
        self._log.warning(f"refused_keys.{why}", "a key was refused", facts)
