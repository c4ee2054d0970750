"""Anthropic `/messages`, and the servers that speak it (Ollama, llama.cpp, LiteLLM).

`usage` with input_tokens, cache_creation_input_tokens, cache_read_input_tokens and output_tokens. The input excludes
cached tokens: the prompt is the sum of the three (anthropic-sdk-python, types/usage.py). A stream tells it twice:
`message_start.message.usage`, then `message_delta.usage`, whose fields are optional, cumulative and replace the first
ones, never add to them. `iterations` repeats what the top level already counts.
"""

from tokenboard.usage.number import token_count, usd
from tokenboard.usage.reading import NOTHING, Dialect, Ending, Event, Reading, known


def _read_message(event: Event) -> Reading:
    message = event["message"]
    return _read_usage(message.get("usage")) if type(message) is dict else NOTHING


def _read(event: Event) -> Reading:
    return _read_usage(event["usage"])


def _read_usage(usage: object) -> Reading:
    if type(usage) is not dict:
        return NOTHING
    details = usage.get("output_tokens_details")
    return known(
        fresh=token_count(usage.get("input_tokens")),
        cache_write=token_count(usage.get("cache_creation_input_tokens")),
        cache_read=token_count(usage.get("cache_read_input_tokens")),
        completion=token_count(usage.get("output_tokens")),
        reasoning=token_count(details.get("thinking_tokens")) if type(details) is dict else None,
        cost=usd(usage.get("cost")),
    )


def _count_delta(event: Event) -> int:
    delta = event["delta"]
    if type(delta) is not dict:
        return 0
    return sum(
        len(text) for text in (delta.get("text"), delta.get("thinking"), delta.get("partial_json")) if type(text) is str
    )


def _count_block(event: Event) -> int:
    """Count what a content block starts with: the name of a tool, rarely some text."""
    block = event["content_block"]
    if type(block) is not dict:
        return 0
    return sum(len(text) for text in (block.get("text"), block.get("name")) if type(text) is str)


DIALECT = Dialect(
    name="anthropic-messages",
    readers={"message": _read_message, "usage": _read},
    texts={"delta": _count_delta, "content_block": _count_block},
    endings={("type", "message_stop"): Ending.WHOLE, ("type", "error"): Ending.ERROR},
)
