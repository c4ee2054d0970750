"""The usage event: one answered (or failed) request, as it travels from the door to the ledger.

    intake ─▶ encode ─▶ spool ─▶ decode ─▶ drain ─▶ ledger

An event says who (an app's identity, or why none), what (model, provider, endpoint), how much (tokens, cost) and how it
went (status, latency). It never holds a word of a prompt or an answer. It is frozen: what the spool holds is what the
ledger gets.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

SCHEMA_VERSION = 1
"""Written in front of every encoded parcel; a reader refuses versions it does not know."""

MAX_TOKENS = 10**12
"""Largest token count of one event, inclusive (data-api: POST /usage)."""


_REASON = 200  # characters of a decoder's complaint, which may quote the bytes


class EventDecodeError(Exception):
    """The bytes are not a parcel of usage events of a version this program reads."""


class Source(StrEnum):
    """The way in by which an event came."""

    GATEWAY = "gateway"
    USAGE_API = "usage_api"


class UsageEvent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One request's usage. Times are UTC epoch milliseconds, counts are tokens, cost is USD; None is unknown, not zero.

    ``app_key`` is the app's identity key (``AppIdentity.key``) or None, and then ``reason`` says why. Fields are
    encoded by position: new ones are appended with a default, none is ever removed or reordered within a schema
    version. An event is part of no cycle, so the garbage collector need not follow it.
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


_encoder = msgspec.msgpack.Encoder(decimal_format="string")
_parcel = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])
_events = msgspec.msgpack.Decoder(tuple[UsageEvent, ...])


def encode_parcel(events: Sequence[UsageEvent]) -> bytes:
    """Return the bytes that hold these events, in order: MessagePack ``[version, [event, …]]``."""
    return _encoder.encode((SCHEMA_VERSION, events))


def decode_parcel(body: bytes) -> tuple[UsageEvent, ...]:
    """Return the events of one parcel.

    Raises:
        EventDecodeError: the bytes are damaged, or of an unknown schema version.

    """
    try:
        version, content = _parcel.decode(body)
        if version == SCHEMA_VERSION:
            return _events.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventDecodeError(f"not a parcel of usage events: {str(error)[:_REASON]}") from error
    raise EventDecodeError(f"schema version {version}; this program reads version {SCHEMA_VERSION}")
