"""What one usage object says, whichever family of names it uses.

Names (usage: rule 11). Prompt and completion of the chat family (openai-openapi, CompletionUsage), input and output of
`/responses` and Anthropic (ResponseUsage; anthropic-sdk-python, types/usage.py); a server may write both, and a zero of
one is no match for a count of the other. Cached tokens have five names, reasoning three, creation of a cache three.

Prompt. Chat and `/responses` count cached tokens inside it. Anthropic counts them beside it, so that the prompt is the
sum of three, told apart over the events of a stream. What tells the two apart is `inclusive`, a total, or details.

Remainders (rule 12). What the total counts and neither prompt nor completion does has a name, by its size.

Iterations (rule 13). A compaction is not in Anthropic's top level; other iterations are, or belong to another model.
"""

from decimal import Decimal
from typing import Any, Final

from tokenboard.usage.number import MAX_TOKENS, token_count, usd
from tokenboard.usage.reading import NOTHING, Reading, known

_TICKS_EXPONENT: Final = -10  # cost_in_usd_ticks: xAI, docs.x.ai, "Usage"
_MAX_ITERATIONS: Final = 1000

_COMMON: Final = frozenset(
    {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details"}
)


def read_counts(usage: Any, *, inclusive: bool | None) -> Reading:
    """Return what a usage object says; empty for anything else.

    ``inclusive``: whether its input_tokens include cached ones; None leaves it to the object's own signs.
    """
    if type(usage) is not dict:
        return NOTHING
    if usage.keys() <= _COMMON:  # by far the most frequent, and often on every event
        get = usage.get
        prompt, completion = get("prompt_tokens"), get("completion_tokens")
        total = token_count(get("total_tokens"))
        if type(prompt) is not int or type(completion) is not int:
            prompt, completion = token_count(prompt), token_count(completion)
        if (
            prompt is not None
            and completion is not None
            and 0 < prompt <= MAX_TOKENS
            and 0 <= completion <= MAX_TOKENS
            and (total is None or total <= prompt + completion)
        ):
            reading: Reading = {"prompt": prompt, "completion": completion}
            details = get("prompt_tokens_details")
            if details is not None:
                cached = _of(details, "cached_tokens")
                if cached is not None:
                    reading["cached"] = cached
            details = get("completion_tokens_details")
            if details is not None:
                reasoning = _of(details, "reasoning_tokens")
                if reasoning is not None:
                    reading["reasoning"] = reasoning
            return reading
    return _read_any(usage, inclusive)


def _read_any(usage: dict[str, Any], inclusive: bool | None) -> Reading:
    get = usage.get
    total = token_count(get("total_tokens"))
    chat_prompt = token_count(get("prompt_tokens"))
    given = token_count(get("input_tokens"))
    completion = _best(token_count(get("completion_tokens")), token_count(get("output_tokens")))
    prompt_details = get("prompt_tokens_details") or get("input_tokens_details")
    completion_details = get("completion_tokens_details") or get("output_tokens_details")
    reasoning = _best(
        _of(completion_details, "reasoning_tokens"),
        _of(completion_details, "thinking_tokens"),
        token_count(get("reasoning_tokens")),
    )
    read = token_count(get("cache_read_input_tokens"))
    written = _written(usage, prompt_details)
    cost = _cost(usage)
    if not chat_prompt and given is not None and (given or chat_prompt is None):
        told = not (total is get("input_tokens_details") is get("prompt_tokens_details") is None)
        fits = total is not None and total == given + (completion or 0)
        if not (fits or inclusive or (inclusive is None and told)):
            fresh, completion, reasoning = _with_remainder(
                given + (written or 0) + (read or 0), completion, total, 0, 0, reasoning
            )
            if fresh is not None:
                given = fresh - (written or 0) - (read or 0)
            return _exclusive(usage, given, written, read, completion, reasoning, cost)
        chat_prompt = given
    elif chat_prompt is None and not inclusive and total is None and "completion_tokens" not in usage:
        # A later event of Anthropic's, which leaves out what an earlier one has said.
        return _exclusive(usage, given, written, read, completion, reasoning, cost)
    cached = _best(
        _of(prompt_details, "cached_tokens"),
        token_count(get("prompt_cache_hit_tokens")),
        token_count(get("cached_tokens")),
        read,
    )
    prompt, completion, reasoning = _with_remainder(
        chat_prompt, completion, total, cached or 0, written or 0, reasoning
    )
    return known(prompt=prompt, completion=completion, cached=cached, reasoning=reasoning, cost=cost)


def total_alone(usage: Any) -> int | None:
    """Return the total of a usage object that says nothing else of tokens, as some embeddings' do (rule 11)."""
    if type(usage) is not dict:
        return None
    names = ("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens")
    return None if any(usage.get(name) is not None for name in names) else token_count(usage.get("total_tokens"))


def _exclusive(
    usage: dict[str, Any],
    fresh: int | None,
    written: int | None,
    read: int | None,
    completion: int | None,
    reasoning: int | None,
    cost: Decimal | None,
) -> Reading:
    reading = known(
        fresh=fresh, cache_write=written, cache_read=read, completion=completion, reasoning=reasoning, cost=cost
    )
    iterations = usage.get("iterations")
    if type(iterations) is list:
        for iteration in iterations[:_MAX_ITERATIONS]:
            if type(iteration) is dict and iteration.get("type") == "compaction":
                _add_beside(reading, iteration)
    return reading


def _add_beside(reading: Reading, iteration: dict[str, Any]) -> None:
    read = token_count(iteration.get("cache_read_input_tokens")) or 0
    prompt = (token_count(iteration.get("input_tokens")) or 0) + (_written(iteration, None) or 0) + read
    reading["beside_prompt"] = reading.get("beside_prompt", 0) + prompt
    reading["beside_cached"] = reading.get("beside_cached", 0) + read
    output = token_count(iteration.get("output_tokens")) or 0
    reading["beside_completion"] = reading.get("beside_completion", 0) + output


def _with_remainder(
    prompt: int | None, completion: int | None, total: int | None, cached: int, written: int, reasoning: int | None
) -> tuple[int | None, int | None, int | None]:
    """Return prompt, completion and reasoning after what only the total counts has found its place (rule 12)."""
    if total is None:
        return prompt, completion, reasoning
    if prompt is None or completion is None:
        if prompt is not None and total >= prompt:
            completion = total - prompt
        elif completion is not None and total >= completion:
            prompt = total - completion
        return prompt, completion, reasoning
    rest = total - prompt - completion
    if rest <= 0:
        return prompt, completion, reasoning
    if rest in (cached + written, written, cached):
        return prompt + rest, completion, reasoning
    if reasoning is None or rest == reasoning:
        return prompt, completion + rest, rest
    return prompt + rest, completion, reasoning


def _written(usage: dict[str, Any], details: Any) -> int | None:
    """Return how many tokens were written to a cache; per duration where the sum is not told."""
    written = token_count(usage.get("cache_creation_input_tokens"))
    if written:
        return written
    parts = usage.get("cache_creation")
    if type(parts) is dict:
        short, long = (token_count(parts.get(f"ephemeral_{span}_input_tokens")) for span in ("5m", "1h"))
        if short is not None or long is not None:
            return (short or 0) + (long or 0)
    return _best(written, _of(details, "cache_write_tokens"), _of(details, "cache_creation_tokens"))


def _cost(usage: dict[str, Any]) -> Decimal | None:
    """Return the cost in USD, under whichever name it is told (rule 15)."""
    cost = usage.get("cost")
    amount = usd(cost.get("total_cost") if type(cost) is dict else cost)
    if amount:
        return amount
    estimated = usd(usage.get("estimated_cost"))
    if estimated:
        return estimated
    ticks = usd(usage.get("cost_in_usd_ticks"))
    if ticks:
        return usd(ticks.scaleb(_TICKS_EXPONENT))
    return next((told for told in (amount, estimated, ticks) if told is not None), None)


def _of(details: Any, name: str) -> int | None:
    return token_count(details.get(name)) if type(details) is dict else None


def _best(*counts: int | None) -> int | None:
    """Return the first count above zero, or else zero if any says so."""
    best = None
    for count in counts:
        if count:
            return count
        if count is not None:
            best = count
    return best
