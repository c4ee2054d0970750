"""OpenAI's SDK: chat, completions, embeddings, responses."""

import threading
from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests import dialects
from tests.board import BoardProcess
from tests.dialects import Counted
from tests.system.metering import Metering
from tests.upstream import OpenAiUpstream

MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "repeat after me"}]
COUNTED = Counted(prompt=12_000, completion=345, cached=10_000, reasoning=40)
ECHOED = Counted(5, 3)
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


# --- the built-in model ----------------------------------------------------------------------------------------------


def test_the_echo_answers_and_its_tokens_become_a_rank(openai_client: openai.OpenAI, metering: Metering) -> None:
    answer = openai_client.chat.completions.create(
        model="tokenboard/echo", messages=MESSAGES, extra_headers=metering.headers
    )
    assert "repeat after me" == answer.choices[0].message.content
    assert answer.usage is not None
    assert (5, 3, 8) == (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens)
    metering.expect(ECHOED)


def test_the_echo_streams_word_by_word_and_reports_usage_in_its_last_chunk(
    openai_client: openai.OpenAI, metering: Metering
) -> None:
    stream = openai_client.chat.completions.create(
        model="tokenboard/echo", messages=MESSAGES, stream=True, extra_headers=metering.headers
    )
    chunks = list(stream)
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert ["repeat", " after", " me"] == words
    assert chunks[-1].usage is not None
    assert (5, 3) == (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens)
    metering.expect(ECHOED)


def test_the_echo_completes_prompts(openai_client: openai.OpenAI, metering: Metering) -> None:
    ask: Any = {"model": "tokenboard/echo", "prompt": ["one two", "three"], "extra_headers": metering.headers}
    answer = openai_client.completions.create(**ask)
    assert ["one two", "three"] == [choice.text for choice in answer.choices]
    chunks = list(openai_client.completions.create(**ask, stream=True))
    assert [(0, "one"), (0, " two"), (1, "three")] == [(c.index, c.text) for chunk in chunks for c in chunk.choices]
    metering.expect(Counted(3, 3), requests=2)


def test_the_echo_embeds_in_either_form_the_same(openai_client: openai.OpenAI, metering: Metering) -> None:
    ask: Any = {"model": "tokenboard/echo", "input": ["one two", "three"], "extra_headers": metering.headers}
    packed, plain = (
        openai_client.embeddings.create(**ask),
        openai_client.embeddings.create(**ask, encoding_format="float"),
    )
    assert [pytest.approx(item.embedding, abs=1e-6) for item in plain.data] == [i.embedding for i in packed.data]
    assert [16, 16] == [len(item.embedding) for item in plain.data]
    assert (3, 3) == (plain.usage.prompt_tokens, plain.usage.total_tokens)
    metering.expect(Counted(3, 0), requests=2)


def test_the_echo_responds(openai_client: openai.OpenAI, metering: Metering) -> None:
    ask: Any = {"model": "tokenboard/echo", "instructions": "Be brief.", "extra_headers": metering.headers}
    answer = openai_client.responses.create(**ask, input="repeat after me")
    assert ("repeat after me", "completed") == (answer.output_text, answer.status)
    with openai_client.responses.stream(**ask, input=[{"role": "user", "content": "repeat after me"}]) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert ["repeat", " after", " me"] == [
        event.delta for event in events if event.type == "response.output_text.delta"
    ]
    assert list(range(len(events))) == [event.sequence_number for event in events]
    assert "repeat after me" == final.output_text
    assert final.usage is not None
    assert (5, 3, 8) == (final.usage.input_tokens, final.usage.output_tokens, final.usage.total_tokens)
    metering.expect(ECHOED, requests=2)


# --- upstreams -------------------------------------------------------------------------------------------------------


def test_chat_reaches_an_upstream_whose_reported_tokens_are_counted(
    openai_client: openai.OpenAI, metering: Metering, upstream: OpenAiUpstream
) -> None:
    upstream.script.prompt_tokens, upstream.script.completion_tokens = 1_000, 234
    for stream in (False, True):
        answer: Any = openai_client.chat.completions.create(
            model="scripted/gpt-test", messages=MESSAGES, stream=stream, extra_headers=metering.headers
        )
        if stream:
            assert "one two three " == "".join(c.choices[0].delta.content or "" for c in answer if c.choices)
        else:
            assert "one two three" == answer.choices[0].message.content
    assert ["gpt-test", "gpt-test"] == [asked.body["model"] for asked in upstream.asked]
    assert {"Bearer sk-upstream-secret"} == {asked.headers["authorization"] for asked in upstream.asked}
    assert {"include_usage": True} == upstream.asked[1].body["stream_options"]
    assert [False, True] == [metering.generation(position)["streamed"] for position in (0, 1)]
    metering.expect(Counted(1_000, 234), requests=2)


def test_tool_calls_arrive_intact(openai_client: openai.OpenAI, metering: Metering, upstream: OpenAiUpstream) -> None:
    upstream.script.body, upstream.script.events = dialects.tool_call(COUNTED), dialects.tool_call_events(COUNTED)
    ask: Any = {"model": "scripted/gpt-test", "messages": MESSAGES, "tools": TOOLS, "extra_headers": metering.headers}
    answer = openai_client.chat.completions.create(**ask)
    assert answer.choices[0].message.tool_calls is not None
    assert [dialects.TOOL_CALL] == [call.model_dump() for call in answer.choices[0].message.tool_calls]
    with openai_client.chat.completions.stream(**ask) as stream:
        stream.until_done()
        (call,) = stream.get_final_completion().choices[0].message.tool_calls or []
    expected: Any = dialects.TOOL_CALL["function"]
    assert (expected["name"], expected["arguments"]) == (call.function.name, call.function.arguments)
    assert [TOOLS, TOOLS] == [asked.body["tools"] for asked in upstream.asked]
    metering.expect(COUNTED, requests=2)


def test_completions_are_relayed_and_a_stream_is_asked_for_its_usage(
    openai_client: openai.OpenAI, metering: Metering, upstream: OpenAiUpstream
) -> None:
    upstream.script.body, upstream.script.events = dialects.completion(COUNTED), dialects.completion_events(COUNTED)
    ask: Any = {"model": "scripted/gpt-test", "prompt": "Twice", "extra_headers": metering.headers}
    assert "twice upon a time" == openai_client.completions.create(**ask).choices[0].text
    chunks = list(openai_client.completions.create(**ask, stream=True))
    assert ["twice upon", " a time"] == [chunk.choices[0].text for chunk in chunks if chunk.choices]
    assert [("/v1/completions", None), ("/v1/completions", {"include_usage": True})] == [
        (asked.path, asked.body.get("stream_options")) for asked in upstream.asked
    ]
    metering.expect(COUNTED, requests=2)


def test_embeddings_are_relayed_and_complete_nothing(
    openai_client: openai.OpenAI, metering: Metering, upstream: OpenAiUpstream
) -> None:
    upstream.script.body = dialects.embeddings([0.5, -0.5], 4_321)
    answer = openai_client.embeddings.create(
        model="scripted/embed", input="text", encoding_format="float", extra_headers=metering.headers
    )
    assert [0.5, -0.5] == answer.data[0].embedding
    assert ["/v1/embeddings"] == [asked.path for asked in upstream.asked]
    assert "embeddings" == metering.generation()["api_type"]
    metering.expect(Counted(4_321, 0))


def test_responses_are_relayed_whole_and_streamed_without_another_word(
    openai_client: openai.OpenAI, metering: Metering, upstream: OpenAiUpstream
) -> None:
    upstream.script.body, upstream.script.events = dialects.response(COUNTED), dialects.response_events(COUNTED)
    ask: Any = {"model": "scripted/gpt-test", "input": "count", "extra_headers": metering.headers}
    assert "one two three" == openai_client.responses.create(**ask).output_text
    with openai_client.responses.stream(**ask) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert (["one two ", "three"], "one two three") == (deltas, final.output_text)
    assert [("/v1/responses", False)] * 2 == [(asked.path, "stream_options" in asked.body) for asked in upstream.asked]
    metering.expect(COUNTED, requests=2)


# --- when it does not go well ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "status", "expected"),
    [
        ("chat", 429, openai.RateLimitError),
        ("chat", 500, openai.InternalServerError),
        ("responses", 500, openai.InternalServerError),
        ("embeddings", 429, openai.RateLimitError),
    ],
)
def test_an_upstreams_error_is_the_sdks_own_and_its_body_arrives(
    openai_client: openai.OpenAI,
    metering: Metering,
    upstream: OpenAiUpstream,
    endpoint: str,
    status: int,
    expected: type[openai.APIStatusError],
) -> None:
    error = {"message": "not now", "type": "some_error", "param": None, "code": "some_code"}
    upstream.script.status, upstream.script.body = status, dialects.packed({"error": error})
    more: Any = {"model": "scripted/gpt-test", "extra_headers": metering.headers}
    ask: dict[str, Callable[[], Any]] = {
        "chat": lambda: openai_client.chat.completions.create(messages=MESSAGES, **more),
        "responses": lambda: openai_client.responses.create(input="x", **more),
        "embeddings": lambda: openai_client.embeddings.create(input="x", **more),
    }
    with pytest.raises(expected) as caught:
        ask[endpoint]()
    assert (error, "some_code") == (caught.value.body, caught.value.code)
    told = metering.generation()
    assert (status, True, None, 0) == (told["status"], told["failed"], told["tokens_prompt"], told["total_cost"])


@pytest.mark.parametrize("change", [{"model": "nobody/serves-this"}, {"messages": []}])
def test_a_bad_request_is_the_sdks_own_error(openai_client: openai.OpenAI, change: dict[str, Any]) -> None:
    arguments: Any = {"model": "tokenboard/echo", "messages": MESSAGES} | change
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.chat.completions.create(**arguments)
    assert isinstance(caught.value.body, dict)
    assert 400 == caught.value.body["code"]
    assert ("invalid_request_error", next(iter(change))) == (caught.value.type, caught.value.param)


def test_a_bad_key_is_the_sdks_own_error(board: BoardProcess) -> None:
    with (
        openai.OpenAI(base_url=f"{board.url}/v1", api_key="tb-wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.chat.completions.create(model="tokenboard/echo", messages=MESSAGES)


def test_a_path_that_is_not_there_is_the_sdks_own_error(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        openai_client.audio.speech.create(model="tokenboard/echo", voice="alloy", input="x")
    assert isinstance(caught.value.body, dict)
    assert "There is nothing at /api/v1/audio/speech" in caught.value.body["message"]


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_a_stream_that_breaks_off_raises_and_its_tokens_are_estimated(
    openai_client: openai.OpenAI, metering: Metering, upstream: OpenAiUpstream, endpoint: str
) -> None:
    more: Any = {"model": "scripted/gpt-test", "stream": True, "extra_headers": metering.headers}
    if endpoint == "chat":
        upstream.script.break_after = 2
        stream: Any = openai_client.chat.completions.create(messages=MESSAGES, **more)
    else:
        upstream.script.events, upstream.script.break_after = dialects.response_events(COUNTED), 4
        stream = openai_client.responses.create(input="x", **more)
    with pytest.raises(openai.APIError, match="broke off"):
        list(stream)
    assert ("estimated", None, 2, None, None) == metering.usage()  # of "one two "
    metering.ranked(2)


@pytest.mark.parametrize("endpoint", ["chat", "completions", "responses"])
def test_a_cancelled_stream_is_estimated_by_what_was_relayed(
    openai_client: openai.OpenAI, metering: Metering, upstream: OpenAiUpstream, endpoint: str
) -> None:
    upstream.script.pause = threading.Event()
    more: Any = {"model": "scripted/gpt-test", "stream": True, "extra_headers": metering.headers}
    expected, read = 4, 3  # "one two three " and three events of it
    if endpoint == "chat":
        stream: Any = openai_client.chat.completions.create(messages=MESSAGES, **more)
    elif endpoint == "completions":
        upstream.script.events = [*dialects.completion_events(COUNTED)[:2], dialects.DONE]
        stream, expected, read = openai_client.completions.create(prompt="x", **more), 5, 2
    else:
        upstream.script.events = dialects.response_events(COUNTED)
        stream, read = openai_client.responses.create(input="x", **more), 8
    try:
        for _ in range(read):
            next(stream)
        stream.close()
        assert ("estimated", None, expected) == metering.usage()[:3]
    finally:
        upstream.script.pause.set()
    told = metering.generation()
    assert (200, False, None) == (told["status"], told["failed"], told["cancelled"])
    metering.ranked(expected)


def test_it_lists_models(openai_client: openai.OpenAI) -> None:
    assert {"tokenboard/echo", "scripted/gpt-test"} <= {model.id for model in openai_client.models.list()}
    one = openai_client.models.retrieve("scripted/gpt-test")
    assert ("scripted/gpt-test", "model", "t") == (one.id, one.object, one.owned_by)
