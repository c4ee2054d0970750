"""The built-in model at the endpoints beside chat."""

import asyncio
import base64
import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenboard.gateway import ECHO_MODEL, EchoUpstream
from tokenboard.gateway.echo import MAX_INPUTS, MAX_PIECES
from tokenboard.gateway.echo.embeddings import MAX_DIMENSIONS, unit_vector
from tokenboard.gateway.endpoints import COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES, Endpoint
from tokenboard.gateway.introduction import introduce
from tokenboard.gateway.request import parse_request
from tokenboard.problem import Problem
from tokenboard.usage import Meter, Usage, UsageSource


def pieces(endpoint: Endpoint, body: dict[str, Any]) -> list[bytes]:
    async def main() -> list[bytes]:
        request = parse_request(json.dumps({"model": ECHO_MODEL} | body).encode(), endpoint)
        answer = await EchoUpstream().send(endpoint.path, request, introduce([]))
        read = []
        while chunk := await answer.read_chunk():
            read.append(chunk)
        return read

    return asyncio.run(main())


def whole(endpoint: Endpoint, **body: Any) -> dict[str, Any]:
    (only,) = pieces(endpoint, body)
    return dict(json.loads(only))


def streamed(endpoint: Endpoint, **body: Any) -> list[dict[str, Any]]:
    """Return the events' data, after a look at their names."""
    events = []
    for piece in pieces(endpoint, body | {"stream": True}):
        name, _, data = piece.decode().strip().rpartition("data: ")
        if data != "[DONE]":
            events.append(json.loads(data))
            assert name in {"", f"event: {events[-1].get('type')}\n"}
    return events


def refusal(endpoint: Endpoint, **body: Any) -> str:
    with pytest.raises(Problem) as caught:
        pieces(endpoint, body)
    assert 400 == caught.value.status
    return caught.value.message


def metered(endpoint: Endpoint, body: dict[str, Any]) -> Usage:
    meter = Meter("text/event-stream" if body.get("stream") else "application/json", None, 200)
    for piece in pieces(endpoint, body):
        assert not meter.ended
        meter.feed(piece)
    assert bool(body.get("stream")) == meter.ended
    return meter.finish(complete=True)


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


# --- completions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("one two", ["one two"]),
        (["one", "two three"], ["one", "two three"]),
        ([7, 8], ["7 8"]),
        ([[7, 8], [9]], ["7 8", "9"]),
        (["x", [9]], ["x", "9"]),
        ("", [""]),
    ],
)
def test_every_prompt_is_completed_with_itself(prompt: Any, texts: list[str]) -> None:
    answer = whole(COMPLETIONS, prompt=prompt)
    assert ("text_completion", ECHO_MODEL) == (answer["object"], answer["model"])
    assert texts == [choice["text"] for choice in answer["choices"]]
    assert list(range(len(texts))) == [choice["index"] for choice in answer["choices"]]
    words = sum(len(text.split()) for text in texts)
    assert {"prompt_tokens": words, "completion_tokens": words, "total_tokens": 2 * words} == answer["usage"]
    *chunks, usage = streamed(COMPLETIONS, prompt=prompt)
    assert ([], answer["usage"]) == (usage["choices"], usage["usage"])
    joined = dict.fromkeys(range(len(texts)), "")
    for chunk in chunks:
        (choice,) = chunk["choices"]
        joined[choice["index"]] += choice["text"]
    assert texts == list(joined.values())
    assert len(texts) == sum(chunk["choices"][0]["finish_reason"] == "stop" for chunk in chunks)


@pytest.mark.parametrize("value", [None, 5, {}, [], [None], [[]], [[[1]]], [True], [1, "x"], [1.5]])
@pytest.mark.parametrize("endpoint", [COMPLETIONS, EMBEDDINGS])
def test_inputs_of_no_known_shape_are_refused(endpoint: Endpoint, value: Any) -> None:
    assert f"`{endpoint.input}` must be a string" in refusal(endpoint, **{endpoint.input: value})


@pytest.mark.parametrize("endpoint", [COMPLETIONS, EMBEDDINGS])
def test_there_may_be_so_many_inputs(endpoint: Endpoint) -> None:
    assert "2,048 items" in refusal(endpoint, **{endpoint.input: ["x"] * (MAX_INPUTS + 1)})
    assert whole(endpoint, **{endpoint.input: ["x"] * MAX_INPUTS})


@pytest.mark.timeout(20)
@pytest.mark.parametrize("prompt", ["x " * 300_000, ["x " * 200] * MAX_INPUTS, " " * 900_000])
def test_no_prompt_makes_many_pieces(prompt: Any) -> None:
    assert len(streamed(COMPLETIONS, prompt=prompt)) <= max(MAX_PIECES, MAX_INPUTS) + 1


# --- embeddings -----------------------------------------------------------------------------------------------------


def test_equal_texts_have_equal_vectors_of_length_one_in_order() -> None:
    answer = whole(EMBEDDINGS, input=["a b", "c", "a b"])
    assert ("list", ECHO_MODEL, [0, 1, 2]) == (answer["object"], answer["model"], [i["index"] for i in answer["data"]])
    first, second, third = (item["embedding"] for item in answer["data"])
    assert first == third != second
    assert {16} == {len(first), len(second)}
    assert {"prompt_tokens": 5, "total_tokens": 5} == answer["usage"]


@given(st.text(max_size=20), st.integers(1, MAX_DIMENSIONS))
def test_a_vector_is_of_length_one_and_always_the_same(text: str, dimensions: int) -> None:
    vector = unit_vector(text, dimensions)
    assert dimensions == len(vector)
    assert math.isclose(1.0, math.hypot(*vector))
    assert vector == unit_vector(text, dimensions)


def test_a_vector_may_be_asked_for_as_base64_and_in_another_length() -> None:
    ask: dict[str, Any] = {"input": "a", "dimensions": 3}
    plain = whole(EMBEDDINGS, **ask, encoding_format="float")["data"][0]["embedding"]
    packed = whole(EMBEDDINGS, **ask, encoding_format="base64")["data"][0]["embedding"]
    assert pytest.approx(plain) == list(struct.unpack("<3f", base64.b64decode(packed)))


@pytest.mark.parametrize("given", [0, 65, -1, 1.0, "3", True, [3]])
def test_a_length_that_no_vector_has_is_refused(given: Any) -> None:
    assert "`dimensions` must be" in refusal(EMBEDDINGS, input="x", dimensions=given)


@pytest.mark.parametrize("given", ["hex", 5, False, [], [None], {"a": 1}])
def test_a_form_that_no_vector_has_is_refused(given: Any) -> None:
    assert "`encoding_format` must be" in refusal(EMBEDDINGS, input="x", encoding_format=given)


def test_embeddings_do_not_stream() -> None:
    assert "list" == whole(EMBEDDINGS, input="x", stream=True)["object"]


# --- responses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        "say this",
        user("say this"),
        user([{"type": "input_text", "text": "say this"}]),
        [*user("no"), *user("say this")],
    ],
)
def test_a_response_repeats_the_last_user_message(given: Any) -> None:
    answer = whole(RESPONSES, input=given, instructions="Be brief.")
    assert ("response", "completed") == (answer["object"], answer["status"])
    (item,) = answer["output"]
    assert ["say this"] == [part["text"] for part in item["content"]]
    assert 2 == answer["usage"]["output_tokens"]
    assert 4 + 1 * (given != "say this" and len(given) > 1) == answer["usage"]["input_tokens"]


def test_a_streamed_response_is_numbered_and_ends_with_all_of_it() -> None:
    events = streamed(RESPONSES, input="one two")
    assert list(range(len(events))) == [event["sequence_number"] for event in events]
    assert ("response.created", "response.completed") == (events[0]["type"], events[-1]["type"])
    assert ["one", " two"] == [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert {"in_progress", None} == {events[0]["response"]["status"], events[0]["response"]["usage"]}
    assert "one two" == events[-1]["response"]["output"][0]["content"][0]["text"]
    assert events[0]["response"]["id"] == events[-1]["response"]["id"]


# --- messages -------------------------------------------------------------------------------------------------------


def test_a_message_repeats_the_last_user_message_and_counts_the_system_too() -> None:
    system = [{"type": "text", "text": "Be very brief."}]
    messages = [*user("no"), {"role": "assistant", "content": "no"}, *user([{"type": "text", "text": "say this"}])]
    answer = whole(MESSAGES, messages=messages, system=system, max_tokens=5)
    assert ("message", "assistant", "end_turn") == (answer["type"], answer["role"], answer["stop_reason"])
    assert ["say this"] == [block["text"] for block in answer["content"]]
    assert (7, 2) == (answer["usage"]["input_tokens"], answer["usage"]["output_tokens"])


def test_a_streamed_message_is_one_block() -> None:
    events = streamed(MESSAGES, messages=user("one two"))
    deltas = ["content_block_delta"] * 2
    kinds = ["message_start", "content_block_start", *deltas, "content_block_stop", "message_delta", "message_stop"]
    assert kinds == [event["type"] for event in events]
    assert ["one", " two"] == [event["delta"]["text"] for event in events[2:4]]
    assert (0, 2) == (events[0]["message"]["usage"]["output_tokens"], events[-2]["usage"]["output_tokens"])


@pytest.mark.parametrize("endpoint", [RESPONSES, MESSAGES])
@pytest.mark.parametrize("value", [None, 5, {}, [[]], ["x"]])
def test_conversations_of_no_known_shape_are_refused(endpoint: Endpoint, value: Any) -> None:
    assert f"`{endpoint.input}` must be a list" in refusal(endpoint, **{endpoint.input: value})
    assert "last user message" in refusal(endpoint, **{endpoint.input: []})


# --- all ------------------------------------------------------------------------------------------------------------

words = st.text(alphabet=" \n\tab\u00e9\u3000", max_size=30)


@pytest.mark.parametrize("stream", [False, True])
@given(words)
def test_what_is_told_is_what_is_metered(stream: bool, text: str) -> None:
    count = len(text.split())
    for endpoint, said in ((COMPLETIONS, text), (RESPONSES, user(text)), (MESSAGES, user(text))):
        usage = metered(endpoint, {endpoint.input: said, "stream": stream})
        if count:
            expected = (UsageSource.REPORTED, count, count)
            assert expected == (usage.source, usage.prompt_tokens, usage.completion_tokens)
    usage = metered(EMBEDDINGS, {"input": text})
    if count:
        assert (count, 0) == (usage.prompt_tokens, usage.completion_tokens)
