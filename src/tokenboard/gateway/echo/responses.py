"""Responses (OpenAI: Response, ResponseStreamEvent)."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

from tokenboard.gateway.echo.body import Body, Said, read_conversation
from tokenboard.gateway.echo.events import named_events
from tokenboard.gateway.echo.words import count_words, cut


def read(body: Body) -> Said:
    """Return what was said; raises Problem: 400."""
    given = body.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return read_conversation(items, "input", body.get("instructions"))


def answer(said: Said, model: str) -> dict[str, Any]:
    """Return the whole answer."""
    return _completed(_begun(model), said, _identifier("msg"))


def stream(said: Said, model: str) -> list[bytes]:
    """Return the events of a stream; the last holds the whole answer."""
    events = _events(said, _begun(model), _identifier("msg"))
    return named_events(event | {"sequence_number": number} for number, event in enumerate(events))


def _events(said: Said, begun: dict[str, Any], item_id: str) -> Iterator[dict[str, Any]]:
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    started = {"id": item_id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    yield {"type": "response.output_item.added", "output_index": 0, "item": started}
    at = {"item_id": item_id, "output_index": 0, "content_index": 0}
    yield {"type": "response.content_part.added", **at, "part": _part("")}
    for piece in cut(said.text):
        yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": said.text, "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": _part(said.text)}
    yield {"type": "response.output_item.done", "output_index": 0, "item": _item(said.text, item_id)}
    yield {"type": "response.completed", "response": _completed(begun, said, item_id)}


def _identifier(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(24)}"


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(text: str, item_id: str) -> dict[str, Any]:
    return {"id": item_id, "type": "message", "status": "completed", "role": "assistant", "content": [_part(text)]}


def _begun(model: str) -> dict[str, Any]:
    return {
        "id": _identifier("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "completed_at": None,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "temperature": None,
        "top_p": None,
        "presence_penalty": None,
        "frequency_penalty": None,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }


def _completed(begun: dict[str, Any], said: Said, item_id: str) -> dict[str, Any]:
    completion = count_words(said.text)
    return begun | {
        "status": "completed",
        "completed_at": int(time.time()),
        "output": [_item(said.text, item_id)],
        "usage": {
            "input_tokens": said.prompt,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": completion,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": said.prompt + completion,
        },
    }
