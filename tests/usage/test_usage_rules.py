"""The rules of usage, one test or more for each, and the traps servers lay."""

import gzip
import json
import zlib
from decimal import Decimal
from typing import Any

import brotli
import pytest
import zstandard

from tokenboard.usage import Meter, Unread, Usage, UsageSource

BLIND = {Unread.UNKNOWN_ENCODING, Unread.BROKEN_ENCODING, Unread.OVERSIZED, Unread.FAULT}
STREAM = "text/event-stream; charset=utf-8"


def event(document: object, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(document)}\n\n".encode()


def chat(text: str | None = None, **more: object) -> dict[str, Any]:
    choices = [] if text is None else [{"index": 0, "delta": {"content": text}}]
    return {"id": "c1", "model": "m", "choices": choices, **more}


def tokens(prompt: int, completion: int, **more: object) -> dict[str, Any]:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {**usage, **more}


def metered(*chunks: bytes, complete: bool = True, content_type: str = STREAM) -> Usage:
    meter = Meter(content_type, None, 200)
    for chunk in chunks:
        meter.feed(chunk)
    usage = meter.finish(complete)
    assert not set(meter.unread) & BLIND
    return usage


def body_usage(document: object, status: int = 200) -> Usage:
    meter = Meter("application/json", None, status)
    meter.feed(json.dumps(document).encode())
    return meter.finish(True)


def reported(prompt: int | None, completion: int | None, **more: Any) -> Usage:
    return Usage(prompt_tokens=prompt, completion_tokens=completion, source=UsageSource.REPORTED, **more)


DONE = b"data: [DONE]\n\n"


# Rule 1


def test_rule_1_later_fields_replace_earlier_ones_and_nothing_is_added() -> None:
    usage = metered(event(chat("a", usage=tokens(10, 1))), event(chat("b", usage=tokens(10, 2))), DONE)
    assert reported(10, 2) == usage


def test_rule_1_a_null_field_replaces_nothing() -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 20, "cache_read_input_tokens": 7}}}
    delta = {"type": "message_delta", "usage": {"input_tokens": None, "output_tokens": 5}}
    assert reported(27, 5, cached_tokens=7) == metered(event(start), event(delta), event({"type": "message_stop"}))


def test_rule_1_a_later_smaller_number_replaces_a_larger_one() -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 99, "output_tokens": 3}}}
    deltas = [{"type": "message_delta", "usage": {"input_tokens": 25, "output_tokens": n}} for n in (9, 6)]
    assert reported(25, 6) == metered(event(start), *map(event, deltas), event({"type": "message_stop"}))


def test_rule_1_usage_null_after_usage_changes_nothing() -> None:
    assert reported(3, 2) == metered(event(chat("a", usage=tokens(3, 2))), event(chat("b", usage=None)), DONE)


# Rule 2


def test_rule_2_usage_with_every_field_zero_is_unknown() -> None:
    assert Usage() == body_usage({"choices": [], "usage": tokens(0, 0, cost=0.0)})
    assert Usage() == metered(event(chat("a", usage=tokens(0, 0))), DONE)


def test_rule_2_zeros_before_and_after_the_real_numbers_change_nothing() -> None:
    zero = event(chat("a", usage=tokens(0, 0)))
    assert reported(9, 2) == metered(zero, event(chat(usage=tokens(9, 2))), zero, DONE)


def test_rule_2_one_field_other_than_zero_makes_the_zeros_known() -> None:
    assert reported(0, 3) == body_usage({"usage": tokens(0, 3)})


# Rule 3


def test_rule_3_the_extra_chunk_that_was_asked_for_is_read() -> None:
    assert reported(5, 7) == metered(event(chat("hi", usage=None)), event(chat(usage=tokens(5, 7))), DONE)


def test_rule_3_a_complete_stream_of_an_upstream_that_was_not_asked_is_unknown() -> None:
    assert Usage() == metered(event(chat("hi")), DONE)
    assert Usage() == metered(event(chat("hi")))


# Rule 4


def test_rule_4_a_broken_stream_keeps_the_usage_seen_so_far_as_partial() -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}
    delta = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hello"}}
    expected = Usage(prompt_tokens=25, completion_tokens=1, source=UsageSource.PARTIAL)
    assert expected == metered(event(start), event(delta), complete=False)


def test_rule_4_a_broken_stream_without_usage_is_estimated_from_its_text() -> None:
    expected = Usage(completion_tokens=3, source=UsageSource.ESTIMATED)
    assert expected == metered(event(chat("Grüße")), event(chat(", you")), complete=False)


def test_rule_4_a_broken_stream_without_text_is_unknown() -> None:
    assert Usage() == metered(event(chat("")), complete=False)


def test_rule_4_a_client_that_leaves_after_the_terminal_event_missed_nothing() -> None:
    assert reported(5, 7) == metered(event(chat("hi")), event(chat(usage=tokens(5, 7))), DONE, complete=False)


def test_rule_4_a_broken_body_is_unknown_and_one_that_arrived_whole_is_reported() -> None:
    whole = json.dumps({"choices": [{"message": {"content": "long text"}}], "usage": tokens(5, 7)}).encode()
    assert Usage() == metered(whole[:40], complete=False, content_type="application/json")
    assert reported(5, 7) == metered(whole, complete=False, content_type="application/json")


@pytest.mark.parametrize(
    ("document", "characters"),
    [
        (chat("abcdefgh"), 8),
        ({"choices": [{"delta": {"reasoning_content": "abcd", "reasoning": "abcd", "content": None}}]}, 4),
        ({"choices": [{"delta": {"tool_calls": [{"function": {"name": "find", "arguments": '{"a":1}'}}]}}]}, 11),
        ({"choices": [{"delta": {"content": [{"type": "text", "text": "abcde"}]}}, {"text": "abc"}]}, 8),
        ({"type": "response.output_text.delta", "delta": "abcdefgh"}, 8),
        ({"type": "response.output_audio.delta", "delta": "UklGRg=="}, 0),
        ({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "abcd"}}, 4),
        ({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{}"}}, 2),
        ({"type": "content_block_start", "content_block": {"type": "tool_use", "name": "find"}}, 4),
        ({"candidates": [{"content": {"parts": [{"text": "abc"}, {"inlineData": {}}]}}]}, 3),
        ({"message": {"content": "abcd", "thinking": "ab"}, "done": False}, 6),
        ({"response": "abcde", "done": False}, 5),
        ({"content": "abcde", "stop": False}, 5),
    ],
)
def test_rule_4_the_text_of_every_dialect_is_counted(document: dict[str, Any], characters: int) -> None:
    expected = -(-characters // 4) if characters else None
    assert expected == metered(event(document), complete=False).completion_tokens


# Rule 5


@pytest.mark.parametrize("status", [199, 301, 400, 404, 429, 500, 503])
def test_rule_5_a_response_that_is_not_2xx_has_failed_and_carries_no_tokens(status: int) -> None:
    meter = Meter("application/json", None, status)
    meter.feed(json.dumps({"usage": tokens(5, 7)}).encode())
    assert meter.failed
    assert Usage() == meter.finish(True)


@pytest.mark.parametrize(
    "data",
    [
        event({"error": {"code": 502, "message": "no"}, "choices": [{"delta": {"content": ""}}]}),
        event({"type": "error", "error": {"type": "overloaded_error"}}, "error"),
        event({"type": "error", "code": "server_error", "message": "no"}),
        event({"message": "no"}, "error"),
        b"event: error\ndata: plain words\n\n",
        event({"type": "response.failed", "response": {"error": {"code": "x"}, "usage": None}}),
        event({"error": "no"}),
    ],
)
def test_rule_5_an_error_before_any_output_fails_the_request(data: bytes) -> None:
    meter = Meter(STREAM, None, 200)
    meter.feed(event({"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}}))
    meter.feed(data)
    assert Usage() == meter.finish(True)
    assert meter.failed


def test_rule_5_an_error_after_output_does_not_fail_the_request() -> None:
    error = event({"error": {"message": "no"}})
    assert Usage(completion_tokens=1, source=UsageSource.ESTIMATED) == metered(event(chat("a")), error, DONE)
    seen = metered(event(chat("a", usage=tokens(4, 1))), error, DONE)
    assert Usage(prompt_tokens=4, completion_tokens=1, source=UsageSource.PARTIAL) == seen


def test_rule_5_usage_on_the_terminal_error_itself_is_reported() -> None:
    text = event({"type": "response.output_text.delta", "delta": "x"})
    response = {"error": {"code": "x"}, "usage": {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}}
    assert reported(4, 2) == metered(text, event({"type": "response.failed", "response": response}))


def test_rule_5_an_error_object_as_the_whole_body_fails_the_request() -> None:
    meter = Meter("application/json", None, 200)
    meter.feed(b'{"error":{"message":"no credits","code":402},"user_id":"u"}')
    assert Usage() == meter.finish(True)
    assert meter.failed


def test_rule_5_an_error_of_null_is_no_error() -> None:
    meter = Meter("application/json", None, 200)
    meter.feed(b'{"object":"response","error":null,"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}')
    assert reported(1, 2) == meter.finish(True)
    assert not meter.failed


# Rule 6


def test_rule_6_one_response_gives_one_usage_however_often_it_is_asked_for() -> None:
    meter = Meter(STREAM, None, 200)
    meter.feed(event(chat("hi", usage=tokens(5, 1))))
    first = meter.finish(False)
    meter.feed(event(chat("hi", usage=tokens(5, 9))))
    assert first is meter.finish(True)


def test_rule_10_usage_after_the_terminal_event_counts() -> None:
    late = event(chat("late", usage=tokens(50, 90)))
    assert reported(50, 90) == metered(event(chat("hi", usage=tokens(5, 1))), DONE + late, late)
    assert reported(50, 90) == metered(event(chat("hi")), DONE, late)


# Rule 7


PACKED = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("coding", PACKED)
def test_rule_7_a_compressed_stream_is_read_and_one_corrupted_is_what_could_be_read(coding: str) -> None:
    packed = PACKED[coding](event(chat("hi")) + event(chat(usage=tokens(5, 7))) + DONE)
    meter = Meter(STREAM, coding, 200)
    for byte in packed:
        meter.feed(bytes([byte]))
    assert meter.ended
    assert reported(5, 7) == meter.finish(True)
    broken = Meter(STREAM, coding, 200)
    broken.feed(b"\x00\xff\x13garbage" * 9)
    assert Usage() == broken.finish(True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[",
        b"nonsense",
        b'{"usage"',
        b'{"usage":{"prompt_tokens":',
        b"\xff\xfe\x00",
        b"data: {broken\n\n",
        b'{"usage":{"prompt_tokens":[[]],"completion_tokens":{}}}',
        b"null",
        b'{"usage":5}',
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", STREAM, "application/x-ndjson", None, "audio/mpeg"])
def test_rule_7_what_cannot_be_read_is_unknown(data: bytes, content_type: str | None) -> None:
    meter = Meter(content_type, None, 200)
    meter.feed(data)
    assert Usage() == meter.finish(True)
    assert len(meter.unread) == 1
    assert Unread.FAULT not in meter.unread


def test_rule_7_broken_events_do_not_hide_the_whole_ones() -> None:
    broken = b'data: {"choices": [\n\ndata: NaN\n\ndata: {"a":"\xff"}\n\n:\n\nevent\n\ndata\n\n'
    assert reported(5, 7) == metered(broken, event(chat(usage=tokens(5, 7))), broken, DONE)


def test_rule_7_malformed_json_still_gives_a_usage_object_that_is_whole() -> None:
    written = b'"\\ud83d \\"usage\\": {\\"prompt_tokens\\": 1}"'
    usage = b'{"prompt_tokens":5,"completion_tokens":7,"cost":0.1234567890123456789}'
    data = b'{"id":"x1","choices":[{"logprobs":NaN,"text":%b}],"usage" : %b}' % (written, usage)
    cost = Decimal("0.1234567890123456789")
    assert reported(5, 7, cost=cost) == metered(data, content_type="application/json")
    assert reported(5, 7, cost=cost) == metered(b"data: " + data + b"\n\n", DONE)


def test_rule_7_a_body_of_tens_of_megabytes_is_read() -> None:
    filler = b'{"object":"list","data":[{"embedding":[' + b"0.25," * 4_000_000 + b"1]}],"
    data = filler + b'"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}'
    assert reported(8, 0) == metered(data, content_type="application/json")


def test_rule_7_a_body_over_the_buffer_is_searched_at_its_end() -> None:
    meter = Meter("application/json", None, 200, max_buffer=10_000)
    meter.feed(b'{"id":"emb-1","object":"list","data":[')
    for _ in range(50):
        meter.feed(b"0.25," * 4_000)
    meter.feed(b'1],"usage":{"prompt_tokens":8,"total_tokens":8}}')
    assert reported(8, 0) == meter.finish(True)


def test_rule_7_nesting_deeper_than_the_stack_is_survived() -> None:
    deep = b"[" * 200_000
    assert Usage() == metered(deep, content_type="application/json")
    assert Usage() == metered(b'{"usage":' + deep, content_type="application/json")
    assert Usage() == metered(b'{"usage":' + b'{"usage":' * 100_000, content_type="application/json")
    inner = b'{"x":' + deep + b"]" * 200_000 + b',"usage":{"prompt_tokens":5,"completion_tokens":7}}'
    assert reported(5, 7) == metered(inner, content_type="application/json")
    assert reported(5, 7) == metered(b"data: " + inner + b"\n\n", DONE)


def test_rule_7_an_event_over_the_bound_still_ends_the_stream_and_gives_its_usage() -> None:
    head = b'data: {"type":"response.completed","response":{"id":"resp_9","output":"'
    tail = b'","usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}}}\n\n'
    data = head + b"x" * 3_000_000 + tail
    for size in (1_000, 65_536, len(data)):
        meter = Meter(STREAM, None, 200)
        for start in range(0, len(data), size):
            meter.feed(data[start : start + size])
        assert meter.ended
        assert reported(5, 7) == meter.finish(True)


# Numbers and shapes


def test_unknown_is_not_zero() -> None:
    assert reported(5, None) == body_usage({"choices": [], "usage": {"prompt_tokens": 5}})
    assert None is reported(5, None).total_tokens


def test_negative_absurd_and_boolean_numbers_count_as_not_given() -> None:
    usage = {"prompt_tokens": -5, "completion_tokens": 7, "total_tokens": True}
    assert reported(None, 7) == body_usage({"usage": usage})
    assert reported(None, 7) == body_usage({"usage": {"prompt_tokens": 10**12 + 1, "completion_tokens": 7}})


def test_numeric_strings_are_numbers() -> None:
    assert reported(12, 7) == body_usage({"usage": {"prompt_tokens": "12", "completion_tokens": " 7 "}})


def test_thinking_that_only_the_total_counts_belongs_to_the_completion() -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 150}
    assert reported(100, 50, reasoning_tokens=43) == body_usage({"usage": usage})
    native = {"promptTokenCount": 100, "candidatesTokenCount": 7, "totalTokenCount": 150}
    assert reported(100, 50, reasoning_tokens=43) == body_usage({"usageMetadata": native})


def test_a_part_larger_than_its_whole_is_left_out() -> None:
    usage = tokens(5, 7, prompt_tokens_details={"cached_tokens": 6}, completion_tokens_details={"reasoning_tokens": 8})
    assert reported(5, 7) == body_usage({"usage": usage})


def test_with_the_names_of_both_families_prompt_tokens_is_trusted() -> None:
    usage = tokens(100, 7, input_tokens=20, cache_read_input_tokens=80, cache_creation_input_tokens=5, output_tokens=9)
    assert reported(100, 7, cached_tokens=80) == body_usage({"usage": usage})


def test_names_of_the_other_family_that_are_all_zero_do_not_count() -> None:
    assert reported(100, 7) == body_usage({"usage": tokens(100, 7, input_tokens=0, output_tokens=0)})
    usage = {**tokens(0, 0), "input_tokens": 100, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 3}}
    assert reported(100, 7, cached_tokens=3) == body_usage({"usage": usage})


def test_cost_is_exact() -> None:
    meter = Meter("application/json", None, 200)
    meter.feed(b'{"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":0.10000000000000000001}}')
    assert Decimal("0.10000000000000000001") == meter.finish(True).cost


@pytest.mark.parametrize(
    "cost", ["-1", "1e400", '"NaN"', '"Infinity"', '"sNaN"', "true", "[]", "1e99999999999999999999"]
)
def test_a_cost_that_is_no_amount_of_money_is_not_given(cost: str) -> None:
    meter = Meter("application/json", None, 200)
    meter.feed(b'{"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":%b}}' % cost.encode())
    assert reported(1, 1) == meter.finish(True)


def test_of_duplicate_keys_the_last_counts() -> None:
    data = b'{"usage":{"prompt_tokens":1,"prompt_tokens":5,"completion_tokens":7},"usage":{"prompt_tokens":5}}'
    assert reported(5, None) == metered(data, content_type="application/json")


def test_a_usage_object_that_a_model_wrote_does_not_count() -> None:
    text = '{"usage": {"prompt_tokens": 999999, "completion_tokens": 999999}}'
    assert reported(5, 7) == metered(event(chat(text)), event(chat(usage=tokens(5, 7))), event(chat(text)), DONE)
    body = {"usage": tokens(5, 7), "choices": [{"message": {"content": text}}]}
    assert reported(5, 7) == body_usage(body)
    broken = json.dumps(body).encode()[:-1]
    assert reported(5, 7) == metered(broken, content_type="application/json")


def test_white_space_sent_to_keep_the_connection_alive_is_skipped() -> None:
    meter = Meter("application/json", None, 200)
    for _ in range(50):
        meter.feed(b"         \n")
    meter.feed(json.dumps({"usage": tokens(5, 7)}).encode())
    assert reported(5, 7) == meter.finish(True)


def test_an_event_stream_announced_as_json_is_still_a_stream() -> None:
    data = event(chat("a")) + event(chat(usage=tokens(5, 7))) + DONE
    assert reported(5, 7) == metered(data, content_type="application/json")


def test_a_json_body_announced_as_an_event_stream_is_still_a_body() -> None:
    assert reported(5, 7) == metered(json.dumps({"usage": tokens(5, 7)}).encode())


def test_lines_of_json_announced_as_json_are_read() -> None:
    lines = (
        b'{"model":"m","message":{"content":"a"},"done":false}\n{"done":true,"prompt_eval_count":4,"eval_count":2}\n'
    )
    assert reported(4, 2) == metered(lines, content_type="application/json")


def test_the_name_every_event_has_by_default_says_nothing_of_its_kind() -> None:
    usage = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11, "input_tokens_details": {"cached_tokens": 4}}
    assert reported(9, 2, cached_tokens=4) == metered(event({"usage": usage}, "message"))


def test_the_name_of_an_event_stands_in_for_a_missing_type() -> None:
    meter = Meter(STREAM, None, 200)
    meter.feed(event({"usage": {"input_tokens": 9, "output_tokens": 2}}, "message_delta") + event({}, "message_stop"))
    assert meter.ended
    assert reported(9, 2) == meter.finish(False)


def test_headers_may_be_bytes() -> None:
    meter = Meter(b"Text/Event-Stream", b"Identity", 200)
    meter.feed(event(chat(usage=tokens(5, 7))))
    assert reported(5, 7) == meter.finish(True)


def test_a_done_line_ends_the_stream_before_its_blank_line() -> None:
    meter = Meter(STREAM, None, 200)
    meter.feed(event(chat("a", usage=tokens(5, 7))) + b"data: [DONE]")
    before = meter.ended
    meter.feed(b"\n")
    assert (before, meter.ended) == (False, True)
