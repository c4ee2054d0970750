"""Answers made to be costly to read: their usage is found all the same, in bounded memory."""

import tracemalloc

import pytest

from tokenboard.usage import Meter

USED = b'"usage":{"prompt_tokens":8,"completion_tokens":3}}'
COSTLY = {
    "brackets": b'{"x":[' + b"[]," * 700_000 + b"0]," + USED,
    "choices": b'{"choices":[' + b'{"a":{"b":1}},' * 60_000 + b"{}]," + USED,
    "texts": b'{"content":[' + b'"a",' * 500_000 + b'""],' + USED,
    "nesting": b'{"x":[' + b"[[[[[[0]]]]]]," * 20_000 + b"0]," + USED,
    "a text": b'{"x":"' + b"A" * 2_000_000 + b'",' + USED,
    "escapes": b'{"x":"' + b'\\n\\"' * 500_000 + b'",' + USED,
    "usage objects": b'{"message":{"content":['
    + b'{"type":"tool_use","input":{"usage":{"prompt_tokens":99}}},' * 30_000
    + b"{}]},"
    + USED,
}


@pytest.mark.parametrize("form", ["document", "event"])
@pytest.mark.parametrize("body", COSTLY.values(), ids=COSTLY)
def test_a_costly_answer_is_read_in_bounded_memory(body: bytes, form: str) -> None:
    data = body if form == "document" else b"data: " + body + b"\n\n"
    meter = Meter("application/json", None, 200, max_buffer=65_536, max_event=65_536)
    tracemalloc.start()
    try:
        for start in range(0, len(data), 16_384):
            meter.feed(data[start : start + 16_384])
        usage = meter.finish(True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (8, 3) == (usage.prompt_tokens, usage.completion_tokens)
    assert () == meter.unread
    assert peak < 5_000_000
