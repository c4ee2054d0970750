"""The official SDKs, unchanged, with nothing set but the base URL and a key."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import openai
import openrouter
import pytest
from openrouter import errors

from tests.board import BoardProcess, today
from tests.system.feed import event, eventually, feed, rankings
from tests.upstream import OpenAiUpstream

HEADERS = {
    "HTTP-Referer": "https://sdk.example",
    "X-OpenRouter-Title": "SDK App",
    "X-OpenRouter-Categories": "cli-agent,ide-extension",
}
MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "repeat after me"}]


def used(client: httpx.Client, name: str) -> tuple[int, int]:
    """Return (tokens, requests) of an app today."""
    rows = rankings(client, start_date=str(today()), end_date=str(today()), limit=100)
    return next(((tokens, requests) for app, _, tokens, requests in rows if app == name), (0, 0))


@pytest.fixture
def openai_client(board: BoardProcess, key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{board.url}/api/v1", api_key=key, max_retries=0) as client:
        yield client


@pytest.fixture
def openrouter_client(board: BoardProcess, key: str) -> Iterator[openrouter.OpenRouter]:
    with openrouter.OpenRouter(server_url=f"{board.url}/api/v1", api_key=key) as client:
        yield client


def test_openai_chat_is_answered_and_its_tokens_become_a_rank(
    openai_client: openai.OpenAI, client: httpx.Client
) -> None:
    before = used(client, "SDK App")
    answer = openai_client.chat.completions.create(model="tokenboard/echo", messages=MESSAGES, extra_headers=HEADERS)
    assert "repeat after me" == answer.choices[0].message.content
    assert answer.usage is not None
    assert (5, 3, 8) == (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens)
    eventually((before[0] + 8, before[1] + 1), lambda: used(client, "SDK App"))


def test_openai_streams_word_by_word_and_reports_usage_in_its_last_chunk(
    openai_client: openai.OpenAI, client: httpx.Client
) -> None:
    before = used(client, "SDK App")
    stream = openai_client.chat.completions.create(
        model="tokenboard/echo", messages=MESSAGES, stream=True, extra_headers=HEADERS
    )
    chunks = list(stream)
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert ["repeat", " after", " me"] == words
    assert chunks[-1].usage is not None
    assert (5, 3) == (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens)
    eventually((before[0] + 8, before[1] + 1), lambda: used(client, "SDK App"))


def test_openai_reaches_an_upstream_whose_reported_tokens_are_counted(
    openai_client: openai.OpenAI, client: httpx.Client, upstream: OpenAiUpstream
) -> None:
    upstream.script.prompt_tokens, upstream.script.completion_tokens = 1_000, 234
    headers = HEADERS | {"HTTP-Referer": "https://upstream.example", "X-OpenRouter-Title": "Upstream App"}
    for stream in (False, True):
        answer: Any = openai_client.chat.completions.create(
            model="scripted/gpt-test", messages=MESSAGES, stream=stream, extra_headers=headers
        )
        if stream:
            assert "one two three " == "".join(c.choices[0].delta.content or "" for c in answer if c.choices)
        else:
            assert "one two three" == answer.choices[0].message.content
    assert ["gpt-test", "gpt-test"] == [asked.body["model"] for asked in upstream.asked]
    assert {"Bearer sk-upstream-secret"} == {asked.headers["authorization"] for asked in upstream.asked}
    assert {"include_usage": True} == upstream.asked[1].body["stream_options"]
    eventually((2_468, 2), lambda: used(client, "Upstream App"))


def test_openai_lists_models(openai_client: openai.OpenAI) -> None:
    assert {"tokenboard/echo", "scripted/gpt-test"} <= {model.id for model in openai_client.models.list()}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model": "nobody/serves-this"}, openai.BadRequestError),
        ({"messages": []}, openai.BadRequestError),
    ],
)
def test_openai_raises_its_own_error_for_a_bad_request(
    openai_client: openai.OpenAI, change: dict[str, Any], expected: type[openai.APIStatusError]
) -> None:
    arguments: Any = {"model": "tokenboard/echo", "messages": MESSAGES} | change
    with pytest.raises(expected) as caught:
        openai_client.chat.completions.create(**arguments)
    assert isinstance(caught.value.body, dict)
    assert 400 == caught.value.body["code"]


def test_openai_raises_its_own_error_for_a_bad_key(board: BoardProcess) -> None:
    with (
        openai.OpenAI(base_url=f"{board.url}/v1", api_key="tb-wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.chat.completions.create(model="tokenboard/echo", messages=MESSAGES)


def test_openrouter_chat_and_stream(openrouter_client: openrouter.OpenRouter, client: httpx.Client) -> None:
    before = used(client, "SDK App")
    answer = openrouter_client.chat.send(model="tokenboard/echo", messages=MESSAGES, http_headers=HEADERS)
    assert "repeat after me" == answer.choices[0].message.content
    assert answer.usage is not None
    assert 8 == answer.usage.total_tokens
    with openrouter_client.chat.send(
        model="tokenboard/echo", messages=MESSAGES, stream=True, http_headers=HEADERS
    ) as stream:
        events = list(stream)
    assert "repeat after me" == "".join(c.choices[0].delta.content or "" for c in events if c.choices)
    eventually((before[0] + 16, before[1] + 2), lambda: used(client, "SDK App"))


def test_openrouter_names_the_app_by_its_own_arguments(
    openrouter_client: openrouter.OpenRouter, client: httpx.Client
) -> None:
    openrouter_client.chat.send(
        model="tokenboard/echo",
        messages=MESSAGES,
        http_referer="https://by-argument.example",
        x_open_router_title="By Argument",
        x_open_router_categories="game",
    )
    eventually((8, 1), lambda: used(client, "By Argument"))
    names = [row[0] for row in rankings(client, start_date=str(today()), end_date=str(today()), subcategory="game")]
    assert ["By Argument"] == [name for name in names if name == "By Argument"]


def test_openrouter_reads_rankings_with_every_parameter(
    openrouter_client: openrouter.OpenRouter, client: httpx.Client, board: BoardProcess
) -> None:
    day = date(2025, 2, 3)
    feed(client, board, event(day, "https://first.example", 900, title="First", categories="legal"))
    feed(client, board, event(day, "https://second.example", 9, title="Second", categories="legal"))
    feed(client, board, event(day - timedelta(days=1), "https://first.example", 300, title="First"))
    page = openrouter_client.datasets.get_app_rankings(
        category="productivity",
        subcategory="legal",
        sort="trending",
        start_date=str(day),
        end_date=str(day),
        limit=10,
        offset=1,
    )
    assert page is not None
    answer = page.result
    assert [("Second", 2, "9", 1)] == [
        (row.app_name, row.rank, row.total_tokens, row.total_requests) for row in answer.data
    ]
    assert (str(day), str(day), "v1") == (answer.meta.start_date, answer.meta.end_date, answer.meta.version)


def test_openrouter_reads_rankings_with_no_parameter(openrouter_client: openrouter.OpenRouter) -> None:
    page = openrouter_client.datasets.get_app_rankings()
    assert page is not None
    answer = page.result
    yesterday = today() - timedelta(days=1)
    assert (str(yesterday - timedelta(days=29)), str(yesterday)) == (answer.meta.start_date, answer.meta.end_date)


def test_openrouter_pages_through_rankings_by_itself(
    openrouter_client: openrouter.OpenRouter, client: httpx.Client, board: BoardProcess
) -> None:
    day = date(2025, 4, 5)
    for number in range(5):
        feed(client, board, event(day, f"https://page-{number}.example", 100 - number))
    page: Any = openrouter_client.datasets.get_app_rankings(start_date=str(day), end_date=str(day), limit=2)
    ranks = []
    while page is not None:
        ranks += [row.rank for row in page.result.data]
        page = page.next()
    assert [1, 2, 3, 4, 5] == ranks


def test_openrouter_lists_models(openrouter_client: openrouter.OpenRouter) -> None:
    page = openrouter_client.models.list()
    assert page is not None
    assert "tokenboard/echo" in {model.id for model in page.result.data}


def test_openrouter_raises_its_own_errors(board: BoardProcess, openrouter_client: openrouter.OpenRouter) -> None:
    with pytest.raises(errors.BadRequestResponseError) as bad:
        openrouter_client.datasets.get_app_rankings(limit=101)
    assert "limit" in bad.value.data.error.message
    with (
        openrouter.OpenRouter(server_url=f"{board.url}/api/v1", api_key="tb-wrong") as stranger,
        pytest.raises(errors.UnauthorizedResponseError) as unauthorized,
    ):
        stranger.datasets.get_app_rankings()
    assert 401 == unauthorized.value.data.error.code
