"""The built-in model's answers are those of the APIs it imitates: clients with strict models take each of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic.types import Message, MessageTokensCount, RawMessageStreamEvent
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from openrouter.components import ChatResult, ChatStreamChunk, OpenResponsesResult, StreamEvents
from openrouter.operations import CreateEmbeddingsResponseBody
from pydantic import TypeAdapter

from tests.gateway.echo.test_endpoints import pieces
from tokenboard.gateway.endpoints import (
    CHAT,
    COMPLETIONS,
    COUNT_TOKENS,
    EMBEDDINGS,
    ENDPOINTS,
    MESSAGES,
    RESPONSES,
    Endpoint,
)

SAID = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "repeat after me"}]
ASKED: dict[Endpoint, dict[str, Any]] = {
    CHAT: {"messages": SAID},
    COMPLETIONS: {"prompt": ["one two", "three"]},
    EMBEDDINGS: {"input": ["one two", "three"]},
    RESPONSES: {"input": SAID},
    MESSAGES: {"messages": SAID[1:], "system": "Be brief.", "max_tokens": 9},
    COUNT_TOKENS: {"messages": SAID[1:], "system": "Be brief."},
}
DOCUMENTS: dict[Endpoint, list[Any]] = {
    CHAT: [ChatCompletion, ChatResult],
    COMPLETIONS: [Completion],
    EMBEDDINGS: [CreateEmbeddingResponse, CreateEmbeddingsResponseBody],
    RESPONSES: [Response, OpenResponsesResult],
    MESSAGES: [Message],
    COUNT_TOKENS: [MessageTokensCount],
}
EVENTS: dict[Endpoint, list[Any]] = {
    CHAT: [ChatCompletionChunk, ChatStreamChunk],
    RESPONSES: [ResponseStreamEvent, StreamEvents],
    MESSAGES: [RawMessageStreamEvent],
}
NULL_IN_RESPONSES = (
    "completed_at",
    "error",
    "frequency_penalty",
    "incomplete_details",
    "instructions",
    "presence_penalty",
    "temperature",
    "top_p",
    "usage",
)
# What is null is required there and may be null: by OpenAI's schemas, or by Anthropic's.
NULLS = {
    CHAT: {"choices.logprobs", "choices.message.refusal", "choices.finish_reason"},
    COMPLETIONS: {"choices.logprobs", "choices.finish_reason"},
    MESSAGES: {"stop_reason", "stop_sequence", "message.stop_reason", "message.stop_sequence", "delta.stop_sequence"},
    RESPONSES: {place + name for place in ("", "response.") for name in NULL_IN_RESPONSES},
}


def documents(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [json.loads(piece) for piece in pieces(endpoint, ASKED[endpoint])]


def events(endpoint: Endpoint) -> list[dict[str, Any]]:
    texts = [piece.decode().rpartition("data: ")[2] for piece in pieces(endpoint, ASKED[endpoint] | {"stream": True})]
    return [json.loads(text) for text in texts if text.strip() != "[DONE]"]


def nulls(value: Any, place: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from nulls(member, f"{place}.{name}".lstrip("."))
    elif isinstance(value, list):
        for member in value:
            yield from nulls(member, place)
    elif value is None:
        yield place


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_a_document_is_taken_by_every_sdks_strict_model(endpoint: Endpoint) -> None:
    for document in documents(endpoint):
        for model in DOCUMENTS[endpoint]:
            TypeAdapter(model).validate_json(json.dumps(document))


@pytest.mark.parametrize("endpoint", EVENTS, ids=lambda endpoint: endpoint.name)
def test_each_event_of_a_stream_is_taken_by_every_sdks_strict_model(endpoint: Endpoint) -> None:
    told = events(endpoint)
    assert len(told) > 3
    for event in told:
        for model in EVENTS[endpoint]:
            TypeAdapter(model).validate_json(json.dumps(event))


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_nothing_is_null_that_could_be_left_out(endpoint: Endpoint) -> None:
    told = {place for answer in [*documents(endpoint), *events(endpoint)] for place in nulls(answer)}
    assert told <= NULLS.get(endpoint, set())
    assert not any(
        place in {"choices.logprobs", "choices.delta.refusal"} for each in events(CHAT) for place in nulls(each)
    )


def test_chat_tells_its_provider_as_openrouter_does() -> None:
    assert {"tokenboard"} == {told["provider"] for told in [*documents(CHAT), *events(CHAT)]}
