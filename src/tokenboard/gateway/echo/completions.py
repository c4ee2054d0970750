"""Completions of plain prompts (OpenAI: CreateCompletionResponse): each prompt is a choice of its own."""

import secrets
import time
from typing import Any

from tokenboard.gateway.echo.body import Body, read_inputs
from tokenboard.gateway.echo.events import DONE, plain_events
from tokenboard.gateway.echo.words import MAX_PIECES, count_words, cut


def read(body: Body) -> list[str]:
    """Return the prompts; raises Problem: 400."""
    return read_inputs(body.get("prompt"), "prompt")


def answer(prompts: list[str], model: str) -> dict[str, Any]:
    """Return the whole answer."""
    choices = [_choice(index, text, "stop") for index, text in enumerate(prompts)]
    return _head(model) | {"choices": choices, "usage": _usage(prompts)}


def stream(prompts: list[str], model: str) -> list[bytes]:
    """Return the events of a stream, the usage in the last before the end."""
    head = _head(model)
    most = max(MAX_PIECES // len(prompts), 1)
    events = []
    for index, text in enumerate(prompts):
        *pieces, last = cut(text, most) or [""]
        events += [_choice(index, piece, None) for piece in pieces]
        events.append(_choice(index, last, "stop"))
    chunks = [head | {"choices": [choice]} for choice in events]
    return [*plain_events([*chunks, head | {"choices": [], "usage": _usage(prompts)}]), DONE]


def _head(model: str) -> dict[str, Any]:
    return {
        "id": f"cmpl-{secrets.token_hex(12)}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": model,
    }


def _choice(index: int, text: str, finish_reason: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish_reason}


def _usage(prompts: list[str]) -> dict[str, int]:
    words = sum(count_words(text) for text in prompts)
    return {"prompt_tokens": words, "completion_tokens": words, "total_tokens": 2 * words}
