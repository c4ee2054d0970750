"""Anthropic's SDK: messages, by ``x-api-key``."""

import threading
from typing import Any

import anthropic
import pytest

from tests import dialects
from tests.board import BoardProcess
from tests.dialects import Counted
from tests.system.metering import Metering
from tests.upstream import OpenAiUpstream

MESSAGES: Any = [{"role": "user", "content": "repeat after me"}]
COUNTED = Counted(prompt=12_000, completion=345, cached=10_000)
WRITTEN = 1_500
ASK: Any = {"model": "claude/claude-test", "max_tokens": 1_000, "messages": MESSAGES}


def test_the_echo_answers_a_message_in_anthropics_shape(
    anthropic_client: anthropic.Anthropic, metering: Metering
) -> None:
    answer = anthropic_client.messages.create(
        model="tokenboard/echo", max_tokens=9, system="Be brief.", messages=MESSAGES, extra_headers=metering.headers
    )
    assert [("text", "repeat after me")] == [(block.type, getattr(block, "text", None)) for block in answer.content]
    assert ("end_turn", 5, 3) == (answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens)
    metering.expect(Counted(5, 3))


def test_the_echo_streams_a_message_word_by_word(anthropic_client: anthropic.Anthropic, metering: Metering) -> None:
    with anthropic_client.messages.stream(
        model="tokenboard/echo", max_tokens=9, messages=MESSAGES, extra_headers=metering.headers
    ) as stream:
        assert ["repeat", " after", " me"] == list(stream.text_stream)
        final = stream.get_final_message()
    assert ("end_turn", 3, 3) == (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens)
    metering.expect(Counted(3, 3))


def test_a_message_is_relayed_and_its_cached_tokens_belong_to_the_prompt(
    anthropic_client: anthropic.Anthropic, metering: Metering, upstream: OpenAiUpstream
) -> None:
    upstream.script.body = dialects.message(COUNTED, written=WRITTEN)
    answer = anthropic_client.messages.create(**ASK, extra_headers=metering.headers)
    assert ["one two three"] == [getattr(block, "text", None) for block in answer.content]
    assert (500, WRITTEN, 10_000) == (
        answer.usage.input_tokens,
        answer.usage.cache_creation_input_tokens,
        answer.usage.cache_read_input_tokens,
    )
    metering.expect(COUNTED)


def test_the_upstream_is_asked_as_anthropic_is_and_never_sees_the_clients_key(
    anthropic_client: anthropic.Anthropic, key: str, upstream: OpenAiUpstream
) -> None:
    upstream.script.body = dialects.message(COUNTED)
    anthropic_client.messages.create(**ASK, extra_headers={"anthropic-version": "2024-12-31"})
    (asked,) = upstream.asked
    assert ("/v1/messages", "claude-test") == (asked.path, asked.body["model"])
    assert ("sk-upstream-secret", "2024-12-31", None) == (
        asked.headers["x-api-key"],
        asked.headers["anthropic-version"],
        asked.headers.get("authorization"),
    )
    assert not [value for value in asked.headers.values() if key in value]
    assert "stream_options" not in asked.body


def test_a_streamed_message_is_relayed_event_by_event_and_its_figures_are_not_added_up(
    anthropic_client: anthropic.Anthropic, metering: Metering, upstream: OpenAiUpstream
) -> None:
    upstream.script.events = dialects.message_events(COUNTED, written=WRITTEN)
    with anthropic_client.messages.stream(**ASK, extra_headers=metering.headers) as stream:
        assert ["one two ", "three"] == list(stream.text_stream)
        assert COUNTED.completion == stream.get_final_message().usage.output_tokens
    assert "stream_options" not in upstream.asked[0].body
    assert metering.generation()["streamed"]
    metering.expect(COUNTED)


def test_a_tools_use_arrives_intact(
    anthropic_client: anthropic.Anthropic, metering: Metering, upstream: OpenAiUpstream
) -> None:
    upstream.script.body = dialects.tool_use(COUNTED)
    tools: Any = [{"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]
    answer = anthropic_client.messages.create(**ASK, tools=tools, extra_headers=metering.headers)
    (block,) = answer.content
    assert isinstance(block, anthropic.types.ToolUseBlock)
    assert ("weather", {"city": "Graz"}) == (block.name, block.input)
    assert tools == upstream.asked[0].body["tools"]
    metering.expect(COUNTED)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(429, anthropic.RateLimitError), (500, anthropic.InternalServerError), (400, anthropic.BadRequestError)],
)
def test_an_upstreams_error_is_the_sdks_own_and_its_body_arrives(
    anthropic_client: anthropic.Anthropic,
    metering: Metering,
    upstream: OpenAiUpstream,
    status: int,
    expected: type[anthropic.APIStatusError],
) -> None:
    body = {"type": "error", "error": {"type": "some_error", "message": "not now"}, "request_id": "req_1"}
    upstream.script.status, upstream.script.body = status, dialects.packed(body)
    with pytest.raises(expected) as caught:
        anthropic_client.messages.create(**ASK, extra_headers=metering.headers)
    assert body == caught.value.body
    told = metering.generation()
    assert (status, True, None, None) == (
        told["status"],
        told["failed"],
        told["tokens_prompt"],
        told["total_cost"] or None,
    )
    metering.ranked(0)


def test_an_error_of_ours_is_the_sdks_own_too(board: BoardProcess, anthropic_client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError) as bad:
        anthropic_client.messages.create(model="nobody/serves-this", max_tokens=1, messages=MESSAGES)
    assert isinstance(bad.value.body, dict)
    assert ("error", "invalid_request_error") == (bad.value.body["type"], bad.value.body["error"]["type"])
    assert "not a model served here" in bad.value.body["error"]["message"]
    assert bad.value.request_id == bad.value.body["request_id"] == bad.value.response.headers["x-generation-id"]
    with (
        anthropic.Anthropic(base_url=board.url, api_key="tb-wrong", max_retries=0) as stranger,
        pytest.raises(anthropic.AuthenticationError) as unknown,
    ):
        stranger.messages.create(model="tokenboard/echo", max_tokens=1, messages=MESSAGES)
    assert "authentication_error" == unknown.value.type


def test_tokens_are_counted_and_no_ranking_moves(
    anthropic_client: anthropic.Anthropic, metering: Metering, upstream: OpenAiUpstream
) -> None:
    ask: Any = {"messages": MESSAGES, "system": "Be brief.", "extra_headers": metering.headers}
    assert 5 == anthropic_client.messages.count_tokens(model="tokenboard/echo", **ask).input_tokens
    upstream.script.body = b'{"input_tokens": 2095}'
    assert 2_095 == anthropic_client.messages.count_tokens(model="claude/claude-test", **ask).input_tokens
    assert ["/v1/messages/count_tokens"] == [asked.path for asked in upstream.asked]
    upstream.script.body, upstream.script.status = b"{}", 404
    estimated = anthropic_client.messages.count_tokens(model="scripted/gpt-test", **ask)
    assert estimated.input_tokens > 5
    assert True is estimated.to_dict()["estimated"]
    # What is counted shows in rankings within two seconds; of these three only the message does.
    anthropic_client.messages.create(
        model="tokenboard/echo", max_tokens=1, messages=MESSAGES, extra_headers=metering.headers
    )
    metering.ranked(6, 1)


def test_the_key_may_come_as_a_bearer(board: BoardProcess, key: str) -> None:
    with anthropic.Anthropic(base_url=board.url, api_key=None, auth_token=key, max_retries=0) as client:
        answer = client.messages.create(model="tokenboard/echo", max_tokens=1, messages=MESSAGES)
    assert 3 == answer.usage.output_tokens


def test_a_stream_that_breaks_off_raises_and_what_was_seen_is_partial(
    anthropic_client: anthropic.Anthropic, metering: Metering, upstream: OpenAiUpstream
) -> None:
    upstream.script.events, upstream.script.break_after = dialects.message_events(COUNTED, written=WRITTEN), 4
    with (
        pytest.raises(anthropic.APIStatusError, match="broke off"),
        anthropic_client.messages.stream(**ASK, extra_headers=metering.headers) as stream,
    ):
        stream.until_done()
    assert ("partial", COUNTED.prompt, 1, COUNTED.cached, None) == metering.usage()
    metering.ranked(COUNTED.prompt + 1)


def test_a_cancelled_stream_is_partial_by_what_its_first_event_said(
    anthropic_client: anthropic.Anthropic, metering: Metering, upstream: OpenAiUpstream
) -> None:
    upstream.script.events, upstream.script.pause = dialects.message_events(COUNTED), threading.Event()
    with anthropic_client.messages.stream(**ASK, extra_headers=metering.headers) as stream:
        assert "one two " == next(iter(stream.text_stream))
    assert "partial" == metering.usage()[0]
    assert COUNTED.prompt == metering.usage()[1]
    told = metering.generation()
    assert (200, False, None) == (told["status"], told["failed"], told["cancelled"])
    upstream.script.pause.set()


def test_it_lists_the_models_of_all_upstreams(anthropic_client: anthropic.Anthropic) -> None:
    listed = list(anthropic_client.models.list(limit=1))
    assert {"claude/gpt-test", "scripted/gpt-test", "tokenboard/echo"} <= {model.id for model in listed}
    assert {"model"} == {model.type for model in listed}
    one = anthropic_client.models.retrieve("tokenboard/echo")
    assert ("tokenboard/echo", "tokenboard: Echo") == (one.id, one.display_name)
    with pytest.raises(anthropic.NotFoundError) as missing:
        anthropic_client.models.retrieve("nobody/serves-this")
    assert "not_found_error" == missing.value.type
    with pytest.raises(anthropic.NotFoundError) as nowhere:
        anthropic_client.messages.batches.list()
    assert "not_found_error" == nowhere.value.type
