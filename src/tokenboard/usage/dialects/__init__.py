"""The shapes in which servers tell of tokens, and the choice between them by the shape of the JSON alone.

A new dialect is one file with a `DIALECT` and one line in `DIALECTS`. Where two read the same key, the earlier one that
finds a number other than zero has the word; so a usage object with the names of both families is read by prompt_tokens.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from tokenboard.usage.dialects import (
    anthropic_messages,
    gemini_native,
    llama_cpp_native,
    ollama_native,
    openai_chat,
    openai_embeddings,
    openai_responses,
)
from tokenboard.usage.reading import Dialect, Ending, Event, Reading, says_something

DIALECTS: Final[tuple[Dialect, ...]] = (
    openai_embeddings.DIALECT,
    openai_chat.DIALECT,
    openai_responses.DIALECT,
    anthropic_messages.DIALECT,
    gemini_native.DIALECT,
    ollama_native.DIALECT,
    llama_cpp_native.DIALECT,
)


_V = TypeVar("_V")


def _by_key(tables: Iterable[Mapping[str, _V]]) -> dict[str, tuple[_V, ...]]:
    grouped: dict[str, tuple[_V, ...]] = {}
    for table in tables:
        for key, entry in table.items():
            grouped[key] = (*grouped.get(key, ()), entry)
    return grouped


_READERS: Final = _by_key(dialect.readers for dialect in DIALECTS)
_TEXTS: Final = _by_key(dialect.texts for dialect in DIALECTS)
_ENDINGS: Final[dict[str, dict[str | bool, Ending]]] = {}
for _dialect in DIALECTS:
    for (_key, _value), _ending in _dialect.endings.items():
        _ENDINGS.setdefault(_key, {})[_value] = _ending

BODY_KEYS: Final[frozenset[str]] = frozenset(
    {"error", *_READERS, *_ENDINGS, *(key for dialect in DIALECTS for key in dialect.context)}
)
"""The top-level keys to decode of a whole body; its text is not counted, so it need not be decoded."""

EVENT_KEYS: Final[frozenset[str]] = BODY_KEYS | frozenset(_TEXTS)
"""The top-level keys to decode of one event of a stream."""


def read_usage(event: Event) -> Reading | None:
    """Return what the event says of usage, or None when it says nothing, or all zero."""
    for key, value in event.items():
        if value is not None and key in _READERS:
            for read in _READERS[key]:
                reading = read(event)
                if reading and says_something(reading):
                    return reading
    return None


def count_text(event: Event) -> int:
    """Return the number of characters of output text in one event of a stream."""
    count = 0
    for key, value in event.items():
        if value is not None and key in _TEXTS:
            for count_in in _TEXTS[key]:
                count += count_in(event)
    return count


def find_ending(event: Event) -> Ending | None:
    """Tell whether the event is the last of its stream, and how it ends it."""
    if event.get("error"):
        return Ending.ERROR
    for key, endings in _ENDINGS.items():
        value = event.get(key)
        if type(value) in (str, bool):
            ending = endings.get(value)  # type: ignore[arg-type]
            if ending is not None:
                return ending
    return None
