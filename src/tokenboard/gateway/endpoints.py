"""The inference endpoints: their paths, their names in the ledger, and what differs between them.

How an answer is metered depends on the answer's own shape, not on the path, so it is not here.
"""

import time
from dataclasses import dataclass
from typing import Any

import msgspec

from tokenboard.problem import Dialect, Problem

MAX_ENDPOINT = 100
"""Longest name of an endpoint in the ledger, in characters."""

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One inference endpoint.

    ``path`` is relative to a base, ``name`` the endpoint's name in the ledger, ``input`` the body's member that holds
    what the model is to work on. ``asks_usage``: a stream tells its usage only when asked by ``stream_options``
    (usage: rule 3). Where it is not ``metered`` no model is used, and nothing is recorded.
    """

    path: str
    name: str
    input: str
    asks_usage: bool = False
    metered: bool = True


CHAT = Endpoint("/chat/completions", "chat", "messages", asks_usage=True)
COMPLETIONS = Endpoint("/completions", "completions", "prompt", asks_usage=True)
EMBEDDINGS = Endpoint("/embeddings", "embeddings", "input")
RESPONSES = Endpoint("/responses", "responses", "input")
MESSAGES = Endpoint("/messages", "messages", "messages")
COUNT_TOKENS = Endpoint("/messages/count_tokens", "count_tokens", "messages", metered=False)

ENDPOINTS = (CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, MESSAGES, COUNT_TOKENS)
"""All endpoints; each answers POST under every base."""


def last_event(endpoint: Endpoint, problem: Problem, request_id: str, model: str) -> bytes:
    """Return the error event that ends an interrupted stream, in the form that the endpoint's clients read.

    Anthropic's ``event: error``; of responses, OpenAI's (its number is 0: the relay does not read the others'); of
    chat, OpenRouter's chunk that holds the error and is one for strict clients too; else the error alone.
    """
    if endpoint is MESSAGES:
        return b"event: error\ndata: " + problem.body(Dialect.ANTHROPIC, request_id) + b"\n\n"
    error = problem.error(Dialect.OPENAI)
    if endpoint is RESPONSES:
        told = {"code": str(problem.status), "message": problem.message, "param": None, "error": error}
        return b"event: error\n" + _data({"type": "error", "sequence_number": 0} | told)
    if endpoint is CHAT:
        return _data(
            {
                "id": request_id,
                "object": "chat.completion.chunk",
                "created": int(time.time()),
                "model": model,
                "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
                "error": error,
            }
        )
    return _data({"error": error})


def _data(event: dict[str, Any]) -> bytes:
    return b"data: " + _encoder.encode(event) + b"\n\n"
