"""One usage event, as it is looked up by its id."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Generation:
    """One event in the ledger: `tokenboard.event.UsageEvent`, with the app it was counted for.

    ``app_id`` 0 is unattributed. Counts are tokens, cost is USD; None is unknown, not zero.
    """

    id: str
    ts_ms: int
    source: str
    app_id: int
    model: str
    provider: str
    endpoint: str
    streamed: bool
    status: int
    failed: bool
    usage_source: str
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    cost: Decimal | None
    latency_ms: int | None
    first_token_ms: int | None
