"""The built-in model."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenboard.gateway import ECHO_MODEL, EchoUpstream
from tokenboard.gateway.echo import MAX_BODY, MAX_PIECES
from tokenboard.gateway.introduction import introduce
from tokenboard.gateway.request import parse_request
from tokenboard.problem import Problem
from tokenboard.usage import Meter, UsageSource


def pieces(messages: Any, *, stream: bool) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Return the answer's pieces and its headers, after a look at its hints."""

    async def main() -> tuple[list[bytes], dict[bytes, bytes]]:
        body = json.dumps({"model": ECHO_MODEL, "messages": messages, "stream": stream}).encode()
        answer = await EchoUpstream().send("/chat/completions", parse_request(body), introduce([]))
        assert (200, True) == (answer.status, answer.complete)
        read = []
        while chunk := await answer.read_chunk():
            read.append(chunk)
            hint = answer.ended_hint
        assert hint
        answer.cancel()
        return read, dict(answer.headers)

    return asyncio.run(main())


def say(*messages: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role, content in messages]


def whole(messages: Any) -> dict[str, Any]:
    (body,), headers = pieces(messages, stream=False)
    assert {b"content-type": b"application/json", b"content-length": str(len(body)).encode()} == headers
    return dict(json.loads(body))


def streamed(messages: Any) -> list[dict[str, Any]]:
    events, headers = pieces(messages, stream=True)
    assert {b"content-type": b"text/event-stream"} == headers
    assert b"data: [DONE]\n\n" == events[-1]
    return [json.loads(event.removeprefix(b"data: ")) for event in events[:-1]]


def refusal(messages: Any, status: int = 400) -> str:
    with pytest.raises(Problem) as caught:
        pieces(messages, stream=False)
    assert status == caught.value.status
    return caught.value.message


def test_it_repeats_the_last_user_message_and_counts_words() -> None:
    answer = whole(
        say(("system", "Be brief ."), ("user", "no"), ("assistant", "no"), ("user", " say  this\n"), ("tool", "x"))
    )
    assert {"role": "assistant", "content": " say  this\n", "refusal": None} == answer["choices"][0]["message"]
    assert {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10} == answer["usage"]
    assert ("chat.completion", ECHO_MODEL) == (answer["object"], answer["model"])


def test_it_streams_word_by_word_and_tells_its_usage_last() -> None:
    first, *middle, stop, usage = streamed(say(("user", "one two  three ")))
    assert {"role": "assistant", "content": ""} == first["choices"][0]["delta"]
    assert ["one", " two", "  three "] == [event["choices"][0]["delta"]["content"] for event in middle]
    assert "stop" == stop["choices"][0]["finish_reason"]
    assert ([], 3, 3) == (usage["choices"], usage["usage"]["prompt_tokens"], usage["usage"]["completion_tokens"])


def test_parts_of_type_text_are_read() -> None:
    parts = [
        {"type": "text", "text": "a b"},
        {"type": "image_url", "image_url": {}},
        "c",
        {"type": "text", "text": "d"},
    ]
    assert "a b d" == whole(say(("user", parts)))["choices"][0]["message"]["content"]


@pytest.mark.parametrize("messages", [None, {}, "x", [1], [[]], 5])
def test_messages_must_be_a_list_of_objects(messages: Any) -> None:
    assert "`messages` must be a list" in refusal(messages)


@pytest.mark.parametrize("messages", [[], say(("system", "x")), [{}], [{"role": ["user"], "content": "x"}]])
def test_there_must_be_a_user_message(messages: Any) -> None:
    assert "last user message" in refusal(messages)


@pytest.mark.parametrize("content", [None, 5, {}, [], ""])
def test_a_message_without_text_is_echoed_as_nothing(content: Any) -> None:
    assert "" == whole(say(("user", content)))["choices"][0]["message"]["content"]
    assert 3 == len(streamed(say(("user", content))))


def test_what_only_the_echo_reads_is_refused_in_order_too() -> None:
    body = b'{"model": "tokenboard/echo", "messages": [{"role": "user", "content": "\xff"}]}'
    with pytest.raises(Problem):
        asyncio.run(EchoUpstream().send("/chat/completions", parse_request(body), introduce([])))


def test_a_body_too_large_to_be_worked_on_here_is_refused() -> None:
    assert "at most 1,048,576 bytes" in refusal(say(("user", "x" * MAX_BODY)), 413)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", [" " * 1_000_000, "x" + " " * 1_000_000, "x" * 1_000_000, "x " * 500_000])
def test_no_text_takes_long_or_makes_many_pieces(text: str) -> None:
    events = streamed(say(("user", text)))
    assert len(events) <= MAX_PIECES + 3
    assert text == "".join(event["choices"][0]["delta"].get("content", "") for event in events[:-1])


@given(st.text(alphabet=" \n\tab\u00e9\u3000", max_size=40))
def test_a_streamed_text_is_the_whole_text_and_is_metered_as_told(text: str) -> None:
    events, _ = pieces(say(("user", text)), stream=True)
    meter = Meter("text/event-stream", None, 200)
    for event in events:
        assert not meter.ended
        meter.feed(event)
    assert meter.ended
    usage = meter.finish(complete=True)
    if text.split():
        assert (UsageSource.REPORTED, len(text.split())) == (usage.source, usage.completion_tokens)
    contents = [json.loads(event[6:])["choices"] for event in events[:-1]]
    assert text == "".join(choices[0]["delta"].get("content", "") for choices in contents if choices)


def test_it_is_one_model_and_always_there() -> None:
    echo = EchoUpstream()
    assert (True, False) == (echo.serves(ECHO_MODEL), echo.serves("tokenboard/other"))
    models, reached = asyncio.run(echo.list_models())
    assert ([ECHO_MODEL], True) == ([model["id"] for model in models], reached)
    assert asyncio.run(echo.probe()) is None
