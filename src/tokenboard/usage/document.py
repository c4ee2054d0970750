"""JSON bytes to events: only the keys some dialect asks for are built, and what does not parse is searched instead.

Broken, clipped or absurdly nested JSON still yields its usage when the usage object itself is whole: `"usage":` with
both quotes bare cannot stand inside a JSON string, so searching the bytes for it never finds what a model wrote.
"""

import json
import re
from types import GenericAlias
from typing import Any, Final, TypedDict

from msgspec.json import Decoder

from tokenboard.usage.dialects import BODY_KEYS, EVENT_KEYS
from tokenboard.usage.number import exact_number
from tokenboard.usage.tools import KEYS as TOOL_KEYS

_NAME_KEYS: Final = frozenset({"id", "model", "responseId", "modelVersion"})


def _shape(name: str, keys: frozenset[str]) -> Any:
    """Return a type that decodes to a dict with these keys only; all else is skipped without being built."""
    return TypedDict(name, dict.fromkeys(keys | _NAME_KEYS, Any), total=False)  # type: ignore[operator]


_EVENT_SHAPE: Final = _shape("Event", EVENT_KEYS | TOOL_KEYS)
_BODY_SHAPE: Final = _shape("Body", BODY_KEYS | TOOL_KEYS)

_EVENT: Final[Decoder[dict[str, Any]]] = Decoder(_EVENT_SHAPE)
_EVENTS: Final[Decoder[list[dict[str, Any]]]] = Decoder(GenericAlias(list, (_EVENT_SHAPE,)))
_BODY: Final[Decoder[dict[str, Any]]] = Decoder(_BODY_SHAPE)
# Decimal costs a call per number, so it is paid only where the bytes speak of money.
_EXACT_EVENT: Final[Decoder[dict[str, Any]]] = Decoder(_EVENT_SHAPE, float_hook=exact_number)
_EXACT_BODY: Final[Decoder[dict[str, Any]]] = Decoder(_BODY_SHAPE, float_hook=exact_number)
_COST: Final = b'"cost"'

# msgspec's errors and UnicodeDecodeError are ValueErrors; a RecursionError is nesting past the interpreter's limit.
_UNREADABLE: Final = (ValueError, RecursionError)

_USAGE_KEYS: Final = (b'"usage"', b'"usageMetadata"')
_OPENING: Final = re.compile(rb"\s{0,16}:\s{0,16}(?=\{)")
_TYPE: Final = re.compile(rb'\s{0,16}\{\s{0,16}"type"\s{0,16}:\s{0,16}"([a-z_.]{1,64})"')
_ERROR: Final = re.compile(rb'\s{0,16}\{\s{0,16}"error"\s{0,16}:\s{0,16}["{]')
_ID: Final = re.compile(rb'"(?:id|responseId)"\s{0,16}:\s{0,16}"([!#-\[\]-~]{1,200})"')
_MODEL: Final = re.compile(rb'"(?:model|modelVersion)"\s{0,16}:\s{0,16}"([!#-\[\]-~]{1,200})"')
_OBJECT: Final = json.JSONDecoder(parse_float=exact_number)
_HEAD: Final = 1024
_MAX_USAGE_OBJECT: Final = 16 * 1024
_MAX_ATTEMPTS: Final = 4


def decode_event(data: bytes | bytearray) -> dict[str, Any] | None:
    """Return the keys of interest of one event of a stream, or None when it is no JSON object. Never raises."""
    try:
        return (_EXACT_EVENT if _COST in data else _EVENT).decode(data)
    except _UNREADABLE:
        return salvage(data)


def decode_body(data: bytes | bytearray) -> tuple[list[dict[str, Any]], bool]:
    """Return the events a whole body amounts to, and whether it is intact JSON. Never raises.

    One for an object; one for each element of an array, which is how Gemini streams without SSE; one for each line when
    the lines are documents of their own. What does not parse is salvaged, and then not intact.
    """
    try:
        if data[:_HEAD].lstrip()[:1] == b"[":
            return _EVENTS.decode(data), True
        return [(_EXACT_BODY if _COST in data else _BODY).decode(data)], True
    except _UNREADABLE:
        pass
    end = data.find(b"\n")
    if end > 0 and _is_document(data[:end]):
        lines = (decode_event(line) for line in data.splitlines())
        return [event for event in lines if event is not None], False
    event = salvage(data)
    return ([] if event is None else [event]), False


def salvage(data: bytes | bytearray) -> dict[str, Any] | None:
    """Return what can be found in JSON that does not parse: type, error, id, model and the last usage object.

    None when neither a usage object nor a type nor an error is there.
    """
    if b'"' not in data:
        return None
    event: dict[str, Any] = {}
    kind = _TYPE.match(data)
    if kind is not None:
        event["type"] = kind[1].decode("ascii")
    if _ERROR.match(data) is not None:
        event["error"] = True
    for key in _USAGE_KEYS:
        usage = _find_last_object(data, key)
        if usage is not None:
            event[key[1:-1].decode("ascii")] = usage
    if event:
        head = bytes(data[:_HEAD])
        for name, pattern in (("id", _ID), ("model", _MODEL)):
            found = pattern.search(head)
            if found is not None:
                event[name] = found[1].decode("ascii")
    return event or None


def _is_document(line: bytes | bytearray) -> bool:
    try:
        _EVENT.decode(line)
    except _UNREADABLE:
        return False
    return True


def _find_last_object(data: bytes | bytearray, key: bytes) -> dict[str, Any] | None:
    at = len(data)
    for _ in range(_MAX_ATTEMPTS):
        at = data.rfind(key, 0, at)
        if at < 0:
            return None
        opening = _OPENING.match(data, at + len(key))
        if opening is None or data[at - 1 : at] == b"\\":
            continue
        text = bytes(data[opening.end() : opening.end() + _MAX_USAGE_OBJECT]).decode("utf-8", "replace")
        try:
            found, _end = _OBJECT.raw_decode(text)
        except _UNREADABLE:
            continue
        if isinstance(found, dict):
            return found
    return None
