import csv
import io
import re
from typing import Any
from urllib.parse import urlencode

import duckdb
import pytest

from tests.analytics.rig import TODAY, days_before
from tests.web.rig import ALIAS, BASE, CLINE, HIDDEN, HOSTILE, NIGHT, PRIVATE, UNSEEN, SmallBoard
from tokenboard.web.text import is_web

MONTH = {"start_date": str(days_before(30)), "end_date": str(days_before(1))}
CHARTS = ("models", "tokens", "kinds", "hours", "means", "ranks")


def app(small: SmallBoard, url: str = CLINE, rest: str = "") -> str:
    return f"/apps/{small.ids[url]}{rest}"


def shown(html: str) -> set[int]:
    """Return the exact figures that a page has behind its short ones."""
    return {int(value) for value in re.findall(r'<data value="(\d+)"', html)}


# --- one app --------------------------------------------------------------------------------------------------------


def test_an_app_is_told_with_its_link_its_categories_and_since_when(small: SmallBoard) -> None:
    html = small.html(app(small))
    assert '<a href="https://cline.bot" rel="nofollow noopener" dir="ltr">cline.bot</a>' in html
    assert "CLI agent" in html
    assert "<title>Cline · Test board</title>" in html
    assert f'<meta property="og:image" content="{BASE}/share/apps/{small.ids[CLINE]}.png">' in html


def test_only_a_web_address_becomes_a_link() -> None:
    assert [is_web(url) for url in (CLINE, "http://a.example")] == [True, True]
    assert [is_web(url) for url in ("javascript:alert(1)", "data:text/html,x", "vscode://a", "//a.example", "a")] == [
        False
    ] * 5


def test_the_figures_of_an_apps_page_are_those_of_the_data_api(small: SmallBoard) -> None:
    number = small.ids[CLINE]
    told = small.rig.get(f"/apps/{number}")["data"]
    twin = small.twin(f"/apps/{number}.json")["data"]
    for name in ("app_id", "name", "url", "categories", "first_seen", "last_seen", "day", "week", "month"):
        assert told[name] == twin[name], name
    usage = small.rig.get(f"/apps/{number}/usage", models=12, **MONTH)
    for name, value in twin["total"].items():
        assert usage["meta"]["total"][name] == value, name
    days = {day: index for index, day in enumerate(twin["daily"]["days"])}
    sums = {name: [0] * len(days) for name in ("prompt_tokens", "completion_tokens", "cached_tokens")}
    for row in usage["data"]:
        for name, values in sums.items():
            values[days[row["date"]]] += int(row[name])
    for name, values in sums.items():
        assert [str(value) for value in values] == twin["daily"][name], name
    html = small.html(app(small))
    expected = {int(told[period]["total_tokens"]) for period in ("day", "week", "month")}
    assert expected | {int(twin["total"]["total_tokens"])} <= shown(html)


def test_models_add_up_to_the_total_on_every_day(small: SmallBoard) -> None:
    for query in ("", "?period=week", "?period=day", f"?start_date={days_before(80)}&end_date={days_before(1)}"):
        data = small.twin(app(small, rest=f".json{query}"))["data"]
        daily = data["daily"]
        models = [[int(value) for value in one["total_tokens"]] for one in daily["models"]]
        assert 9 >= len(models)
        both = zip(map(int, daily["prompt_tokens"]), map(int, daily["completion_tokens"]), strict=True)
        assert [sum(day) for day in zip(*models, strict=True)] == [sum(pair) for pair in both]
        assert sum(int(one["total_tokens"]) for one in data["models"]) == int(data["total"]["total_tokens"])
        assert len(daily["days"]) == len(daily["rank"])


def test_a_day_alone_is_drawn_with_the_week_it_ends(small: SmallBoard) -> None:
    twin = small.twin(app(small, rest=".json?period=day"))
    assert (str(days_before(1)),) * 2 == (twin["meta"]["start_date"], twin["meta"]["end_date"])
    assert [str(days_before(back)) for back in range(7, 0, -1)] == twin["data"]["daily"]["days"]


def test_the_table_of_an_app_is_the_same_in_every_form(small: SmallBoard) -> None:
    rows = list(csv.DictReader(io.StringIO(small.web.get(app(small, rest=".csv")).text)))
    usage = small.rig.get(f"/apps/{small.ids[CLINE]}/usage", models=12, **MONTH)["data"]
    assert [(row["date"], row["model"] or "", row["total_tokens"]) for row in usage if row["model"]] == [
        (row["date"], row["model"], row["total_tokens"]) for row in rows if row["model"]
    ]
    assert {"2026-04-15T09:00:00Z"} == {row["as_of"] for row in rows}


def test_parquet_holds_what_csv_holds(small: SmallBoard, tmp_path: Any) -> None:
    for path in ("/index", "/apps", app(small)):
        file = tmp_path / "t.parquet"
        file.write_bytes(small.web.get(f"{path}.parquet").content)
        rows = list(csv.DictReader(io.StringIO(small.web.get(f"{path}.csv").text)))
        query = f"SELECT total_tokens::VARCHAR, total_requests::VARCHAR FROM '{file}'"
        expected = [(row["total_tokens"], row["total_requests"]) for row in rows]
        assert duckdb.execute(query).fetchall() == expected, path


def test_an_alias_leads_to_its_app_in_the_same_form_with_the_same_parameters(small: SmallBoard) -> None:
    alias, cline = small.ids[ALIAS], small.ids[CLINE]
    for path in (
        "/apps/{}",
        "/apps/{}.json",
        "/apps/{}.csv?period=day",
        "/charts/apps/{}/models.svg?size=phone",
        "/share/apps/{}.png",
        "/badge/apps/{}.json?period=day",
    ):
        answer = small.web.get(path.format(alias))
        assert (301, path.format(cline)) == (answer.status_code, answer.headers["location"])


def test_hidden_private_and_unknown_apps_are_one_and_the_same_answer(small: SmallBoard) -> None:
    for path in ("/apps/{}", "/apps/{}.json", "/charts/apps/{}/ranks.svg", "/share/apps/{}.png", "/badge/apps/{}.svg"):
        answers = set()
        for number in (small.ids[HIDDEN], small.ids[PRIVATE], 4711, 10**17, "0", "x", "1e3", "²", "-1"):
            answer = small.web.get(path.format(number), headers={"Accept": "text/html"})
            answers.add((answer.status_code, answer.text))
        ((status, _),) = answers
        assert 404 == status


def test_an_app_without_use_in_the_window_says_so(small: SmallBoard) -> None:
    html = small.html(app(small, HOSTILE, f"?start_date={days_before(60)}&end_date={days_before(50)}"))
    assert "No tokens in this window" in html
    assert "/charts/" not in html


def test_a_name_is_text_wherever_it_stands(small: SmallBoard) -> None:
    number = small.ids[HOSTILE]
    for path in ("/", "/apps", f"/apps/{number}", "/apps?q=%3Cscript%3Ealert(1)%3C/script%3E", "/rankings"):
        html = small.html(path)
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)" in html, path
    assert b"<script" not in small.web.get(f"/charts/apps/{number}/models.svg").content


@pytest.mark.parametrize("query", ["", f"?start_date={days_before(104)}&end_date={TODAY}"])
def test_every_chart_of_an_app_is_on_its_page_with_its_table_and_can_be_had(small: SmallBoard, query: str) -> None:
    html = small.html(app(small, rest=query))
    tables = re.findall(r'<table class="numbers">.*?</table>', html, re.DOTALL)
    assert (len(CHARTS), len(CHARTS)) == (len(tables), html.count("<figcaption>"))
    for name in CHARTS:
        for href in re.findall(rf'(?:src|srcset)="(/charts/apps/\d+/{name}\.svg[^"]*)"', html):
            answer = small.web.get(href.replace("&amp;", "&"))
            assert (200, "image/svg+xml") == (answer.status_code, answer.headers["content-type"])
    assert len(html.encode()) < 60_000


def test_a_chart_has_a_size_that_is_known(small: SmallBoard) -> None:
    answer = small.web.get(f"/charts/apps/{small.ids[CLINE]}/models.svg?size=huge")
    assert (400, "size") == (answer.status_code, answer.json()["error"]["metadata"]["parameter"])


def test_a_citation_says_what_of_which_days_and_asks_for_the_same(small: SmallBoard) -> None:
    html = small.html(app(small, rest="?period=week"))
    week = small.rig.get(f"/apps/{small.ids[CLINE]}")["data"]["week"]
    assert f"Cline, Test board: rank 1 of 3 by tokens, {int(week['total_tokens']):,} tokens" in html
    assert f"/apps/{small.ids[CLINE]}?start_date={week['start_date']}&amp;end_date={week['end_date']}" in html
    assert f"[![Test board]({BASE}/badge/apps/{small.ids[CLINE]}.svg)]({BASE}/apps/{small.ids[CLINE]})" in html


# --- the marketplace and the start page -----------------------------------------------------------------------------


def test_the_figures_of_the_marketplace_are_those_of_the_data_api(small: SmallBoard) -> None:
    week = {"start_date": str(days_before(7)), "end_date": str(days_before(1))}
    for query in ({}, {"sort": "trending"}, {"sort": "name"}, {"sort": "newest"}, {"category": "coding"}):
        told = small.rig.get("/apps", **week, **query)["data"]
        address = urlencode(query)
        assert told == small.twin(f"/apps.json?{address}")["data"], query
        html = small.html(f"/apps?{address}")
        for row in told:
            assert f'href="/apps/{row["app_id"]}"' in html


def test_what_is_left_out_is_said(small: SmallBoard) -> None:
    meta = small.rig.get("/datasets/app-rankings", include="totals", start_date=str(days_before(7)))["meta"]
    totals = meta["totals"]
    for path in ("/index.json", "/apps.json"):
        meta = small.twin(path)["meta"]
        assert (totals["unlisted"]["total_tokens"], totals["unattributed"]["total_tokens"]) == (
            meta["unlisted_tokens"],
            meta["unattributed_tokens"],
        )
        assert {"as_of", "start_date", "end_date"} <= meta.keys()


def test_the_marketplace_is_searched_by_name_and_by_url(small: SmallBoard) -> None:
    for search, found in (
        ("CLINE", [CLINE]),
        ("nightshift.ex", [NIGHT]),
        ("🌙", [NIGHT]),
        ("hexagon", []),
        ("fig", []),
    ):
        data = small.twin(f"/apps.json?q={search}")["data"]
        assert [small.ids[url] for url in found] == [row["app_id"] for row in data], search
    html = small.html("/apps?q=nobody-has-this")
    assert ("noindex" in html, "No app has this in its name or URL" in html) == (True, True)


def test_a_url_searched_for_leads_to_its_app(small: SmallBoard) -> None:
    for search in ("https://CLINE.bot/", "http://www.cline.bot/", "former-home.example", ALIAS):
        answer = small.web.get("/apps", params={"q": search})
        if answer.status_code == 302:
            assert app(small) == answer.headers["location"]
        else:
            assert f'href="{app(small)}"' in answer.text


def test_any_url_of_an_app_leads_to_it(small: SmallBoard) -> None:
    for url in (CLINE, "cline.bot", "HTTPS://Cline.Bot:443/?utm=1#x", ALIAS):
        answer = small.web.get("/apps", params={"url": url})
        assert (302, app(small)) == (answer.status_code, answer.headers["location"]), url
    assert app(small, rest=".json") == small.web.get("/apps.json", params={"url": CLINE}).headers["location"]


def test_an_unknown_url_is_told_with_what_was_tried_why_not_and_what_to_do(small: SmallBoard) -> None:
    pages = []
    for host in ("nobody.example", "hidden-hexagon.example", "private-prism.example"):
        answer = small.web.get("/apps", params={"url": f"HTTPS://{host.upper()}/"})
        assert 404 == answer.status_code
        assert f'<code dir="ltr">https://{host}</code>' in answer.text
        assert "unknown_url" in answer.text
        assert 'href="/docs/attribution"' in answer.text
        pages.append(answer.text.replace(host, "HOST").replace(host.upper(), "HOST"))
    assert 1 == len(set(pages))
    answer = small.web.get("/apps", params={"url": "<img src=x>"})
    assert (404, False) == (answer.status_code, "<img src=x" in answer.text)
    problem = small.web.get("/apps.json", params={"url": "https://nobody.example"})
    assert (404, True) == (problem.status_code, "https://nobody.example" in problem.json()["error"]["message"])


def test_the_start_page_shows_the_top_of_both_rankings(small: SmallBoard) -> None:
    told = small.rig.get("/datasets/app-rankings", start_date=str(days_before(7)))["data"]
    data = small.twin("/index.json")["data"]
    assert [(row["app_id"], row["rank"], row["total_tokens"]) for row in told] == [
        (row["app_id"], row["rank"], row["total_tokens"]) for row in data["apps"]
    ]
    daily = small.rig.get("/datasets/rankings-daily", start_date=str(days_before(7)), period="month")["data"]
    tokens = {row["model_permaslug"]: row["total_tokens"] for row in daily}
    assert 7 == len(data["models"])
    for row in data["models"]:
        assert tokens[row["model"]] == row["total_tokens"]
    html = small.html("/")
    assert {int(row["total_tokens"]) for row in told if int(row["total_tokens"]) >= 1000} <= shown(html)
    assert "/docs/attribution" in html


@pytest.mark.parametrize(
    ("address", "parameter"),
    [
        ("/?period=year", "period"),
        ("/apps?sort=rank", "sort"),
        ("/apps?offset=-1", "offset"),
        ("/apps?category=games", "category"),
        (f"/apps?q={'x' * 201}", "q"),
        ("/apps?q=a&q=b", "q"),
        ("/apps/1?period=day&start_date=2026-04-01", "period"),
        ("/badge/apps/1.svg?style=plastic", "style"),
        ("/badge/apps/1.json?metric=cost", "metric"),
        ("/badge/apps/1.svg?category=games", "category"),
        ("/share/rankings.png?sort=rank", "sort"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(small: SmallBoard, address: str, parameter: str) -> None:
    answer = small.web.get(address)
    assert 400 == answer.status_code
    assert parameter in answer.text


# --- nothing that may not be shown ----------------------------------------------------------------------------------


def test_no_page_twin_or_drawing_names_what_may_not_be_shown(small: SmallBoard) -> None:
    pages = ["/", "/index.json", "/index.csv", "/rankings", "/rankings.json", "/share/rankings.png"]
    for rest in ("", "?sort=trending", "?sort=name", "?sort=newest", "?q=e", "?subcategory=game", "?period=month"):
        pages += [f"/apps{rest}", f"/apps.json{rest}", f"/apps.csv{rest}"]
    for url in (CLINE, NIGHT, HOSTILE):
        pages += [app(small, url), app(small, url, ".json"), app(small, url, ".csv")]
        pages += [f"/charts{app(small, url)}/{name}.svg" for name in CHARTS]
        pages += [f"/badge{app(small, url)}.svg", f"/badge{app(small, url)}.json"]
    for page in pages:
        answer = small.web.get(page)
        assert 200 == answer.status_code, page
        for name in UNSEEN:
            assert name.encode() not in answer.content, (page, name)
