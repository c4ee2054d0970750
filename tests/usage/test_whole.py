"""An answer read in one step tells what a meter tells of it."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.usage import shapes
from tests.usage.cases import Case, cases
from tests.usage.shapes import Body
from tokenboard.usage import Meter, Usage, UsageSource, read_whole

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
JSON = b"application/json"
COUNTS = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
USAGE = Usage(prompt_tokens=7, completion_tokens=3, source=UsageSource.REPORTED)
CALL = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def metered(body: bytes, content_type: bytes = JSON) -> tuple[Usage, bool]:
    meter = Meter(content_type, None, 200)
    meter.feed(body)
    return meter.finish(True), meter.tool_calls


def answer(*choices: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"id": "c1", "object": "chat.completion", "choices": choices, "usage": COUNTS} | more).encode()


@settings(max_examples=400, suppress_health_check=SLOW)
@given(body=shapes.BODIES, content_type=st.sampled_from([kind for kind in shapes.TYPES if kind is not None]))
def test_any_answer_is_left_to_a_meter_or_told_as_a_meter_tells_it(body: Body, content_type: str) -> None:
    kind = content_type.encode()
    told = read_whole(body.data, kind)
    assert told is None or metered(body.data, kind) == told


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_body_of_a_report_is_left_to_a_meter_or_told_as_a_meter_tells_it(case: Case) -> None:
    told = read_whole(case.body, JSON)
    assert told is None or metered(case.body) == told


@pytest.mark.parametrize(
    ("body", "calls"),
    [
        (answer({"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}), False),
        (answer({"message": {"content": None, "tool_calls": [], "function_call": None}}), False),
        (answer({"message": {"content": None, "tool_calls": CALL}}), True),
        (answer({"message": {"content": "hi"}}, {"message": {"function_call": {"name": "f"}}}), True),
        (answer({"message": {"content": [{"type": "tool_use", "name": "f"}]}}), True),
        (answer({"text": "hi"}), False),
        (answer({"delta": {"tool_calls": CALL}}), True),
        (answer({"message": None}), False),
        (b"\n" + answer({"message": {"content": "\u00e9"}}) + b"\n", False),
        (json.dumps({"object": "list", "data": [], "usage": COUNTS}).encode(), False),
        (json.dumps({"type": "message", "content": [{"type": "tool_use"}], "usage": COUNTS}).encode(), True),
        (json.dumps({"object": "response", "output": [{"type": "x_call"}], "usage": COUNTS}).encode(), True),
    ],
)
def test_an_answer_that_reports_usage_needs_no_meter(body: bytes, calls: bool) -> None:
    assert (USAGE, calls) == metered(body)
    assert (USAGE, calls) == read_whole(body, JSON)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        answer({"message": {"content": "hi"}})[:-1],
        answer({"message": {"content": "hi"}}) * 2,
        answer(usage=None),
        answer({"message": {"content": "\ud800"}}),
        answer(usage={"prompt_tokens": 0, "completion_tokens": 0}),
        b"data: " + answer({"delta": {"content": "hi"}}),
        b"\xef\xbb\xbf" + answer(),
        b"[" * 100_000,
    ],
)
def test_what_is_not_one_object_that_reports_usage_is_left_to_a_meter(body: bytes) -> None:
    assert read_whole(body, JSON) is None


def test_documents_of_which_there_is_one_a_line_are_left_to_a_meter() -> None:
    assert read_whole(answer() + b"\n", b"application/x-ndjson; charset=utf-8") is None


def test_the_text_of_a_chat_is_not_even_decoded() -> None:
    body = answer({"message": {"content": "hi"}}).replace(b"hi", b"\xff")
    assert (USAGE, False) == read_whole(body, JSON)


def test_usage_that_a_choice_tells_beside_the_top_is_told_by_the_same_rules() -> None:
    body = answer({"message": {"content": "hi"}, "usage": {"prompt_tokens": 9, "completion_tokens": 9, "cost": 0.25}})
    assert metered(body) == read_whole(body, JSON)


@given(st.binary(max_size=200))
@example(b"{}")
def test_no_bytes_raise(body: bytes) -> None:
    assert read_whole(body, JSON) is None
