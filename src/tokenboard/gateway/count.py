"""Counting a message's tokens before it is sent: relayed to the model's upstream, and never metered.

No model is used, so nothing is recorded and no ranking moves. https://docs.anthropic.com/en/api/messages-count-tokens
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

import msgspec

from tokenboard.gateway.attempts import Attempts
from tokenboard.gateway.call import Call
from tokenboard.gateway.headers import response_headers
from tokenboard.gateway.inference import InferenceRequest
from tokenboard.gateway.json_object import meaning
from tokenboard.gateway.relay import upstream_problem
from tokenboard.gateway.upstream import UpstreamError
from tokenboard.gateway.upstreams import Answer, UpstreamDialect
from tokenboard.inline_task import current_inline_task
from tokenboard.observability import logger
from tokenboard.problem import Problem
from tokenboard.usage import CHARACTERS_PER_TOKEN

MAX_ANSWER = 1024 * 1024
"""Largest answer taken from an upstream, in bytes: a count is a number, an error a few lines."""

TOKENS_PER_MEDIUM = 1_600
"""Estimate for an image, or any other part that is not text: the most that Anthropic counts for an image."""

_UNKNOWN_THERE = frozenset({404, 405, 501})
_COUNTED = ("system", "messages", "tools")
_NO_TEXT = frozenset({"base64", "file", "url"})
_log = logger("gateway")


async def count_tokens(call: Call, attempts: Attempts, asked: Awaitable[Answer], request: InferenceRequest) -> None:
    """Answer with the upstream's count, or its error; run as an inline task.

    An upstream of OpenAI's dialect may lack this endpoint: then the answer is an estimate, and says so.

    Raises:
        Problem: no upstream gave an answer.

    """
    client = call.client
    task = current_inline_task()
    client.watch(task.cancel if task is not None else lambda: None)
    try:
        answer = await asked
        headers, body = await _read(answer)
        status = answer.status
        if status in _UNKNOWN_THERE and attempts.dialect is UpstreamDialect.OPENAI:
            # In a thread: the body may be megabytes, and all other requests share this loop.
            count = await asyncio.get_running_loop().run_in_executor(None, estimate, request.body)
            status, headers = 200, [(b"content-type", b"application/json")]
            body = msgspec.json.encode({"input_tokens": count, "estimated": True})
    except UpstreamError as error:
        facts = {"request_id": call.id, "upstream": call.provider, "reason": str(error), "hint": error.hint}
        _log.warning("an upstream counted no tokens", extra=facts)
        raise upstream_problem(error, call.provider) from error
    except asyncio.CancelledError as error:
        if not client.left:
            raise error
        return
    finally:
        client.unwatch()
    framed = [(name, value) for name, value in headers if name != b"content-length"]
    client.send_head(status, [*framed, (b"content-length", str(len(body)).encode()), *call.own])
    await client.send_body(body, last=True)


async def _read(answer: Answer) -> tuple[list[tuple[bytes, bytes]], bytes]:
    body = bytearray()
    try:
        while chunk := await answer.read_chunk():
            body += chunk
            if len(body) > MAX_ANSWER:
                raise Problem(502, f"The upstream answered with more than {MAX_ANSWER:,} bytes instead of a count.")
    finally:
        answer.cancel()
    return response_headers(answer.headers, answer.status), bytes(body)


def estimate(body: bytes) -> int:
    """Return about how many tokens a message has: of text, four characters each, as the meter estimates.

    Raises:
        Problem: 400, it is nested too deeply, or no JSON in its depths.

    """
    try:
        members = meaning(body)
    except RecursionError as error:
        raise Problem(400, "The body is nested too deeply to be counted.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"The body is not valid JSON: {error}.") from error
    characters = media = 0
    left: list[Any] = [members.get(name) for name in _COUNTED]
    while left:
        value = left.pop()
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            if isinstance(value.get("source"), dict) and value["source"].get("type") in _NO_TEXT:
                media += 1
                value = {name: part for name, part in value.items() if name != "source"}
            left += value.values()
            characters += sum(map(len, value))
    return -(-characters // CHARACTERS_PER_TOKEN) + media * TOKENS_PER_MEDIUM
