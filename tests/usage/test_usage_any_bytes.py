"""The meter against any bytes at all."""

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from tokenboard.usage import Meter, Usage, UsageSource

WORDS = st.sampled_from(
    [
        b"data: ",
        b"event: error\n",
        b"\n\n",
        b"\n",
        b"\r",
        b"{",
        b"}",
        b"[",
        b"]",
        b'"usage":',
        b'"usage":{"prompt_tokens":',
        b'"message":',
        b'"response":',
        b'"type":"message_delta"',
        b'"choices":[{"delta":{"content":"',
        b"null",
        b"1e999",
        b'"error":',
        b"[DONE]",
        b":",
        b",",
        b'"',
        b"9" * 30,
        b"\\ud800",
        b"\xff",
        b"\x00",
        b'"cost":',
        b'"usageMetadata":{',
        b'"delta":',
        b'"candidates":',
        b'"content":',
        b'"done":true',
        b'{"usage":{"prompt_tokens":5}}',
        b"true",
        b"-0.0",
    ]
)
CONTENT_TYPES = st.sampled_from(
    ["text/event-stream", "application/json", "application/x-ndjson", "audio/mpeg", "", None]
)
CODINGS = st.sampled_from([None, "gzip", "br", "zstd", "deflate", "gzip, br", "nonsense", ","])


@settings(max_examples=400)
@given(
    chunks=st.lists(st.lists(WORDS, max_size=12).map(b"".join) | st.binary(max_size=30), max_size=8),
    content_type=CONTENT_TYPES | st.text(max_size=20),
    coding=CODINGS,
    complete=st.booleans(),
)
def test_no_bytes_whatever_raise_or_need_the_safety_net(
    chunks: list[bytes],
    content_type: str | None,
    coding: str | None,
    complete: bool,
) -> None:
    meter = Meter(content_type, coding, 200)
    for chunk in chunks:
        meter.feed(chunk)
    usage = meter.finish(complete)
    assert meter.fault == ""
    numbers = (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens)
    assert all(count is None or 0 <= count <= 10**12 for count in numbers)
    assert (usage.source is UsageSource.UNKNOWN) == (usage == Usage())


@given(
    chunks=st.lists(st.lists(WORDS, max_size=12).map(b"".join) | st.binary(max_size=30), max_size=8),
    content_type=CONTENT_TYPES,
    complete=st.booleans(),
)
def test_the_same_bytes_give_the_same_usage_whatever_the_cuts(
    chunks: list[bytes], content_type: str | None, complete: bool
) -> None:
    data = b"".join(chunks)
    answers = []
    for cut in (chunks, [data], [bytes([byte]) for byte in data]):
        meter = Meter(content_type, None, 200)
        for chunk in cut:
            meter.feed(chunk)
        answers.append((meter.finish(complete), meter.failed, meter.ended, meter.unread))
    assert [answers[0]] * 3 == answers


def test_a_stream_is_metered_in_a_few_kibibytes() -> None:
    chunk = b'data: {"id":"c","model":"m","choices":[{"delta":{"content":"some words"}}],"usage":null}\n\n'
    meters = [Meter("text/event-stream", None, 200) for _ in range(50)]
    tracemalloc.start()
    try:
        for _ in range(100):
            for meter in meters:
                meter.feed(chunk)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / len(meters) < 4096
