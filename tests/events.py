"""Usage events made briefly, for the parts between intake and the ledger."""

from typing import Any

from tokenboard.event import Source, UsageEvent, encode_parcel

DAY_MS = 86_400_000
NOON = 20_454 * DAY_MS + DAY_MS // 2
"""2026-01-01T12:00:00Z in epoch milliseconds."""

_PLAIN: dict[str, Any] = {
    "id": "e-1",
    "ts_ms": NOON,
    "received_ms": NOON,
    "source": Source.USAGE_API,
    "account_id": 1,
    "key_id": 1,
    "app_key": "https://cline.bot",
    "reason": None,
    "title": "Cline",
    "categories": ("cli-agent",),
    "model": "openai/gpt-4o",
    "provider": "openai",
    "endpoint": "chat",
    "streamed": False,
    "status": 200,
    "failed": False,
    "usage_source": "reported",
    "prompt_tokens": 12,
    "completion_tokens": 9,
}


def event(**given: Any) -> UsageEvent:
    """Return an event like any other but for what is given; nothing is checked."""
    return UsageEvent(**(_PLAIN | given))


def parcel(*events: UsageEvent) -> bytes:
    """Return these events, or one plain event, as a parcel."""
    return encode_parcel(events or (event(),))
