"""The usage event: one answered (or failed) request, as it travels from intake to the ledger.

    intake ─▶ encode ─▶ journal ─▶ spool ─▶ decode ─▶ drain ─▶ ledger

An event says who (an app's identity, or why none), what (model, provider, endpoint), how much (tokens, cost) and how it
went (status, latency). It never holds a word of a prompt or an answer. It is frozen: what the spool holds is what the
ledger gets.

Thousands that came together travel as the columns of one table instead: ``tokenboard.event_table``.
"""

from tokenboard.event.encoding import (
    SCHEMA_VERSION,
    EventDecodeError,
    decode_events,
    encode_event,
    encode_parcel,
    join_events,
    split_events,
)
from tokenboard.event.event import MAX_TOKENS, Source, UsageEvent

__all__ = [
    "MAX_TOKENS",
    "SCHEMA_VERSION",
    "EventDecodeError",
    "Source",
    "UsageEvent",
    "decode_events",
    "encode_event",
    "encode_parcel",
    "join_events",
    "split_events",
]
