"""Answers in every dialect that the gateway's endpoints speak, whole and as events, as servers give them; all invented.

Each is made for a `Counted`: what the server says that the request took.
"""

import json
from dataclasses import dataclass
from typing import Any

TOOL_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Graz", "unit": "\u00b0C"}'},
}
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Counted:
    """Tokens of one answer; the prompt includes the cached ones, the completion the reasoning."""

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    def openai(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.total,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }

    def responses(self) -> dict[str, Any]:
        return {
            "input_tokens": self.prompt,
            "input_tokens_details": {"cached_tokens": self.cached},
            "output_tokens": self.completion,
            "output_tokens_details": {"reasoning_tokens": self.reasoning},
            "total_tokens": self.total,
        }

    def anthropic(self, written: int) -> dict[str, int]:
        """Anthropic's input leaves out what was read from the cache, and what was ``written`` to it."""
        return {
            "input_tokens": self.prompt - self.cached - written,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": self.cached,
            "output_tokens": self.completion,
        }


def packed(value: Any) -> bytes:
    return json.dumps(value).encode()


def events(*values: dict[str, Any]) -> list[bytes]:
    return [b"data: " + packed(value) + b"\n\n" for value in values]


def named(*values: dict[str, Any]) -> list[bytes]:
    return [f"event: {value['type']}\n".encode() + event for value, event in zip(values, events(*values), strict=True)]


# --- chat, completions, embeddings -----------------------------------------------------------------------------------


def tool_call(counted: Counted) -> bytes:
    message = {"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": None}
    return packed(_chat("chat.completion") | {"choices": [choice], "usage": counted.openai()})


def tool_call_events(counted: Counted) -> list[bytes]:
    function: Any = TOOL_CALL["function"]
    first = TOOL_CALL | {"index": 0, "function": {"name": function["name"], "arguments": ""}}
    rest = [{"index": 0, "function": {"arguments": piece}} for piece in _halves(function["arguments"])]
    head = _chat("chat.completion.chunk")
    deltas = [{"role": "assistant", "content": None, "tool_calls": [call]} for call in (first, *rest)]
    chunks = [head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    return [*events(*chunks, head | {"choices": [], "usage": counted.openai()}), DONE]


def completion(counted: Counted) -> bytes:
    return packed(_completion("twice upon a time", "stop") | {"usage": counted.openai()})


def completion_events(counted: Counted) -> list[bytes]:
    usage = _completion("", None) | {"choices": [], "usage": counted.openai()}
    return [*events(_completion("twice upon", None), _completion(" a time", "stop"), usage), DONE]


def embeddings(vector: list[float], prompt: int) -> bytes:
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    usage = {"prompt_tokens": prompt, "total_tokens": prompt}
    return packed({"object": "list", "model": "m", "data": data, "usage": usage})


def _chat(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "gpt-test", "system_fingerprint": None}


def _completion(text: str, finish_reason: str | None) -> dict[str, Any]:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}
    return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


# --- responses -------------------------------------------------------------------------------------------------------


def response(counted: Counted) -> bytes:
    return packed(_response("completed", counted))


def response_events(counted: Counted) -> list[bytes]:
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    item = _item("") | {"status": "in_progress", "content": []}
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response("in_progress", None)},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **at, "part": _part("")},
        {"type": "response.output_text.delta", **at, "delta": "one two ", "logprobs": []},
        {"type": "response.output_text.delta", **at, "delta": "three", "logprobs": []},
        {"type": "response.output_text.done", **at, "text": "one two three", "logprobs": []},
        {"type": "response.content_part.done", **at, "part": _part("one two three")},
        {"type": "response.output_item.done", "output_index": 0, "item": _item("one two three")},
        {"type": "response.completed", "response": _response("completed", counted)},
    ]
    return named(*(event | {"sequence_number": number} for number, event in enumerate(told)))


def _response(status: str, counted: Counted | None) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "completed_at": None,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-test",
        "output": [_item("one two three")] if counted else [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "top_p": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "tool_choice": "auto",
        "tools": [],
        "usage": counted.responses() if counted else None,
    }


def _item(text: str) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [_part(text)]}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


# --- messages --------------------------------------------------------------------------------------------------------


def message(counted: Counted, *, written: int = 0) -> bytes:
    block = {"type": "text", "text": "one two three"}
    ending = {"content": [block], "stop_reason": "end_turn", "usage": counted.anthropic(written)}
    return packed(_message() | ending)


def tool_use(counted: Counted) -> bytes:
    block = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Graz"}}
    ending = {"content": [block], "stop_reason": "tool_use", "usage": counted.anthropic(0)}
    return packed(_message() | ending)


def message_events(counted: Counted, *, written: int = 0) -> list[bytes]:
    usage = counted.anthropic(written)
    block = {"type": "text", "text": ""}
    return named(
        {"type": "message_start", "message": _message() | {"usage": usage | {"output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "one two "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "three"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": counted.completion},
        },
        {"type": "message_stop"},
    )


def _message() -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }
