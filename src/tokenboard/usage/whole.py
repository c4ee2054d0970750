"""A whole answer of the most frequent kinds, read in one step: one JSON object that reports its usage.

Once usage is reported, all that matters besides is whether a tool is called, so of a chat completion no text is built.
What is not of these kinds is for a `Meter`, which tells the same of what is.
"""

from types import GenericAlias
from typing import Any, Final, TypedDict

from msgspec import Raw
from msgspec.json import Decoder

from tokenboard.usage import output, places
from tokenboard.usage.document import UNREADABLE, decode_event
from tokenboard.usage.nature import media_type, names_lines
from tokenboard.usage.number import exact_number
from tokenboard.usage.reading import Reading, settle
from tokenboard.usage.record import Usage, UsageSource

Told = tuple[Usage, bool]
"""The usage that an answer reports, and whether it calls a tool."""


# Shapes are made by calls: compiled, a class of this kind forgets the types of its keys.
_MESSAGE: Final[Any] = TypedDict(  # type: ignore[misc]
    "_MESSAGE", dict.fromkeys(("content", "tool_calls", "function_call"), Raw), total=False
)
_CHOICE: Final[Any] = TypedDict("_CHOICE", {"message": _MESSAGE, "delta": Raw, "usage": Raw}, total=False)
# What is looked at as it is, and of what else a meter looks at only that it is there; all the rest is skipped.
_BUILT: Final[dict[str, Any]] = {"object": Any, "choices": GenericAlias(list, (_CHOICE,)), "usage": Any, "type": Any}
_OTHERS: Final = (places.KEYS | output.KEYS).difference(_BUILT)
_SHAPE: Final[Any] = TypedDict("_SHAPE", _BUILT | dict.fromkeys(sorted(_OTHERS), Raw), total=False)  # type: ignore[misc]
_CHAT: Final[Decoder[dict[str, Any]]] = Decoder(_SHAPE)
_EXACT_CHAT: Final[Decoder[dict[str, Any]]] = Decoder(_SHAPE, float_hook=exact_number)
_COST: Final = b"cost"
_NO_CALLS: Final = (b"null", b"[]")
_TEXT_OR_NULL: Final = (b'"', b"n")


def read_whole(body: bytes, content_type: bytes) -> Told | None:
    """Return what the body of a successful answer tells, all of it and unpacked; None when a `Meter` has to read it.

    ``content_type`` is the header's value, b"" without one. Never raises.
    """
    if b"\n" in body and names_lines(media_type(content_type)):
        return None
    try:
        event = (_EXACT_CHAT if _COST in body else _CHAT).decode(body)
    except UNREADABLE:
        return _read_any(body)
    reading: Reading | None = None
    if _OTHERS.isdisjoint(event) and _calls_nothing(event):
        usage = event.get("usage")
        reading = None if usage is None else places.read_top(usage, event)
    if not reading or not any(reading.values()):
        return _read_any(body)
    return settle(reading, UsageSource.REPORTED), False


def _calls_nothing(event: dict[str, Any]) -> bool:
    """Whether it is plain to see that no choice calls a tool, and that none tells of usage."""
    choices: list[dict[str, Any]] = event.get("choices", [])
    for choice in choices:
        message = choice.get("message")
        if message is None or len(choice) > 1:
            return False
        for name, value in message.items():
            raw = bytes(value)
            if not raw.startswith(_TEXT_OR_NULL) if name == "content" else raw not in _NO_CALLS:
                return False
    return True


def _read_any(body: bytes) -> Told | None:
    event = decode_event(body)
    reading = None if event is None else places.read_usage(event)
    if event is None or reading is None:
        return None
    return settle(reading, UsageSource.REPORTED), output.read_output(event)[1]
