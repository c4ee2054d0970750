"""Whether an answer called a tool, in documents and in streams of every dialect."""

import json
from typing import Any

import pytest

from tokenboard.usage import Meter

CALL = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}}


def chat(**message: Any) -> list[dict[str, Any]]:
    """The same message in a document and in an event of a stream."""
    return [{"choices": [{"message": message}]}, {"choices": [{"delta": message}]}]


CALLING: list[dict[str, Any]] = [
    *chat(tool_calls=[CALL]),
    *chat(function_call={"name": "find", "arguments": "{}"}),
    *chat(content=[{"type": "tool_use", "name": "find"}]),
    {"choices": [{"delta": {"content": "a"}}, {"delta": {"tool_calls": [CALL]}}]},
    {"object": "response", "output": [{"type": "message"}, {"type": "function_call", "name": "find"}]},
    {"object": "response", "output": [{"type": "custom_tool_call", "name": "find"}]},
    {"object": "response", "output": [{"type": "mcp_call", "name": "find"}]},
    {"type": "response.output_item.added", "item": {"type": "web_search_call"}},
    {"type": "response.completed", "response": {"output": [{"type": "function_call", "name": "find"}]}},
    {"type": "message", "content": [{"type": "text"}, {"type": "tool_use", "name": "find", "input": {}}]},
    {"type": "message", "content": [{"type": "server_tool_use", "name": "web_search"}]},
    {"type": "content_block_start", "content_block": {"type": "tool_use", "name": "find"}},
    {"type": "content_block_start", "content_block": {"type": "mcp_tool_use", "name": "find"}},
    {"candidates": [{"content": {"parts": [{"text": "a"}, {"functionCall": {"name": "find"}}]}}]},
    {"message": {"role": "assistant", "content": "", "tool_calls": [CALL]}, "done": False},
]
SILENT: list[dict[str, Any]] = [
    *chat(content="tool_calls", tool_calls=[], function_call=None),
    *chat(content=[{"type": "text", "text": "tool_use"}]),
    {"choices": [None, 3, {"delta": None, "message": 4}], "content": {"type": "tool_use"}},
    {"output": [{"type": "message"}, None, {"type": 3}]},
    {"content": [{"type": "web_search_tool_result"}, {"type": "text", "text": '{"type":"tool_use"}'}]},
    {"type": "response.output_item.added", "item": {"type": "function_call_output"}},
    {"candidates": [None, {"content": {"parts": [{"functionCall": None}, 3]}}, {"content": 3}]},
    {"message": {"content": "a", "tool_calls": None}},
]


def as_document(value: dict[str, Any]) -> Meter:
    meter = Meter("application/json", None, 200)
    meter.feed(json.dumps(value).encode())
    meter.finish(True)
    return meter


def as_event(value: dict[str, Any]) -> Meter:
    meter = Meter("text/event-stream", None, 200)
    said: list[dict[str, Any]] = [{"choices": [{"delta": {"content": "a"}}]}, value, {"choices": []}]
    for event in said:
        meter.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    meter.feed(b"data: [DONE]\n\n")
    meter.finish(True)
    return meter


@pytest.mark.parametrize("value", CALLING, ids=json.dumps)
def test_a_call_of_a_tool_is_told(value: dict[str, Any]) -> None:
    assert (True, True) == (as_document(value).tool_calls, as_event(value).tool_calls)


@pytest.mark.parametrize("value", SILENT, ids=json.dumps)
def test_an_answer_without_calls_tells_of_none(value: dict[str, Any]) -> None:
    assert (False, False) == (as_document(value).tool_calls, as_event(value).tool_calls)
