"""The meter against a slow reader of the whole body, and against any bytes at all."""

import gzip
import json
import tracemalloc
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tokenboard.usage import Meter, Usage, UsageSource

NUMBERS: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, 0, 1, 2, 7, 30, "12", 5.0, -3, True, 10**13, "x", 2.5, [], 400]
)
COSTS: st.SearchStrategy[Any] = st.sampled_from([None, 0, 0.25, "0.1", -1, True, "free"])
CUTS = st.lists(st.integers(1, 60), min_size=1, max_size=12)


def group(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, NUMBERS))


CHAT = st.builds(
    lambda usage, cached, reasoning, cost: {
        **usage,
        "prompt_tokens_details": cached,
        "completion_tokens_details": reasoning,
        "cost": cost,
    },
    st.fixed_dictionaries({"prompt_tokens": NUMBERS, "completion_tokens": NUMBERS}, optional={"total_tokens": NUMBERS}),
    st.none() | group("cached_tokens"),
    st.none() | group("reasoning_tokens"),
    COSTS,
)
ANTHROPIC = group("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
GEMINI = group("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount")


def number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        count = int(value)
    except ValueError:
        return None
    return count if 0 <= count <= 10**12 and (isinstance(value, str) or count == value) else None


def money(value: object) -> Decimal | None:
    try:
        return None if isinstance(value, bool) or Decimal(str(value)) < 0 else Decimal(str(value))
    except ArithmeticError:
        return None


def last_words(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The last known value of each field over all usage objects that are not all zero."""
    last: dict[str, Any] = {}
    for row in rows:
        if any(row.values()):
            last.update({name: value for name, value in row.items() if value is not None})
    return last


def within(part: int | None, whole: int | None) -> int | None:
    return None if part is not None and whole is not None and part > whole else part


def reference_chat(usages: list[dict[str, Any]]) -> Usage:
    rows = []
    for usage in usages:
        prompt, completion = number(usage["prompt_tokens"]), number(usage["completion_tokens"])
        total = number(usage.get("total_tokens"))
        cached = number((usage["prompt_tokens_details"] or {}).get("cached_tokens"))
        reasoning = number((usage["completion_tokens_details"] or {}).get("reasoning_tokens"))
        if total is not None and prompt is not None and completion is not None and total > prompt + completion:
            reasoning = total - prompt - completion if reasoning is None else reasoning
            completion = total - prompt
        if total is not None and prompt is not None and completion is None and total >= prompt:
            completion = total - prompt
        if total is not None and completion is not None and prompt is None and total >= completion:
            prompt = total - completion
        rows.append({"p": prompt, "c": completion, "cached": cached, "r": reasoning, "cost": money(usage["cost"])})
    last = last_words(rows)
    return answer(last.get("p"), last.get("c"), last.get("cached"), last.get("r"), last.get("cost"))


def reference_anthropic(usages: list[dict[str, Any]]) -> Usage:
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    last = last_words([{name: number(usage.get(name)) for name in names} for usage in usages])
    prompt = sum(last.get(name, 0) for name in names[:3]) if "input_tokens" in last else None
    return answer(prompt, last.get("output_tokens"), last.get("cache_read_input_tokens"), None, None)


def reference_gemini(usages: list[dict[str, Any]]) -> Usage:
    names = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount")
    last = last_words([{name: number(usage.get(name)) for name in names} for usage in usages])
    answered, thought = last.get("candidatesTokenCount"), last.get("thoughtsTokenCount")
    completion = None if answered is None else answered + (thought or 0)
    return answer(last.get("promptTokenCount"), completion, last.get("cachedContentTokenCount"), thought, None)


def answer(
    prompt: int | None, completion: int | None, cached: int | None, reasoning: int | None, cost: Decimal | None
) -> Usage:
    cached, reasoning = within(cached, prompt), within(reasoning, completion)
    if not any((prompt, completion, cached, reasoning, cost)):
        return Usage()
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        reasoning_tokens=reasoning,
        cost=cost,
        source=UsageSource.REPORTED,
    )


@st.composite
def rendered(draw: st.DrawFn, documents: list[Any]) -> bytes:
    """Write documents as an event stream in one of its many spellings."""
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    out = draw(st.sampled_from(["", "\ufeff", f": hello{end}{end}"]))
    for document in documents:
        text = json.dumps(document, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
        space = draw(st.sampled_from(["", " "]))
        out += draw(st.sampled_from(["", f": note{end}", f"id: 1{end}", f"retry: 5{end}"]))
        out += "".join(f"data:{space}{line}{end}" for line in text.split("\n")) + end
    return out.encode()


def metered(data: bytes, sizes: list[int], coding: str | None = None) -> Usage:
    meter = Meter("text/event-stream", coding, 200)
    at = 0
    while at < len(data):
        for size in sizes:
            meter.feed(data[at : at + size])
            at += size
    usage = meter.finish(True)
    assert meter.blind is None
    return usage


@given(data=st.data(), usages=st.lists(CHAT, max_size=5), sizes=CUTS)
def test_a_chat_stream_agrees_with_the_reference(
    data: st.DataObject, usages: list[dict[str, Any]], sizes: list[int]
) -> None:
    documents: list[Any] = [{"choices": [{"delta": {"content": 'ü "usage"'}}], "usage": usage} for usage in usages]
    stream = data.draw(rendered([{"choices": [], "usage": None}, *documents, [1], "text", None, 3]))
    expected = reference_chat(usages)
    assert expected == metered(stream, sizes)
    assert expected == metered(gzip.compress(stream), sizes, "gzip")


@given(data=st.data(), start=ANTHROPIC, deltas=st.lists(ANTHROPIC, max_size=3), sizes=CUTS)
def test_an_anthropic_stream_agrees_with_the_reference(
    data: st.DataObject, start: dict[str, Any], deltas: list[dict[str, Any]], sizes: list[int]
) -> None:
    documents: list[Any] = [{"type": "message_start", "message": {"id": "m", "usage": start}}]
    documents += [{"type": "message_delta", "delta": {}, "usage": delta} for delta in deltas]
    stream = data.draw(rendered([*documents, {"type": "message_stop"}, {"usage": {"input_tokens": 999}}]))
    assert reference_anthropic([start, *deltas]) == metered(stream, sizes)


@given(data=st.data(), usages=st.lists(GEMINI, max_size=4), sizes=CUTS)
def test_a_gemini_stream_agrees_with_the_reference(
    data: st.DataObject, usages: list[dict[str, Any]], sizes: list[int]
) -> None:
    stream = data.draw(rendered([{"candidates": [], "usageMetadata": usage} for usage in usages]))
    assert reference_gemini(usages) == metered(stream, sizes)


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
    prompt_chars=st.none() | st.integers(-5, 10**6),
)
def test_no_bytes_whatever_raise_or_need_the_safety_net(
    chunks: list[bytes],
    content_type: str | None,
    coding: str | None,
    complete: bool,
    prompt_chars: int | None,
) -> None:
    meter = Meter(content_type, coding, 200)
    for chunk in chunks:
        meter.feed(chunk)
    usage = meter.finish(complete, prompt_chars=prompt_chars)
    assert meter.blind != "fault"
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
        answers.append((meter.finish(complete), meter.failed, meter.ended, meter.response_id, meter.response_model))
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
