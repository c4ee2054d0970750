"""The usage event: one answered (or failed) request, as it travels from the door to the ledger.

    intake ─▶ encode ─▶ spool ─▶ decode ─▶ drain ─▶ ledger

An event says who (an app's identity, or why none), what (model, provider, endpoint), how much (tokens, cost) and how it
went (status, latency). It never holds a word of a prompt or an answer. It is frozen: what the spool holds is what the
ledger gets.

One event alone is a `UsageEvent`; thousands that came together are the columns of one table, as the ledger takes them.
A parcel, the bytes in the spool, holds either.
"""

from tokenboard.event.event import MAX_TOKENS, Source, UsageEvent
from tokenboard.event.parcel import (
    COLUMNS_VERSION,
    SCHEMA_VERSION,
    EventDecodeError,
    decode_columns,
    decode_parcel,
    encode_columns,
    encode_parcel,
    is_by_columns,
)
from tokenboard.event.table import COLUMNS, MISFITS, event_table, events_of, table_of

__all__ = [
    "COLUMNS",
    "COLUMNS_VERSION",
    "MAX_TOKENS",
    "MISFITS",
    "SCHEMA_VERSION",
    "EventDecodeError",
    "Source",
    "UsageEvent",
    "decode_columns",
    "decode_parcel",
    "encode_columns",
    "encode_parcel",
    "event_table",
    "events_of",
    "is_by_columns",
    "table_of",
]
