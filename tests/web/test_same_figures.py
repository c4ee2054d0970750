"""What pages, files, feeds and images say is what the Data API says, to the token."""

import csv
import io
import re
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from tests.analytics.rig import days_before
from tests.web.stage import CREATIVE, MODELS, STEADY, TITLES, Stage
from tokenboard.analytics import COMPLETED, Period
from tokenboard.web.numbers import compact, exact, percent
from tokenboard.web.pages.share_images import app_picture, model_picture, ranking_picture
from tokenboard.web.request import PageRequest

WEEK = {"start_date": str(days_before(7)), "end_date": str(days_before(1))}
MONTH = {"start_date": str(days_before(30)), "end_date": str(days_before(1))}
OWN = {"start_date": "2026-02-20", "end_date": "2026-04-02"}
EXTRAS = "url,categories,previous,totals"

RANKINGS: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
    ({}, WEEK),
    ({"period": "day"}, {"start_date": str(days_before(1)), "end_date": str(days_before(1))}),
    ({"period": "month", "sort": "trending"}, {**MONTH, "sort": "trending"}),
    ({"category": "coding"}, {**WEEK, "category": "coding"}),
    ({"subcategory": "game", "period": "month"}, {**MONTH, "subcategory": "game"}),
    ({**OWN, "offset": "2"}, {**OWN, "offset": "2"}),
)
"""Parameters of the page, and of the Data API that ask for the same."""

Row = tuple[Any, ...]
_ROW = re.compile(r'<tr><td class="rank">(\d*)</td>(.*?)</tr>')
_FIGURE = re.compile(r'<td class="n[^"]*">(?:<data value="(\d+)"[^>]*>[^<]*</data>|(\d+))</td>')
_SHOWN = re.compile(r'<data value="(\d+)" title="([^"]*)">([^<]*)</data>')


def table_of(html: str, heading: str) -> list[tuple[int, str, list[int]]]:
    """Return the rows of the table under a heading: place, where the name leads, whole figures in order."""
    section = html.partition(f'id="{heading}"')[2].partition("</table>")[0]
    rows = []
    for place, rest in _ROW.findall(section.replace("\n", "")):
        link = re.search(r'class="name" href="([^"]*)"', rest)
        assert link is not None
        rows.append((int(place), link[1], [int(long or short) for long, short in _FIGURE.findall(rest)]))
    return rows


@pytest.mark.parametrize(("query", "parameters"), RANKINGS)
def test_the_rankings_are_those_of_the_data_api_in_every_form(
    browser: TestClient, stage: Stage, query: dict[str, str], parameters: dict[str, str]
) -> None:
    told = stage.rig.get("/datasets/app-rankings", **parameters, include=EXTRAS, limit=30)
    expected: list[Row] = [
        (row["rank"], row["app_id"], int(row["total_tokens"]), row["total_requests"]) for row in told["data"]
    ]
    assert expected
    page = browser.get("/rankings", params=query).text
    assert expected == [
        (place, int(link.rpartition("/")[2]), *numbers[:2]) for place, link, numbers in table_of(page, "apps")
    ]
    twin = browser.get("/rankings.json", params=query).json()
    assert [
        (*row, given["app_name"], given["url"], given["categories"], given["previous_rank"])
        for row, given in zip(expected, told["data"], strict=True)
    ] == [
        (
            row["rank"],
            row["app_id"],
            int(row["total_tokens"]),
            row["total_requests"],
            row["app_name"],
            row["url"],
            row["categories"],
            row["previous_rank"],
        )
        for row in twin["data"]["apps"]
    ]
    rows = csv.DictReader(io.StringIO(browser.get("/rankings.csv", params=query).text, newline=""))
    names = ("rank", "app_id", "total_tokens", "total_requests")
    assert expected == [tuple(int(row[name]) for name in names) for row in rows]
    table = pq.read_table(io.BytesIO(browser.get("/rankings.parquet", params=query).content)).to_pylist()
    assert expected == [tuple(int(row[name]) for name in names) for row in table]
    totals, meta = told["meta"]["totals"], twin["meta"]
    for part in ("unlisted", "unattributed"):
        assert totals[part]["total_tokens"] == meta[f"{part}_tokens"]
    assert told["meta"]["as_of"] == meta["as_of"]
    assert {name: told["meta"][name] for name in WEEK} == {name: meta[name] for name in WEEK}


def test_the_ranking_by_requests_has_the_same_requests(browser: TestClient, stage: Stage) -> None:
    told = stage.rig.get("/datasets/app-rankings", **MONTH)["data"]
    requests = {row["app_id"]: row["total_requests"] for row in told}
    twin = browser.get("/rankings.json?period=month&metric=requests").json()["data"]["apps"]
    assert requests == {row["app_id"]: row["total_requests"] for row in twin}
    assert sorted(requests.values(), reverse=True) == [row["total_requests"] for row in twin]


def test_the_days_of_the_chart_are_the_days_of_the_data_api(browser: TestClient, stage: Stage) -> None:
    daily = browser.get("/rankings.json").json()["data"]["daily"]
    for at in (0, 17, 29):
        day = daily["days"][at]
        told = stage.rig.get("/datasets/app-rankings", start_date=day, end_date=day)["data"]
        expected = {row["app_id"]: row["total_tokens"] for row in told}
        assert expected == {row["app_id"]: row["values"][at] for row in daily["apps"] if row["values"][at] != "0"}


@pytest.mark.parametrize("period", [Period.WEEK, Period.MONTH])
def test_models_have_the_figures_of_the_data_api(browser: TestClient, stage: Stage, period: Period) -> None:
    window = WEEK if period is Period.WEEK else MONTH
    told = stage.rig.get("/datasets/rankings-daily", **window)["data"]
    expected: dict[str, int] = {}
    for row in told:
        if row["model_permaslug"] != "other":
            name = row["model_permaslug"]
            expected[name] = expected.get(name, 0) + int(row["total_tokens"])
    twin = browser.get(f"/models.json?period={period}").json()["data"]["models"]
    assert expected == {row["model"]: int(row["total_tokens"]) for row in twin}
    for model, tokens in expected.items():
        path = f"/models/{quote(model, safe='/')}"
        page = browser.get(f"{path}?period={period}").text
        assert f"<dd>{figure(tokens)}</dd>" in page
        assert str(tokens) == browser.get(f"{path}.json?period={period}").json()["data"]["total_tokens"]
        per_day = {row["date"]: row["total_tokens"] for row in told if row["model_permaslug"] == model}
        days = browser.get(f"{path}.json?period={period}").json()["data"]["daily"]
        assert per_day == {row["date"]: row["total_tokens"] for row in days if row["total_tokens"] != "0"}


def figure(number: int) -> str:
    """Return how a page writes a figure, its exact value behind it."""
    if number < 1000:
        return str(number)
    return f'<data value="{number}" title="{exact(number)}">{compact(number)}</data>'


@pytest.mark.parametrize("model", [model for model in MODELS if "/" in model])
def test_the_apps_of_a_model_are_those_of_the_data_api(browser: TestClient, stage: Stage, model: str) -> None:
    path = quote(model, safe="/")
    told = stage.rig.get(f"/models/{path}/apps", **MONTH)
    page = browser.get(f"/models/{path}?tab=apps&period=month").text
    expected = [
        (row["rank"], f"/apps/{row['app_id']}", [int(row["total_tokens"]), row["total_requests"]])
        for row in told["data"]
    ]
    assert expected == [(place, link, numbers[:2]) for place, link, numbers in table_of(page, "apps")]
    twin = browser.get(f"/models/{path}.json?tab=apps&period=month").json()
    same = ("rank", "app_id", "total_tokens", "total_requests", "share", "overall_rank")
    assert [[row[name] for name in same] for row in told["data"]] == [
        [row[name] for name in same] for row in twin["data"]["apps"]
    ]
    assert told["meta"]["totals"]["unlisted"]["total_tokens"] == twin["meta"]["unlisted_tokens"]


def test_every_short_figure_on_a_page_is_its_exact_one_in_short(browser: TestClient, stage: Stage) -> None:
    for path in ("/", "/rankings?period=month", "/apps", f"/apps/{stage.id_of(STEADY)}", "/models", "/models/plain"):
        found = _SHOWN.findall(browser.get(path).text)
        assert found, path
        for value, title, short in found:
            assert (exact(int(value)), compact(int(value))) == (title, short), path


def test_a_feeds_figures_are_those_of_the_data_api_on_that_day(browser: TestClient, stage: Stage) -> None:
    atom = "{http://www.w3.org/2005/Atom}"
    feed = ET.fromstring(browser.get("/feeds/apps.atom").content)
    checked = 0
    for entry in feed.iter(f"{atom}entry"):
        summary = entry.findtext(f"{atom}summary") or ""
        said = re.search(r"is #(\d+) of the seven days to (\S+), with (\S+) tokens \(([\d,]+)\)", summary)
        assert said is not None, summary
        rank, last, short, whole = said.groups()
        start = date.fromisoformat(last) - timedelta(days=6)
        told = stage.rig.get("/datasets/app-rankings", start_date=str(start), end_date=last)["data"]
        link = entry.find(f"{atom}link")
        assert link is not None
        number = int(link.attrib["href"].rpartition("/")[2])
        (row,) = (row for row in told if row["app_id"] == number)
        tokens = int(row["total_tokens"])
        assert (row["rank"], exact(tokens), compact(tokens)) == (int(rank), whole, short)
        assert row["app_name"] in (entry.findtext(f"{atom}title") or "")
        checked += 1
    assert checked >= 2


@pytest.mark.parametrize("period", COMPLETED)
def test_a_badge_says_the_rank_and_tokens_of_the_data_api(browser: TestClient, stage: Stage, period: Period) -> None:
    for url in (STEADY, CREATIVE):
        number = stage.id_of(url)
        told = stage.rig.get(f"/apps/{number}")["data"][period]
        expected = f"#{told['rank']} · {compact(int(told['total_tokens']))}/{period}"
        assert expected == browser.get(f"/badge/apps/{number}.json?period={period}").json()["message"]
        assert expected in browser.get(f"/badge/apps/{number}.svg?period={period}").text


@pytest.mark.parametrize("period", COMPLETED)
def test_share_images_say_the_figures_of_the_data_api(stage: Stage, period: Period) -> None:
    services, query = stage.services(), (("period", period.value),)
    number = stage.id_of(STEADY)
    told = stage.rig.get(f"/apps/{number}")["data"][period]
    window = {name: told[name] for name in ("start_date", "end_date")}
    said = set(app_picture(services, PageRequest("/", {"app_id": str(number)}, query)).texts)
    figures = {f"#{told['rank']}", f"of {told['listed']} apps", compact(int(told["total_tokens"]))}
    assert figures | {compact(told["total_requests"]), TITLES[STEADY]} <= said

    rows = stage.rig.get("/datasets/app-rankings", **window, limit=5)["data"]
    said = set(ranking_picture(services, PageRequest("/", {}, query)).texts)
    for row in rows:
        assert {str(row["rank"]), row["app_name"], compact(int(row["total_tokens"]))} <= said

    apps = stage.rig.get(f"/models/{MODELS[0]}/apps", **window)
    all_tokens = int(apps["meta"]["totals"]["all"]["total_tokens"])
    totals = stage.rig.get("/datasets/app-rankings", **window, include="totals")["meta"]["totals"]
    everything = totals["all"]["total_tokens"]
    said = set(model_picture(services, PageRequest("/", {"model": MODELS[0]}, query)).texts)
    assert {
        MODELS[0],
        compact(all_tokens),
        percent(all_tokens / int(everything)),
        compact(apps["meta"]["listed"]),
    } <= said
