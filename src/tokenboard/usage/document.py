"""JSON bytes to events: only the keys that are looked at are built, and what does not parse is abridged instead.

Broken or absurdly nested JSON still yields its usage when the usage object itself is whole.
"""

import json
from types import GenericAlias
from typing import Any, Final, TypedDict

from msgspec.json import Decoder

from tokenboard.usage import endings, output, places
from tokenboard.usage.abridge import Abridger
from tokenboard.usage.number import exact_number

KEYS: Final = endings.KEYS | output.KEYS | places.KEYS
"""The top-level keys that are looked at."""

# Keys are looked up from where the last was found on: the most frequent ones stand first, as servers order them.
_FREQUENT: Final = ["object", "type", "choices", "usage", "delta"]
_ORDERED: Final = [*_FREQUENT, *sorted(KEYS.difference(_FREQUENT))]

# A type that decodes to a dict with these keys only; all else is skipped without being built.
_SHAPE: Final[Any] = TypedDict("_SHAPE", dict.fromkeys(_ORDERED, Any), total=False)  # type: ignore[misc]

_EVENT: Final[Decoder[dict[str, Any]]] = Decoder(_SHAPE)
_EVENTS: Final[Decoder[list[dict[str, Any]]]] = Decoder(GenericAlias(list, (_SHAPE,)))
# Decimal costs a call per number, so it is paid only where the bytes speak of money.
_EXACT_EVENT: Final[Decoder[dict[str, Any]]] = Decoder(_SHAPE, float_hook=exact_number)
_EXACT_EVENTS: Final[Decoder[list[dict[str, Any]]]] = Decoder(GenericAlias(list, (_SHAPE,)), float_hook=exact_number)
_COST: Final = b"cost"

UNREADABLE: Final = (ValueError, RecursionError)
"""What decoding raises: msgspec's errors and UnicodeDecodeError are ValueErrors, RecursionError is nesting too deep."""

_LENIENT: Final = json.JSONDecoder(parse_float=exact_number, strict=False)
_OPENERS: Final = (b"{", b"[")
_PARSED_AGAIN: Final = 1024 * 1024


def decode_event(data: bytes) -> dict[str, Any] | None:
    """Return the keys of interest of one event of a stream, or None when it cannot be parsed. Never raises."""
    try:
        return (_EXACT_EVENT if _COST in data else _EVENT).decode(data)
    except UNREADABLE:
        return None


def is_document(data: bytes) -> bool:
    """Tell whether these bytes are one JSON object."""
    return decode_event(data) is not None


def decode_body(data: bytes | bytearray) -> list[dict[str, Any]] | None:
    """Return the events a whole body amounts to, or None when it cannot be parsed. Never raises.

    One for an object; one for each element of an array, which is how Gemini streams without SSE.
    """
    exact = _COST in data
    try:
        if data[:1] == b"[":
            return (_EXACT_EVENTS if exact else _EVENTS).decode(data)
        return [(_EXACT_EVENT if exact else _EVENT).decode(data)]
    except UNREADABLE:
        return None


def salvage(data: bytes | bytearray) -> tuple[list[dict[str, Any]], bool]:
    """Return what can be found in JSON that `decode_event` refuses, and whether it is JSON for all that.

    Several documents, one after the other, are an event each. What does not look like JSON is nothing, and whole.
    """
    if not data.lstrip()[:1].startswith(_OPENERS):
        return [], True
    abridger = Abridger()
    documents = abridger.feed(data) + abridger.close()
    events = [event for document in documents if (event := decode_abridged(document)) is not None]
    return events, abridger.whole and (len(data) > _PARSED_AGAIN or _is_json(data))


def _is_json(data: bytes | bytearray) -> bool:
    """Tell whether a parser more lenient than ours, in what a string may hold, takes it for one document."""
    try:
        _LENIENT.decode(data.decode("utf-8", "replace").strip())
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def decode_abridged(document: bytes) -> dict[str, Any] | None:
    """Return a document that an `Abridger` has written, or None if it is no JSON even so."""
    event = decode_event(document)
    if event is not None:
        return event
    try:
        found = _LENIENT.decode(document.decode("utf-8", "replace"))
    except UNREADABLE:
        return None
    return found if type(found) is dict else None
