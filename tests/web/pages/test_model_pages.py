"""The models' pages and their twins: the same figures as the analytics', hidden apps nowhere, odd names everywhere."""

import csv
import io
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from tests.analytics.rig import TODAY
from tests.web.stage import ALIAS, CREATIVE, GONE, HIDDEN, MODELS, RISER, STEADY, Stage
from tokenboard.analytics import Period
from tokenboard.web.numbers import compact
from tokenboard.web.pages.models import models_daily


def read(browser: TestClient, address: str) -> dict[str, Any]:
    answer = browser.get(address)
    assert 200 == answer.status_code, answer.text
    return dict(answer.json())


def rows(browser: TestClient, address: str) -> list[dict[str, str]]:
    answer = browser.get(address)
    assert 200 == answer.status_code, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def page(browser: TestClient, address: str) -> str:
    answer = browser.get(address)
    assert 200 == answer.status_code
    assert len(answer.content) < 60_000
    return answer.text


def test_the_list_and_its_twins_tell_the_figures_of_the_ranking_of_models(browser: TestClient, stage: Stage) -> None:
    found = stage.rig.analytics.models(stage.rig.analytics.window(Period.WEEK))
    expected = [(row.rank, row.model, str(row.figures.tokens), row.figures.requests) for row in found.rows]
    document = read(browser, "/models.json")
    assert expected == [
        (row["rank"], row["model"], row["total_tokens"], row["total_requests"]) for row in document["data"]["models"]
    ]
    assert str(found.all_traffic.tokens) == document["meta"]["total_tokens"]
    assert expected == [
        (int(row["rank"]), row["model"], row["total_tokens"], int(row["total_requests"]))
        for row in rows(browser, "/models.csv")
    ]
    table = pq.read_table(io.BytesIO(browser.get("/models.parquet").content)).to_pylist()
    assert expected == [(row["rank"], row["model"], str(row["total_tokens"]), row["total_requests"]) for row in table]
    html = page(browser, "/models")
    for row in found.rows:
        assert f">{compact(row.figures.tokens)}<" in html


@pytest.mark.parametrize("period", [Period.WEEK, Period.MONTH])
def test_the_shares_of_authors_add_up_to_all_tokens(browser: TestClient, stage: Stage, period: Period) -> None:
    document = read(browser, f"/models.json?period={period}")
    authors = document["data"]["authors"]
    assert document["meta"]["total_tokens"] == str(sum(int(row["total_tokens"]) for row in authors))
    assert {"openai", "meta", "odd", None} == {row["author"] for row in authors}
    assert pytest.approx(1) == sum(row["share"] for row in authors)


def test_the_days_of_the_chart_add_up_to_each_days_tokens_of_all_models(stage: Stage) -> None:
    analytics = stage.rig.analytics
    window = analytics.window(Period.MONTH)
    daily = models_daily(stage.services(), window, top=2)
    assert list(MODELS[:2]) == sorted(bar.model for bar in daily.bars)
    for at, day in enumerate(daily.days):
        one_day = analytics.models(type(window)(day, day)).all_traffic.tokens
        assert one_day == sum(bar.values[at] for bar in daily.bars) + daily.other[at]
    for bar in daily.bars:
        detail = analytics.model(bar.model, window)
        assert detail is not None
        assert detail.total.tokens == sum(bar.values)


def test_a_search_keeps_the_ranks_and_says_how_many_it_found(browser: TestClient) -> None:
    ranks = {row["model"]: row["rank"] for row in read(browser, "/models.json")["data"]["models"]}
    document = read(browser, "/models.json?q=OPENAI/")
    assert {"openai/gpt-4o", "openai/gpt-mini"} == {row["model"] for row in document["data"]["models"]}
    assert all(ranks[row["model"]] == row["rank"] for row in document["data"]["models"])
    assert (2, "OPENAI/") == (document["meta"]["listed"], document["meta"]["search"])
    assert "No model with this in its name" in page(browser, "/models?q=<script>nothing")
    assert "<script>nothing" not in page(browser, "/models?q=<script>nothing")


def test_an_offset_past_the_end_is_refused_by_its_name(browser: TestClient) -> None:
    answer = browser.get("/models.json?offset=500")
    assert (400, "offset") == (answer.status_code, answer.json()["error"]["metadata"]["parameter"])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("tab", ["overview", "apps"])
def test_a_model_of_any_name_has_its_page_and_its_twins(browser: TestClient, model: str, tab: str) -> None:
    listed = page(browser, "/models")
    path = f"/models/{quote(model, safe='/')}"
    assert f'href="{path}"' in listed
    query = "" if tab == "overview" else "?tab=apps"
    assert f'<h1 dir="auto">{model}</h1>' in page(browser, path + query)
    document = read(browser, f"{path}.json{query}")
    assert (model, "2026-04-08", "2026-04-14") == (
        document["data"]["model"],
        document["meta"]["start_date"],
        document["meta"]["end_date"],
    )
    assert {model} == {row["model"] for row in rows(browser, f"{path}.csv{query}")}
    table = pq.read_table(io.BytesIO(browser.get(f"{path}.parquet{query}").content)).to_pylist()
    assert {model} == {row["model"] for row in table}


def test_a_models_days_are_those_of_the_analytics_with_idle_days_as_zeros(browser: TestClient, stage: Stage) -> None:
    analytics = stage.rig.analytics
    model = MODELS[-1]
    detail = analytics.model(model, analytics.window(Period.WEEK))
    assert detail is not None
    expected = {str(each.day): str(each.figures.tokens) for each in detail.days}
    document = read(browser, f"/models/{quote(model, safe='/')}.json")
    told = {row["date"]: row["total_tokens"] for row in document["data"]["daily"]}
    assert {str(TODAY - timedelta(days=back)) for back in range(1, 8)} == set(told)
    assert expected == {day: tokens for day, tokens in told.items() if tokens != "0"}
    assert str(detail.total.tokens) == document["data"]["total_tokens"] == str(sum(map(int, told.values())))


def test_the_apps_of_a_model_are_ranked_and_what_is_not_listed_is_said(browser: TestClient, stage: Stage) -> None:
    document = read(browser, "/models/openai/gpt-4o.json?tab=apps")
    apps, meta = document["data"]["apps"], document["meta"]
    assert [(1, stage.id_of(RISER), 1), (2, stage.id_of(STEADY), 2)] == [
        (row["rank"], row["app_id"], row["overall_rank"]) for row in apps
    ]
    hidden = 7 * 2_000
    assert (str(hidden), "0") == (meta["unlisted_tokens"], meta["unattributed_tokens"])
    assert meta["total_tokens"] == str(sum(int(row["total_tokens"]) for row in apps) + hidden)
    assert pytest.approx(1 - hidden / int(meta["total_tokens"])) == sum(row["share"] for row in apps)
    html = page(browser, "/models/openai/gpt-4o?tab=apps")
    assert f'<data value="{hidden}" title="14,000">14K</data> tokens of apps that are hidden' in html


def test_an_alias_counts_for_its_app_among_the_apps_of_a_model(browser: TestClient, stage: Stage) -> None:
    apps = read(browser, "/models/openai/gpt-mini.json?tab=apps")["data"]["apps"]
    assert [stage.id_of(CREATIVE)] == [row["app_id"] for row in apps]
    assert {HIDDEN, ALIAS}.isdisjoint(row["url"] for row in apps)


@pytest.mark.parametrize("path", ["/models", *(f"/models/{quote(model, safe='/')}" for model in MODELS)])
def test_hidden_apps_and_aliases_appear_on_no_page_of_models(browser: TestClient, path: str) -> None:
    for ending in ("", ".json", ".csv", ".parquet"):
        for query in ("?period=month", "?period=month&tab=apps"):
            text = browser.get(f"{path}{ending}{query}").text
            assert not [gone for gone in GONE if gone in text]


def test_a_title_that_is_markup_or_a_formula_stays_text(browser: TestClient) -> None:
    assert "<script>alert" not in page(browser, "/models/plain?tab=apps")
    table = rows(browser, f"/models/{quote(MODELS[-1], safe='/')}.csv?tab=apps")
    assert ["'=cmd|' /C calc'!A0"] == [row["app_name"] for row in table]


@pytest.mark.parametrize("path", ["/models/openai/gpt-5", "/models/openai", "/models/", f"/models/{'x' * 600}"])
def test_an_unknown_model_is_404_in_every_form(browser: TestClient, path: str) -> None:
    for ending in ("", ".json", ".csv", ".parquet"):
        answer = browser.get(path + ending)
        assert 404 == answer.status_code
    assert 404 == browser.get(f"{path}.json").json()["error"]["code"]
    assert "<h1>Not found</h1>" in browser.get(path).text


@pytest.mark.parametrize(
    "path", ["/charts/models.svg", "/charts/authors.svg", "/charts/models/meta/llama-3.1-70b.instruct.svg"]
)
def test_the_charts_of_models_are_drawn_in_every_size(browser: TestClient, path: str) -> None:
    for size in ("wide", "half", "phone"):
        answer = browser.get(f"{path}?size={size}")
        assert (200, "image/svg+xml") == (answer.status_code, answer.headers["content-type"])
    assert 400 == browser.get(f"{path}?size=huge").status_code


def test_the_page_of_a_bad_parameter_says_so_in_its_title(browser: TestClient) -> None:
    answer = browser.get("/rankings?period=x")
    assert 400 == answer.status_code
    assert "<h1>Invalid request</h1>" in answer.text


def test_an_unknown_tab_is_refused_by_its_name(browser: TestClient) -> None:
    answer = browser.get("/models/plain.json?tab=nope")
    assert (400, "tab") == (answer.status_code, answer.json()["error"]["metadata"]["parameter"])
