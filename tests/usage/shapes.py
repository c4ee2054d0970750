"""Answers as servers give them, generated: events of one family, and the many ways to write them down."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import brotli
import zstandard
from hypothesis import strategies as st

COUNTS: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, 0, 1, 2, 7, 30, 400, "12", 5.0, -3, True, 10**13, "x", 2.5, []]
)
WHOLE = st.sampled_from([None, 0, 1, 2, 7, 30, 37, 400])
COSTS: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, 0.25, "0.1", -1, True, "free", {"total_cost": 0.006}, {"total_cost": None}, {}]
)
TEXTS = st.sampled_from(
    ["", "hi", 'ü "usage": {"prompt_tokens": 9}', "\\", "data: [DONE]", '{"usage":{"input_tokens":9}}']
)
EMPTY_ERRORS: st.SearchStrategy[Any] = st.sampled_from(
    [None, {}, "", {"message": "", "type": "", "param": "", "code": None}, {"message": "", "code": 0, "type": "x"}]
)
ERRORS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"error": {"message": "no"}},
        {"error": "no"},
        {"error": {"type": "overloaded"}},
        {"type": "error", "error": {"message": "no"}},
        {"object": "error", "message": "no", "code": 400},
        {"base_resp": {"status_code": 1004}},
    ]
)
QUIET: st.SearchStrategy[dict[str, Any]] = st.sampled_from([{}, {"base_resp": {"status_code": 0}}]) | st.builds(
    lambda error: {"error": error}, EMPTY_ERRORS
)


def some(**names: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=names)


DETAILS = st.none() | some(cached_tokens=WHOLE, cache_write_tokens=WHOLE, cache_creation_tokens=WHOLE)
THOUGHT = st.none() | some(reasoning_tokens=WHOLE, thinking_tokens=WHOLE)
MONEY = {"cost": COSTS, "estimated_cost": COSTS, "cost_in_usd_ticks": WHOLE}
CACHE = {
    "cache_read_input_tokens": WHOLE,
    "cache_creation_input_tokens": WHOLE,
    "cache_creation": some(ephemeral_5m_input_tokens=WHOLE, ephemeral_1h_input_tokens=WHOLE),
}
CHAT_USAGE = some(
    prompt_tokens=COUNTS,
    completion_tokens=COUNTS,
    total_tokens=COUNTS,
    prompt_tokens_details=DETAILS,
    completion_tokens_details=THOUGHT,
    prompt_cache_hit_tokens=WHOLE,
    cached_tokens=WHOLE,
    reasoning_tokens=WHOLE,
    **CACHE,
    **MONEY,
)
INPUT_USAGE = some(
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    total_tokens=COUNTS,
    input_tokens_details=DETAILS,
    output_tokens_details=THOUGHT,
    **CACHE,
    **MONEY,
)
ITERATIONS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["compaction", "message", "advisor"])},
        optional=dict.fromkeys(("input_tokens", "output_tokens", "cache_read_input_tokens"), WHOLE),
    ),
    max_size=3,
)
ANTHROPIC_USAGE = some(
    input_tokens=COUNTS, output_tokens=COUNTS, output_tokens_details=THOUGHT, iterations=ITERATIONS, **CACHE
)
BOTH = st.builds(lambda chat, other: {**other, **chat}, CHAT_USAGE, INPUT_USAGE)
GEMINI_USAGE = some(
    promptTokenCount=COUNTS,
    candidatesTokenCount=COUNTS,
    thoughtsTokenCount=COUNTS,
    cachedContentTokenCount=COUNTS,
    toolUsePromptTokenCount=WHOLE,
    totalTokenCount=COUNTS,
)

CALL = {"function": {"name": "find", "arguments": '{"a": 1}'}}
DELTAS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda text: {"content": text}, TEXTS),
    st.sampled_from(
        [
            {},
            {"refusal": "no"},
            {"reasoning_content": "hm"},
            {"audio": {"transcript": "hello"}},
            {"tool_calls": [CALL]},
            {"function_call": CALL["function"]},
        ]
    ),
)


def chat_event(delta: dict[str, Any], more: dict[str, Any], name: str) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, name: delta}], **more}


CHAT_USED = st.one_of(
    st.builds(lambda usage: {"usage": usage}, st.none() | CHAT_USAGE | BOTH),
    st.builds(lambda usage: {"x_groq": {"id": "r", "usage": usage}}, CHAT_USAGE),
    st.builds(lambda usage: {"choices": [{"delta": {}, "usage": usage}]}, CHAT_USAGE),
    st.builds(lambda usage, other: {"usage": usage, "x_groq": {"usage": other}}, CHAT_USAGE, CHAT_USAGE),
)


def chat(name: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda delta, used, quiet: {**chat_event(delta, {}, name), **used, **quiet},
        DELTAS,
        CHAT_USED | st.just({}),
        QUIET,
    )


RESPONSES = st.one_of(
    st.builds(lambda text: {"type": "response.output_text.delta", "delta": text}, TEXTS),
    st.builds(
        lambda kind, usage: {"type": kind, "response": {"id": "r", "output": [], "usage": usage}},
        st.sampled_from(["response.created", "response.completed", "response.incomplete", "response.failed"]),
        st.none() | INPUT_USAGE,
    ),
)
ANTHROPIC = st.one_of(
    st.builds(lambda usage: {"type": "message_start", "message": {"id": "m", "usage": usage}}, ANTHROPIC_USAGE),
    st.builds(lambda text: {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}, TEXTS),
    st.builds(lambda usage: {"type": "message_delta", "delta": {}, "usage": usage}, ANTHROPIC_USAGE),
    st.builds(
        lambda metrics: {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics},
        some(inputTokenCount=WHOLE, outputTokenCount=WHOLE, cacheReadInputTokenCount=WHOLE),
    ),
    st.just({"type": "ping"}),
)
GEMINI = st.builds(
    lambda text, usage: {"candidates": [{"content": {"parts": [{"text": text}]}}], "usageMetadata": usage},
    TEXTS,
    st.none() | GEMINI_USAGE,
)
OLLAMA = st.builds(
    lambda text, counts: {"message": {"content": text}, "done": bool(counts), **counts},
    TEXTS,
    st.just({}) | some(prompt_eval_count=WHOLE, eval_count=WHOLE),
)
EMBEDDINGS = st.builds(
    lambda head, usage: {**head, "data": [{"embedding": [0.5]}], "usage": usage},
    st.sampled_from([{}, {"object": "list"}]),
    some(prompt_tokens=WHOLE, total_tokens=WHOLE),
)
DOCUMENTS = st.one_of(
    chat("message"),
    EMBEDDINGS,
    GEMINI,
    st.builds(lambda usage: {"object": "response", "error": None, "output": [], "usage": usage}, INPUT_USAGE),
    st.builds(lambda usage: {"type": "message", "content": [], "usage": usage}, ANTHROPIC_USAGE),
    st.builds(lambda usage: {"text": "x", "usage": usage}, INPUT_USAGE),
    ERRORS,
    st.builds(lambda error, answer: {**answer, **error}, ERRORS, chat("message")),
)


def with_errors(events: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.one_of(events, events, events, ERRORS), min_size=1, max_size=6)


STREAMS = st.one_of(*(with_errors(events) for events in (chat("delta"), RESPONSES, ANTHROPIC, GEMINI)))


class Body(NamedTuple):
    """A body as it stands before any coding, what it holds, and the type it ought to have."""

    data: bytes
    events: list[dict[str, Any]]
    content_type: str
    streamed: bool


@st.composite
def event_streams(draw: st.DrawFn) -> Body:
    """An event stream in one of its many spellings, after whose [DONE] more may come."""
    events = draw(STREAMS)
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    out = draw(st.sampled_from(["", "\ufeff", f": hello{end}{end}"]))
    done_at = draw(st.integers(0, len(events)))
    for number, event in enumerate([*events, None]):
        if number == done_at:
            out += draw(st.sampled_from(["", f"data: [DONE]{end}{end}"]))
        if event is None:
            break
        indent = draw(st.sampled_from([None, None, 1]))
        text = json.dumps(event, ensure_ascii=draw(st.booleans()), indent=indent)
        out += draw(st.sampled_from(["", f": note{end}", f"id: 1{end}", f"retry: 5{end}", f"event: message{end}"]))
        space = draw(st.sampled_from(["", " "]))
        out += "".join(f"data:{space}{line}{end}" for line in text.split("\n")) + end
    return Body(out.encode(), events, "text/event-stream", streamed=True)


@st.composite
def documents(draw: st.DrawFn) -> Body:
    event = draw(DOCUMENTS)
    text = json.dumps(event, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
    padding = draw(st.sampled_from(["", " \n", "\ufeff"]))
    return Body(
        (padding + text + draw(st.sampled_from(["", "\n"]))).encode(), [event], "application/json", streamed=False
    )


@st.composite
def lines(draw: st.DrawFn) -> Body:
    events = draw(st.lists(OLLAMA, min_size=2, max_size=4))
    end = draw(st.sampled_from(["", "\n"]))
    data = "\n".join(json.dumps(event) for event in events) + end
    return Body(data.encode(), events, "application/x-ndjson", streamed=True)


@st.composite
def arrays(draw: st.DrawFn) -> Body:
    events = draw(st.lists(GEMINI, min_size=1, max_size=3))
    return Body(json.dumps(events, indent=draw(st.sampled_from([None, 1]))).encode(), events, "application/json", False)


BODIES = st.one_of(event_streams(), event_streams(), documents(), documents(), lines(), arrays())


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
}
TOLD_BY_BYTES = ("gzip", "zstd")
"""The codings that a body is in whether a header says so or not."""

TYPES = [
    "text/event-stream",
    "application/json",
    "application/x-ndjson",
    "text/html",
    "text/plain",
    "audio/mpeg",
    "",
    None,
]
LABELS = [None, "", "none", "identity", "UTF-8", "utf-8, none", "gzip", "zstd", "deflate", "br", "gzip, br", "compress"]
