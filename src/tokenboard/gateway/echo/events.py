"""Events of a stream, as bytes."""

from collections.abc import Iterable
from typing import Any

import msgspec

DONE = b"data: [DONE]\n\n"
"""How OpenAI's older streams end."""

_encoder = msgspec.json.Encoder()


def plain_events(events: Iterable[dict[str, Any]]) -> list[bytes]:
    """Return events without a name, one piece each."""
    return [b"data: " + _encoder.encode(event) + b"\n\n" for event in events]


def named_events(events: Iterable[dict[str, Any]]) -> list[bytes]:
    """Return events named by their member ``type``, one piece each."""
    return [b"event: " + event["type"].encode() + b"\ndata: " + _encoder.encode(event) + b"\n\n" for event in events]
