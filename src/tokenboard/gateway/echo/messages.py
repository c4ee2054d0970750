"""Messages (Anthropic: Message, RawMessageStreamEvent)."""

import secrets
from collections.abc import Iterator
from typing import Any

from tokenboard.gateway.echo.body import Body, Said, count_conversation, read_conversation
from tokenboard.gateway.echo.events import named_events
from tokenboard.gateway.echo.words import count_words, cut


def read(body: Body) -> Said:
    """Return what was said; raises Problem: 400."""
    return read_conversation(body.get("messages"), "messages", body.get("system"))


def answer(said: Said, model: str) -> dict[str, Any]:
    """Return the whole answer."""
    block = {"type": "text", "text": said.text}
    usage = _usage(said, count_words(said.text))
    return _message(model) | {"content": [block], "stop_reason": "end_turn", "usage": usage}


def read_to_count(body: Body) -> int:
    """Return the tokens of what was sent; raises Problem: 400. Nothing is repeated, so nobody need have said it."""
    return count_conversation(body.get("messages"), "messages", body.get("system"))


def count(tokens: int, model: str) -> dict[str, Any]:  # noqa: ARG001 - as the answers are made
    """Return the answer to a request to count."""
    return {"input_tokens": tokens}


def stream(said: Said, model: str) -> list[bytes]:
    """Return the events of a stream; the usage is in the first and, with the completion's, in the last but one."""
    return named_events(_events(said, model))


def _events(said: Said, model: str) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": _message(model) | {"usage": _usage(said, 0)}}
    block = {"type": "text", "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    for piece in cut(said.text):
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
    yield {"type": "content_block_stop", "index": 0}
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": _usage(said, count_words(said.text))}
    yield {"type": "message_stop"}


def _message(model: str) -> dict[str, Any]:
    return {
        "id": f"msg_{secrets.token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(said: Said, completion: int) -> dict[str, int]:
    return {
        "input_tokens": said.prompt,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": completion,
    }
