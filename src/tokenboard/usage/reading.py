"""What one usage object says, how later ones replace it, and what all of them amount to.

A `Reading` holds numbers by their meaning; `merge` lets a later one replace an earlier one, and `settle` turns the last
word on each number into one `Usage`. Nothing is added up across the events of a stream.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, TypedDict

from tokenboard.usage.number import token_count
from tokenboard.usage.record import Usage, UsageSource

Event = Mapping[str, Any]
"""One decoded JSON object: an event of a stream, or a whole body. Only keys that are looked at need be present."""


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
    beside_prompt: int
    """Input of work that the other numbers leave out, cached or not; told anew, never added to."""
    beside_cached: int
    """The part of `beside_prompt` read from a cache."""
    beside_completion: int
    """Output of work that the other numbers leave out."""
    cost: Decimal


NOTHING: Final = Reading()


def known(**numbers: int | Decimal | None) -> Reading:
    """Return the reading of those numbers that are given; the names are the keys of `Reading`."""
    return {name: number for name, number in numbers.items() if number is not None}  # type: ignore[return-value]


def merge(tally: Reading, reading: Reading) -> None:
    """Let a later reading replace what is known, number by number (rule 1).

    A zero never replaces a count: cumulative counts cannot fall, so there it means "not told".
    """
    for name, number in reading.items():
        if number or name not in tally:
            tally[name] = number  # type: ignore[literal-required]


def settle(reading: Reading, source: UsageSource) -> Usage:
    """Return the usage that the last word on every number amounts to, or an unknown one when they are all zero.

    A whole prompt is trusted before one made of parts, a whole completion likewise, unless it is zero. A part larger
    than its whole (cached tokens beyond the prompt, reasoning beyond the completion) cannot be right and is left out.
    """
    prompt, completion = reading.get("prompt"), reading.get("completion")
    if prompt and completion and len(reading) == 2:  # by far the most frequent
        return Usage(prompt_tokens=prompt, completion_tokens=completion, source=source)
    cached = reading.get("cached")
    if not prompt:
        cached = reading.get("cache_read", cached)
        if "fresh" in reading:
            parts = reading["fresh"] + reading.get("cache_write", 0) + reading.get("cache_read", 0)
            prompt = parts + reading.get("beside_prompt", 0)
            if cached is not None or "beside_cached" in reading:
                cached = (cached or 0) + reading.get("beside_cached", 0)
    if completion is not None:
        completion += reading.get("beside_completion", 0)
    reasoning = reading.get("reasoning", reading.get("thought"))
    if not completion and "answer" in reading:
        completion = reading["answer"] + reading.get("thought", 0)
    prompt, completion = token_count(prompt), token_count(completion)
    if cached is not None and prompt is not None and cached > prompt:
        cached = None
    if reasoning is not None and completion is not None and reasoning > completion:
        reasoning = None
    cost = reading.get("cost")
    if not (prompt or completion or cached or reasoning or cost):
        return Usage()
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        reasoning_tokens=reasoning,
        cost=cost,
        source=source,
    )
