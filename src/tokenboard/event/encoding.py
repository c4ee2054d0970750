"""Events as bytes: one alone, as a journal's record; and a parcel of them, MessagePack ``[version, [event, …]]``."""

from collections.abc import Sequence

import msgspec

from tokenboard.event.event import UsageEvent

SCHEMA_VERSION = 1
"""Written in front of a parcel of events one by one; a reader refuses versions it does not know."""

_REASON = 200  # characters of a decoder's complaint, which may quote the bytes
_MOST_JOINED = 2**32 - 1


class EventDecodeError(Exception):
    """The bytes are not a parcel of usage events of a version this program reads."""


_encoder = msgspec.msgpack.Encoder(decimal_format="string")
_parcel = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])
_events = msgspec.msgpack.Decoder(tuple[UsageEvent, ...])
_raw_events = msgspec.msgpack.Decoder(tuple[msgspec.Raw, ...])
DAMAGE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding bytes raises that are not what they should be."""

encode_event = _encoder.encode
"""Return the bytes of one event, as `join_events` takes them."""


def encode_parcel(events: Sequence[UsageEvent]) -> bytes:
    """Return the bytes that hold these events, in order."""
    return _encoder.encode((SCHEMA_VERSION, events))


def join_events(bodies: Sequence[bytes]) -> bytes:
    """Return a parcel of events that were encoded one by one, without looking into them."""
    count = len(bodies)
    if count > _MOST_JOINED:
        raise ValueError("a parcel holds no more events than MessagePack can count")
    # MessagePack: an array of two, the version, and an array with a count of 32 bits.
    return b"".join((b"\x92", _encoder.encode(SCHEMA_VERSION), b"\xdd", count.to_bytes(4, "big"), *bodies))


def decode_events(body: bytes) -> tuple[UsageEvent, ...]:
    """Return the events of a parcel.

    Raises:
        EventDecodeError: the bytes are damaged, or of an unknown schema version.

    """
    try:
        return _events.decode(_content(body))
    except DAMAGE as error:
        raise EventDecodeError(f"not a parcel of usage events: {str(error)[:_REASON]}") from error


def split_events(body: bytes) -> tuple[bytes, ...]:
    """Return each event of a parcel as a parcel of its own, whether or not it can be decoded.

    Raises:
        EventDecodeError: the parcel itself is damaged, or of an unknown schema version.

    """
    try:
        return tuple(join_events((bytes(event),)) for event in _raw_events.decode(_content(body)))
    except DAMAGE as error:
        raise EventDecodeError(f"not a parcel of usage events: {str(error)[:_REASON]}") from error


def _content(body: bytes) -> msgspec.Raw:
    version, content = _parcel.decode(body)
    if version != SCHEMA_VERSION:
        raise EventDecodeError(f"schema version {version}; this program reads version {SCHEMA_VERSION}")
    return content
