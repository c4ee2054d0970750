"""Events known by their bytes count as they would if each were parsed."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenboard.usage import Meter, UsageSource
from tokenboard.usage.document import decode_event
from tokenboard.usage.output import read_output
from tokenboard.usage.twins import Twins

TEXTS = st.text(max_size=8) | st.sampled_from(["", '"', "\\", 'a","content":"b', "é\n\u2028", "}", "x"])


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"id": "c1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]} | more


FORMS = [
    chat,
    lambda text: chat(text, usage=None, obfuscation="aB3" * len(text)),
    lambda text: {"choices": [{"text": text}]},
    lambda text: {"choices": [{"delta": {"reasoning_content": text, "content": None}}]},
    lambda text: {"choices": [{"delta": {"reasoning_content": text, "reasoning": text}}]},
    lambda text: {"choices": [{"delta": {"role": "assistant", "content": text}}], "content": 7},
    lambda text: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
    lambda text: {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": text}},
    lambda text: {"type": "response.output_text.delta", "item_id": "i", "delta": text},
    lambda text: {"type": "response.audio.delta", "delta": text},
    lambda text: {"choices": [{"delta": {"refusal": text}}], "told": {"content": "xy"}},
]


def written(event: dict[str, Any], *, ascii_only: bool = False, compact: bool = True) -> bytes:
    separators = (",", ":") if compact else None
    return json.dumps(event, ensure_ascii=ascii_only, separators=separators).encode("utf-8", "surrogatepass")


@settings(max_examples=400)
@given(
    form=st.sampled_from(FORMS),
    texts=st.lists(TEXTS, min_size=1, max_size=20),
    ascii_only=st.booleans(),
    compact=st.booleans(),
)
def test_an_event_that_is_known_brings_what_it_would_if_it_were_parsed(
    form: Any, texts: list[str], ascii_only: bool, compact: bool
) -> None:
    twins = Twins()
    for text in texts:
        document = written(form(text), ascii_only=ascii_only, compact=compact)
        event = decode_event(document)
        assert event is not None
        brought = read_output(event)[0]
        count = twins.count(document, b"")
        assert count in {-1, brought}
        if count < 0:
            twins.learn(document, b"", brought)


@pytest.mark.parametrize("form", [chat, FORMS[1], FORMS[2], FORMS[3], FORMS[6], FORMS[7], FORMS[8]])
def test_most_events_of_a_long_stream_are_known(form: Any) -> None:
    twins = Twins()
    known = 0
    for number in range(50):
        document = written(form("abc" * (number + 1)))
        count = twins.count(document, b"")
        if count < 0:
            twins.learn(document, b"", 3 * (number + 1))
        known += count >= 0
    assert 40 <= known


@pytest.mark.parametrize(
    "document",
    [
        b'{"choices":[{"delta":{"content":"a","tool_calls":[{"function":{"name":"f"}}],"role":"b"}}]}',
        b'{"choices":[{"delta":{"content":"a"}}],"error":{"message":"no"},"x":"b"}}]}',
        b'{"choices":[{"delta":{"content":"a\xff"}}]}',
        b'{"choices":[{"delta":{"content":"a\x01"}}]}',
        b'{"choices":[{"delta":{"content":"}}]}',
        b'{"choices":[{"delta":{"content":',
        b'{"choices":[{"delta":{"content":"a\\"}}]}',
        b'{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}',
    ],
)
def test_an_event_that_only_begins_and_ends_alike_is_parsed(document: bytes) -> None:
    twins = Twins()
    for text in ("one", "two", "three", "four"):
        twins.learn(b'{"choices":[{"delta":{"content":"%b"}}]}' % text.encode(), b"", len(text))
    assert 4 == twins.count(b'{"choices":[{"delta":{"content":"five"}}]}'.replace(b"five", b"nine"), b"")
    assert -1 == twins.count(document, b"")
    assert -1 == twins.count(b'{"choices":[{"delta":{"content":"five"}}]}', b"error")


def test_a_long_stream_that_breaks_off_is_estimated_by_all_of_its_text() -> None:
    meter = Meter("text/event-stream", None, 200)
    for number in range(100):
        meter.feed(b"data: " + written(chat("abcd" if number % 2 else "")) + b"\n\n")
    usage = meter.finish(complete=False)
    assert (50, UsageSource.ESTIMATED) == (usage.completion_tokens, usage.source)
