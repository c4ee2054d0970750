"""The built-in model ``tokenboard/echo``: a first call needs no account anywhere.

It answers with the last user message, word by word when asked to stream, and counts tokens as white-space-separated
words: the prompt over all messages, the completion over the answer.
"""

import re
import secrets
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from tokenboard.gateway.headers import Headers
from tokenboard.gateway.request import InferenceRequest
from tokenboard.problem import Problem

ECHO_MODEL = "tokenboard/echo"

MAX_BODY = 1024 * 1024
"""Largest request body the echo takes, in bytes: it is for trying things out, and works within the gateway itself."""

MAX_PIECES = 1_000
"""Pieces of one stream at most; an answer of more words is cut into pieces of several words."""

_encoder = msgspec.json.Encoder()
_word = re.compile(r"\s*\S+")


class EchoUpstream:
    """Answers chat completions from the request itself."""

    name = "tokenboard"

    def serves(self, model: str) -> bool:
        """Whether it is the echo that is asked."""
        return model == ECHO_MODEL

    async def send(self, path: str, request: InferenceRequest, headers: Headers) -> "EchoAnswer":  # noqa: ARG002
        """Answer with the last user message.

        Raises:
            Problem: 400 when there is none, 413 when the body is larger than `MAX_BODY`.

        """
        if len(request.body) > MAX_BODY:
            raise Problem(413, f"{ECHO_MODEL} takes bodies of at most {MAX_BODY:,} bytes.")
        texts = [(message.get("role"), _text(message.get("content"))) for message in _messages(request.body)]
        said = [text for role, text in texts if role == "user"]
        if not said:
            raise Problem(400, f'{ECHO_MODEL} repeats the last user message: send one with `role` "user".')
        prompt = sum(len(text.split()) for _, text in texts)
        if request.stream:
            return EchoAnswer(b"text/event-stream", _stream(said[-1], prompt))
        return EchoAnswer(b"application/json", [_encoder.encode(_completion(said[-1], prompt))])

    async def probe(self) -> str | None:
        """Nothing can be wrong with it."""
        return None

    async def list_models(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the one model."""
        return [{"id": ECHO_MODEL, "name": "tokenboard: Echo", "description": "Repeats the last user message."}], True

    async def aclose(self) -> None:
        """Nothing to close."""


class EchoAnswer:
    """An answer that is there already, in pieces."""

    status = 200

    def __init__(self, content_type: bytes, chunks: Sequence[bytes]) -> None:
        self.headers: list[tuple[bytes, bytes]] = [(b"content-type", content_type)]
        if len(chunks) == 1:
            self.headers.append((b"content-length", str(len(chunks[0])).encode()))
        self._chunks = list(reversed(chunks))

    @property
    def complete(self) -> bool:
        """It cannot break."""
        return True

    @property
    def ended_hint(self) -> bool:
        """Whether the chunk just read was the last."""
        return not self._chunks

    async def read_chunk(self) -> bytes:
        """Return the next piece."""
        return self._chunks.pop() if self._chunks else b""

    def cancel(self) -> None:
        """Nothing to drop."""


def _messages(body: bytes) -> list[dict[str, Any]]:
    try:
        messages = msgspec.json.decode(body)["messages"]
    except KeyError:
        messages = None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"The body is not valid JSON: {error}.") from error
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise Problem(400, "`messages` must be a list of objects with `role` and `content`.")
    return messages


def _text(content: Any) -> str:
    """Return a message's text: a string as it is, of a list of parts those of type text."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return " ".join(text for text in texts if isinstance(text, str))


def _usage(text: str, prompt: int) -> dict[str, Any]:
    completion = len(text.split())
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _head(kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": ECHO_MODEL,
        "system_fingerprint": None,
    }


def _completion(text: str, prompt: int) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "refusal": None},
        "finish_reason": "stop",
        "logprobs": None,
    }
    return _head("chat.completion") | {"choices": [choice], "usage": _usage(text, prompt)}


def _stream(text: str, prompt: int) -> list[bytes]:
    head = _head("chat.completion.chunk")
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": piece}, None) for piece in _pieces(text)]
    deltas.append(({}, "stop"))
    events = [
        head | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}]}
        for delta, reason in deltas
    ]
    events.append(head | {"choices": [], "usage": _usage(text, prompt)})
    return [*(b"data: " + _encoder.encode(event) + b"\n\n" for event in events), b"data: [DONE]\n\n"]


def _pieces(text: str) -> list[str]:
    """Cut a text into its words, each with the white space before it, the last also with what follows it."""
    # Without the trailing white space every search succeeds at once; with it the time would grow with its square.
    body = text.rstrip()
    words = _word.findall(body) or [""]
    words[-1] += text[len(body) :]
    size = -(-len(words) // MAX_PIECES)
    return [piece for start in range(0, len(words), size) if (piece := "".join(words[start : start + size]))]
