"""The echo as an upstream: picks the endpoint's form, and hands out an answer that is there already."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tokenboard.gateway.echo import chat, completions, embeddings, messages, responses
from tokenboard.gateway.echo.body import decode
from tokenboard.gateway.endpoints import CHAT, COMPLETIONS, COUNT_TOKENS, EMBEDDINGS, MESSAGES, RESPONSES
from tokenboard.gateway.inference import InferenceRequest
from tokenboard.gateway.introduction import Introduction
from tokenboard.gateway.passthrough import PassRules
from tokenboard.gateway.upstream import Availability
from tokenboard.gateway.upstreams import UpstreamDialect
from tokenboard.problem import Problem

ECHO_MODEL = "tokenboard/echo"

MAX_BODY = 1024 * 1024
"""Largest request body the echo takes, in bytes: it is for trying things out, and works within the gateway itself."""

_encoder = msgspec.json.Encoder()

_Reader = Callable[[dict[str, Any]], Any]
_Answerer = Callable[[Any, str], dict[str, Any]]
_Streamer = Callable[[Any, str], list[bytes]]

_FORMS: dict[str, tuple[_Reader, _Answerer, _Streamer | None]] = {
    CHAT.path: (chat.read, chat.answer, chat.stream),
    COMPLETIONS.path: (completions.read, completions.answer, completions.stream),
    EMBEDDINGS.path: (embeddings.read, embeddings.answer, None),
    RESPONSES.path: (responses.read, responses.answer, responses.stream),
    MESSAGES.path: (messages.read, messages.answer, messages.stream),
    COUNT_TOKENS.path: (messages.read_to_count, messages.count, None),
}


class EchoUpstream:
    """Answers from the request itself."""

    name = chat.PROVIDER
    dialect = UpstreamDialect.ANTHROPIC
    passes = PassRules(())

    def serves(self, model: str) -> bool:
        """Whether it is the echo that is asked."""
        return model == ECHO_MODEL

    def availability(self) -> Availability:
        """Return READY: there is nothing to connect to."""
        return Availability.READY

    async def send(self, path: str, request: InferenceRequest, asked: Introduction) -> "EchoAnswer":  # noqa: ARG002
        """Answer with what was said.

        Raises:
            Problem: 400 when nothing was said, 413 when the body is larger than `MAX_BODY`.

        """
        if len(request.body) > MAX_BODY:
            raise Problem(413, f"{ECHO_MODEL} takes bodies of at most {MAX_BODY:,} bytes.")
        read, answer, stream = _FORMS[path]
        said = read(decode(request.body))
        if request.stream and stream is not None:
            return EchoAnswer(b"text/event-stream", stream(said, ECHO_MODEL))
        return EchoAnswer(b"application/json", [_encoder.encode(answer(said, ECHO_MODEL))])

    async def probe(self) -> str | None:
        """Nothing can be wrong with it."""
        return None

    async def list_models(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the one model."""
        return [
            {
                "id": ECHO_MODEL,
                "name": "tokenboard: Echo",
                "description": "Repeats the last user message.",
                "architecture": {"modality": "text->text+embeddings", "output_modalities": ["text", "embeddings"]},
            }
        ], True

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

    def arrived(self) -> bytes | None:
        """Return the next piece, None behind the last."""
        return self._chunks.pop() if self._chunks else None

    async def read_chunk(self) -> bytes:
        """Return the next piece."""
        return self.arrived() or b""

    def cancel(self) -> None:
        """Nothing to drop."""
