"""OpenRouter's SDK: chat, embeddings, responses, what it asks of keys, generations and models, and the rankings."""

import threading
from datetime import date, timedelta
from typing import Any

import httpx
import openrouter
import pytest
from openrouter import errors

from tests import dialects
from tests.board import BoardProcess, today
from tests.dialects import Counted
from tests.system.feed import event, eventually, feed, rankings
from tests.system.metering import Metering, generation
from tests.upstream import OpenAiUpstream

MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "repeat after me"}]
COUNTED = Counted(prompt=12_000, completion=345, cached=10_000, reasoning=40)
ECHOED = Counted(5, 3)
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


# --- inference -------------------------------------------------------------------------------------------------------


def test_the_echo_answers_and_streams(openrouter_client: openrouter.OpenRouter, metering: Metering) -> None:
    ask: Any = {"model": "tokenboard/echo", "messages": MESSAGES, "http_headers": metering.headers}
    answer = openrouter_client.chat.send(**ask)
    assert "repeat after me" == answer.choices[0].message.content
    assert answer.usage is not None
    assert 8 == answer.usage.total_tokens
    with openrouter_client.chat.send(**ask, stream=True) as stream:
        events = list(stream)
    assert "repeat after me" == "".join(c.choices[0].delta.content or "" for c in events if c.choices)
    metering.expect(ECHOED, requests=2)


def test_the_echo_embeds_and_responds(openrouter_client: openrouter.OpenRouter, metering: Metering) -> None:
    more: Any = {"model": "tokenboard/echo", "http_headers": metering.headers}
    vectors: Any = openrouter_client.embeddings.generate(input=["one two", "three"], **more)
    assert [16, 16] == [len(item.embedding) for item in vectors.data]
    assert ("reported", 3, 0) == metering.usage()[:3]
    answer: Any = openrouter_client.responses.send(input="repeat after me", **more)
    assert "repeat after me" == answer.output[0].content[0].text
    with openrouter_client.responses.send(input="repeat after me", stream=True, **more) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
    assert ["repeat", " after", " me"] == deltas
    assert ("reported", 3, 3) == metering.usage()[:3]
    metering.ranked(3 + 6 + 6, 3)


def test_the_app_is_named_by_the_sdks_own_arguments(
    openrouter_client: openrouter.OpenRouter, client: httpx.Client
) -> None:
    openrouter_client.chat.send(
        model="tokenboard/echo",
        messages=MESSAGES,
        http_referer="https://by-argument.example",
        x_open_router_title="By Argument",
        x_open_router_categories="game",
    )

    def row() -> list[tuple[int, int]]:
        rows = rankings(client, start_date=str(today()), end_date=str(today()), subcategory="game")
        return [(tokens, requests) for name, _, tokens, requests in rows if name == "By Argument"]

    eventually([(8, 1)], row)


def test_tool_calls_arrive_intact(
    openrouter_client: openrouter.OpenRouter, metering: Metering, upstream: OpenAiUpstream
) -> None:
    upstream.script.body, upstream.script.events = dialects.tool_call(COUNTED), dialects.tool_call_events(COUNTED)
    ask: Any = {"model": "scripted/gpt-test", "messages": MESSAGES, "tools": TOOLS, "http_headers": metering.headers}
    answer = openrouter_client.chat.send(**ask)
    (call,) = answer.choices[0].message.tool_calls or []
    assert dialects.TOOL_CALL == call.model_dump()
    with openrouter_client.chat.send(**ask, stream=True) as stream:
        calls = [chunk.choices[0].delta.tool_calls for chunk in stream if chunk.choices]
    pieces: Any = [call[0].function.arguments for call in calls if call]
    expected: Any = dialects.TOOL_CALL["function"]
    assert expected["arguments"] == "".join(pieces)
    metering.expect(COUNTED, requests=2)


def test_responses_and_embeddings_of_an_upstream_are_relayed_and_counted(
    openrouter_client: openrouter.OpenRouter, metering: Metering, upstream: OpenAiUpstream
) -> None:
    upstream.script.body, upstream.script.events = dialects.response(COUNTED), dialects.response_events(COUNTED)
    ask: Any = {"model": "scripted/gpt-test", "input": "count", "http_headers": metering.headers}
    answer: Any = openrouter_client.responses.send(**ask)
    assert "one two three" == answer.output[0].content[0].text
    with openrouter_client.responses.send(**ask, stream=True) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
    assert ["one two ", "three"] == deltas
    metering.expect(COUNTED, requests=2)
    upstream.script.body = dialects.embeddings([0.5, -0.5], 4_321)
    vectors: Any = openrouter_client.embeddings.generate(**ask)
    assert [0.5, -0.5] == vectors.data[0].embedding
    assert ("reported", 4_321, 0) == metering.usage()[:3]
    metering.ranked(2 * COUNTED.total + 4_321, 3)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(429, errors.TooManyRequestsResponseError), (500, errors.InternalServerResponseError)],
)
def test_an_upstreams_error_is_the_sdks_own_and_its_body_arrives(
    openrouter_client: openrouter.OpenRouter,
    metering: Metering,
    upstream: OpenAiUpstream,
    status: int,
    expected: type[errors.OpenRouterError],
) -> None:
    error = {"code": status, "message": "not now"}
    upstream.script.status, upstream.script.body = status, dialects.packed({"error": error})
    with pytest.raises(expected) as caught:
        openrouter_client.chat.send(
            model="scripted/gpt-test", messages=MESSAGES, http_headers=metering.headers, retries=None
        )
    assert "not now" in caught.value.body
    told = metering.generation()
    assert (status, True, None) == (told["status"], told["failed"], told["tokens_prompt"])


def test_a_cancelled_stream_is_estimated_by_what_was_relayed(
    openrouter_client: openrouter.OpenRouter, metering: Metering, upstream: OpenAiUpstream
) -> None:
    upstream.script.pause = threading.Event()
    try:
        with openrouter_client.chat.send(
            model="scripted/gpt-test", messages=MESSAGES, stream=True, http_headers=metering.headers
        ) as stream:
            for _ in range(3):
                next(stream)
        assert ("estimated", None, 4) == metering.usage()[:3]  # of "one two three "
    finally:
        upstream.script.pause.set()
    metering.ranked(4)


# --- keys, generations, models ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*DEPRECATED:DeprecationWarning")  # the SDK's own, of a field that it requires
def test_it_reads_what_a_key_has_cost(board: BoardProcess, upstream: OpenAiUpstream) -> None:
    secret = board.make_key("inference", label="spender")
    usage = COUNTED.openai() | {"cost": 0.25}
    upstream.script.body = dialects.packed({"object": "chat.completion", "choices": [], "usage": usage})
    with httpx.Client(base_url=board.url, headers={"Authorization": f"Bearer {secret}"}) as spender:
        asked = spender.post("/v1/chat/completions", json={"model": "scripted/gpt-test", "messages": MESSAGES})
        told = generation(spender, asked.headers["x-generation-id"])
    assert (0.25, 0.25, 0.25) == (told["total_cost"], told["usage"], told["upstream_inference_cost"])
    with openrouter.OpenRouter(server_url=f"{board.url}/api/v1", api_key=secret) as client:
        key = client.api_keys.get_current_key_metadata().data
    assert ("spender", 0.25, 0.25, 0.25, 0.25) == (
        key.label,
        key.usage,
        key.usage_daily,
        key.usage_weekly,
        key.usage_monthly,
    )
    assert (None, None, False, False) == (key.limit, key.limit_remaining, key.is_free_tier, key.is_management_key)


def test_it_reads_a_generation(
    openrouter_client: openrouter.OpenRouter, metering: Metering, upstream: OpenAiUpstream
) -> None:
    upstream.script.body = dialects.response(COUNTED)
    openrouter_client.responses.send(model="scripted/gpt-test", input="x", http_headers=metering.headers)
    metering.generation()
    told = openrouter_client.generations.get_generation(id=metering.ids[0]).data
    assert (metering.ids[0], "scripted/gpt-test", "scripted", metering.url) == (
        told.id,
        told.model,
        told.provider_name,
        told.http_referer,
    )
    assert (12_000, 345, 10_000, 40) == (
        told.native_tokens_prompt,
        told.native_tokens_completion,
        told.native_tokens_cached,
        told.native_tokens_reasoning,
    )
    assert isinstance(told.app_id, int)
    assert (0.0, None, False) == (told.total_cost, told.upstream_inference_cost, told.cancelled)
    with pytest.raises(errors.NotFoundResponseError):
        openrouter_client.generations.get_generation(id="gen-of-nobody")


def test_it_lists_and_counts_models(openrouter_client: openrouter.OpenRouter) -> None:
    page = openrouter_client.models.list()
    assert page is not None
    assert "tokenboard/echo" in {model.id for model in page.result.data}
    assert len(page.result.data) == openrouter_client.models.count().data.count


# --- rankings --------------------------------------------------------------------------------------------------------


def test_it_reads_rankings_with_every_parameter(
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


def test_it_reads_daily_rankings_with_every_filter(
    openrouter_client: openrouter.OpenRouter, client: httpx.Client, board: BoardProcess, upstream: OpenAiUpstream
) -> None:
    model, day = "scripted/gpt-filtered", str(today())
    ask: Any = {"model": model, "messages": MESSAGES}
    upstream.script.body, upstream.script.events = dialects.tool_call(COUNTED), dialects.tool_call_events(COUNTED)
    openrouter_client.chat.send(**ask, tools=TOOLS)
    with openrouter_client.chat.send(**ask, tools=TOOLS, stream=True) as stream:
        list(stream)
    upstream.script.body = dialects.packed(
        {"object": "chat.completion", "choices": [], "usage": {"prompt_tokens": 1_000, "completion_tokens": 7}}
    )
    client.post("/v1/chat/completions", json=ask)
    upstream.script.body = dialects.embeddings([0.5], 1_000_001)
    openrouter_client.embeddings.generate(model=model, input="x")
    one = {"id": "filtered", "ts": f"{day}T00:00:00Z", "model": model, "prompt_tokens": 10_000, "completion_tokens": 1}
    feed(client, board, [one | {"tool_calls": 2}])
    called = 2 * COUNTED.total

    def tokens(**filters: Any) -> int:
        answer = openrouter_client.datasets.get_rankings_daily(start_date=day, end_date=day, **filters)
        return sum(int(row.total_tokens) for row in answer.data if row.model_permaslug == model)

    eventually(called + 1_007 + 10_001 + 1_000_001, tokens)
    assert called + 10_001 == tokens(modality="tool_calling")
    assert called + 1_007 + 10_001 == tokens(modality="text")
    by_bucket = [tokens(context_bucket=bucket) for bucket in ("1K", "10K", "100K", "1M", "10M")]
    assert [1_007, 10_001, called, 0, 1_000_001] == by_bucket
    assert 10_001 == tokens(context_bucket="10K", modality="tool_calling")
    assert 0 == tokens(context_bucket="10M", modality="text")


@pytest.mark.parametrize(
    "asked", [{"modality": "image"}, {"modality": "audio"}, {"category": "programming"}, {"language_type": "natural"}]
)
def test_what_would_need_a_prompts_content_is_an_error_of_its_own(
    openrouter_client: openrouter.OpenRouter, asked: dict[str, Any]
) -> None:
    with pytest.raises(errors.BadRequestResponseError, match="never looks at") as refused:
        openrouter_client.datasets.get_rankings_daily(**asked)
    assert next(iter(asked)) in refused.value.data.error.message


def test_it_reads_rankings_with_no_parameter(openrouter_client: openrouter.OpenRouter) -> None:
    page = openrouter_client.datasets.get_app_rankings()
    assert page is not None
    answer = page.result
    yesterday = today() - timedelta(days=1)
    assert (str(yesterday - timedelta(days=29)), str(yesterday)) == (answer.meta.start_date, answer.meta.end_date)


def test_it_pages_through_rankings_by_itself(
    openrouter_client: openrouter.OpenRouter, client: httpx.Client, board: BoardProcess
) -> None:
    day = date(2025, 4, 5)
    apps = [event(day, f"https://page-{number}.example", 100 - number) for number in range(5)]
    feed(client, board, [one for app in apps for one in app])
    page: Any = openrouter_client.datasets.get_app_rankings(start_date=str(day), end_date=str(day), limit=2)
    ranks = []
    while page is not None:
        ranks += [row.rank for row in page.result.data]
        page = page.next()
    assert [1, 2, 3, 4, 5] == ranks


def test_it_raises_its_own_errors(board: BoardProcess, openrouter_client: openrouter.OpenRouter) -> None:
    with pytest.raises(errors.BadRequestResponseError) as bad:
        openrouter_client.datasets.get_app_rankings(limit=101)
    assert "limit" in bad.value.data.error.message
    with (
        openrouter.OpenRouter(server_url=f"{board.url}/api/v1", api_key="tb-wrong") as stranger,
        pytest.raises(errors.UnauthorizedResponseError) as unauthorized,
    ):
        stranger.datasets.get_app_rankings()
    assert 401 == unauthorized.value.data.error.code


def test_what_there_is_is_found_from_every_side(openrouter_client: openrouter.OpenRouter, key: str) -> None:
    page: Any = openrouter_client.models.list()
    listed = page.result.data
    user: Any = openrouter_client.models.list_for_user(security={"bearer": key})
    assert [model.id for model in listed] == [model.id for model in user.result.data]
    one = openrouter_client.models.get(author="scripted", slug="gpt-test").data
    assert ("scripted/gpt-test", "0") == (one.id, one.pricing.prompt)
    assert "/api/v1/models/scripted/gpt-test/endpoints" == one.links.details
    served = openrouter_client.endpoints.list(author="scripted", slug="gpt-test").data
    assert ["scripted"] == [endpoint.provider_name for endpoint in served.endpoints]
    embedding: Any = openrouter_client.embeddings.list_models()
    embedders = embedding.result.data
    assert ["tokenboard/echo"] == [model.id for model in embedders]
    assert {"tokenboard", "scripted", "claude"} == {each.slug for each in openrouter_client.providers.list().data}
    credit = openrouter_client.credits.get_credits().data
    assert 0 == credit.total_credits
    assert credit.total_usage >= 0
    with pytest.raises(errors.NotFoundResponseError):
        openrouter_client.models.get(author="nobody", slug="serves-this")
