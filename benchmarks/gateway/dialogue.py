"""What is asked and answered in every measurement, in the OpenAI dialect."""

import json
import re
from typing import Any

ANSWER_BYTES = 300
CHUNKS = 200
GAP_MS = 2
"""Milliseconds between two chunks of a stream: a quick model's pace."""
SLOW_GAP_MS = 1_000
TOKENS = 30
"""Total tokens of every answer, streamed or not."""

MODEL = "bench"
SLOW_MODEL = "bench-slow"
"""Its streams are answered a chunk a second, for as long as the client stays."""

HEADERS = {"Content-Type": "application/json", "HTTP-Referer": "https://bench.example", "X-Title": "Bench"}
"""What every client sends; proxies add their own."""

STAMP = re.compile(rb"@(\d+)@")
"""The time at which a chunk left the upstream, in nanoseconds of the machine's monotonic clock."""

_USAGE = {"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": TOKENS}
_HEAD = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": MODEL}


def question(*, stream: bool = False, prompt_bytes: int = 50, model: str = MODEL) -> bytes:
    """Return a request body whose prompt has so many bytes."""
    prompt = ("Tell me about the weather in the mountains. " * (prompt_bytes // 40 + 1))[:prompt_bytes]
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body).encode()


def answer() -> bytes:
    """Return the body of an answer, `ANSWER_BYTES` long."""
    short = len(_answer_saying(""))
    return _answer_saying(("It is cold up there. " * ANSWER_BYTES)[: ANSWER_BYTES - short])


def event(stamp: int) -> bytes:
    """Return one event of a stream, whose text is the time ``stamp``."""
    return (
        b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":'
        + (b'[{"index":0,"delta":{"role":"assistant","content":"@%d@"},"finish_reason":null}]}\n\n' % stamp)
    )


def ending() -> bytes:
    """Return the last events of a stream: why it ended, its usage, and the mark."""
    stop = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    events = [_HEAD | {"object": "chat.completion.chunk"} | more for more in (stop, {"choices": [], "usage": _USAGE})]
    return b"".join(b"data: " + _json(event) + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def _answer_saying(text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return _json(_HEAD | {"object": "chat.completion", "choices": [choice], "usage": _USAGE})


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
