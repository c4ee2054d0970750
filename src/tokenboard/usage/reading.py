"""What one usage object says, how later ones replace it, and what a dialect is.

A `Reading` holds the numbers under the meaning each dialect gives them; `settle` turns the last word on each into one
`Usage`. Nothing is added up across the events of a stream: `dict.update` is the whole merge.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypedDict

import msgspec

from tokenboard.usage.number import token_count
from tokenboard.usage.record import Usage, UsageSource

Event = Mapping[str, Any]
"""One decoded JSON object: an event of a stream, or a whole body. Only keys some dialect asks for need be present."""


class Reading(TypedDict, total=False):
    """Numbers of one usage object; a key is absent where the object does not say. In tokens; cost in USD."""

    prompt: int
    """All input, cached or not."""
    fresh: int
    """Input that touched no cache; with `cache_write` and `cache_read` it makes up the prompt."""
    cache_write: int
    cache_read: int
    completion: int
    """All output, reasoning included."""
    answer: int
    """Output without reasoning; with `thought` it makes up the completion."""
    thought: int
    cached: int
    """The part of `prompt` read from a cache."""
    reasoning: int
    """The part of `completion` spent on reasoning."""
    cost: Decimal


class Ending(Enum):
    """The way a terminal event of a stream ends it."""

    WHOLE = "whole"
    ERROR = "error"


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One shape of JSON in which servers tell of tokens: what to look for under which top-level key.

    The functions get an event in which their key is present and not null, must accept any JSON there, and must not
    raise. A reader returns an empty `Reading` for an event that is not of its shape.
    """

    name: str
    readers: Mapping[str, Callable[[Event], Reading]]
    texts: Mapping[str, Callable[[Event], int]] = {}
    """Functions that count the characters of output text in an event."""
    endings: Mapping[tuple[str, str | bool], Ending] = {}
    """Terminal events, told by the value of a top-level key."""
    context: tuple[str, ...] = ()
    """Further top-level keys the readers look at."""


NOTHING: Final = Reading()


def known(**numbers: int | Decimal | None) -> Reading:
    """Return the reading of those numbers that are given; the names are the keys of `Reading`."""
    return {name: number for name, number in numbers.items() if number is not None}  # type: ignore[return-value]


def says_something(reading: Reading) -> bool:
    """Tell whether any number differs from zero; usage with every field zero is unknown."""
    return any(reading.values())


def settle(reading: Reading, source: UsageSource) -> Usage:
    """Return the usage that the last word on every number amounts to, or an unknown one when they are all zero.

    A whole prompt is trusted before one made of parts, a whole completion likewise. A part larger than its whole
    (cached tokens beyond the prompt, reasoning beyond the completion) cannot be right and is left out.
    """
    prompt = reading.get("prompt")
    cached = reading.get("cached")
    if prompt is None:
        cached = reading.get("cache_read", cached)
        if "fresh" in reading:
            prompt = token_count(reading["fresh"] + reading.get("cache_write", 0) + reading.get("cache_read", 0))
    completion = reading.get("completion")
    reasoning = reading.get("reasoning", reading.get("thought"))
    if completion is None and "answer" in reading:
        completion = token_count(reading["answer"] + reading.get("thought", 0))
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=_within(cached, prompt),
        reasoning_tokens=_within(reasoning, completion),
        cost=reading.get("cost"),
        source=source,
    )
    numbers = (prompt, completion, usage.cached_tokens, usage.reasoning_tokens, usage.cost)
    return usage if any(numbers) else Usage()


def _within(part: int | None, whole: int | None) -> int | None:
    if part is not None and whole is not None and part > whole:
        return None
    return part
