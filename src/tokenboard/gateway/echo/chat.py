"""Chat completions (OpenAI: CreateChatCompletionResponse, CreateChatCompletionStreamResponse; OpenRouter: `provider`).

Clients with strict models refuse null where a member may be absent, and absence where it may be null: a member that is
null here is required, and nullable, in those schemas.
"""

import secrets
import time
from typing import Any

from tokenboard.gateway.echo.body import Body, Said, read_conversation
from tokenboard.gateway.echo.events import DONE, plain_events
from tokenboard.gateway.echo.words import count_words, cut

PROVIDER = "tokenboard"
"""Who answers: OpenRouter tells it in every chat document, and its strict clients ask for it."""

FINGERPRINT = "fp_tokenboard_echo"
"""A string, as it is nullable in documents but not in events, and required in documents but not in events."""


def read(body: Body) -> Said:
    """Return what was said; raises Problem: 400."""
    return read_conversation(body.get("messages"), "messages")


def answer(said: Said, model: str) -> dict[str, Any]:
    """Return the whole answer."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": said.text, "refusal": None},
        "finish_reason": "stop",
        "logprobs": None,
    }
    return _head("chat.completion", model) | {"choices": [choice], "usage": _usage(said)}


def stream(said: Said, model: str) -> list[bytes]:
    """Return the events of a stream, the usage in the last before the end."""
    head = _head("chat.completion.chunk", model)
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": piece}, None) for piece in cut(said.text)]
    deltas.append(({}, "stop"))
    events = [head | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]} for delta, reason in deltas]
    return [*plain_events([*events, head | {"choices": [], "usage": _usage(said)}]), DONE]


def _head(kind: str, model: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": FINGERPRINT,
        "provider": PROVIDER,
    }


def _usage(said: Said) -> dict[str, int]:
    completion = count_words(said.text)
    return {
        "prompt_tokens": said.prompt,
        "completion_tokens": completion,
        "total_tokens": said.prompt + completion,
    }
