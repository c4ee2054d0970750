"""One event."""

from decimal import Decimal
from enum import StrEnum

import msgspec

MAX_TOKENS = 10**12
"""Largest token count of one event, inclusive (data-api: POST /usage)."""


class Source(StrEnum):
    """The way in by which an event came."""

    GATEWAY = "gateway"
    USAGE_API = "usage_api"


class UsageEvent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One request's usage. Times are UTC epoch milliseconds, counts are tokens, cost is USD; None is unknown, not zero.

    ``app_key`` is the app's identity key (``AppIdentity.key``) or None, and then ``reason`` says why. Fields are
    encoded by position: new ones are appended with a default, none is ever removed or reordered within a schema
    version. ``tool_calls`` is whether the answer held a call of a tool. An event is part of no cycle, so the garbage
    collector need not follow it.
    """

    id: str
    ts_ms: int
    received_ms: int
    source: Source
    account_id: int
    key_id: int
    app_key: str | None
    reason: str | None
    title: str | None
    categories: tuple[str, ...]
    model: str
    provider: str
    endpoint: str
    streamed: bool
    status: int
    failed: bool
    usage_source: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: Decimal | None = None
    latency_ms: int | None = None
    first_token_ms: int | None = None
    tool_calls: bool | None = None
