"""The docs: the try-it form tells what the rules make of headers, and snippets are whole programs."""

import ast
import json
import shlex
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.web.stage import ALIAS, BASE_URL, CREATIVE, GONE, HIDDEN, STEADY, TITLES, Stage
from tokenboard.attribution import CATEGORIES, Reason
from tokenboard.web.pages.docs import BUILT_IN_MODEL
from tokenboard.web.snippets import Snippet, snippets

NASTY = "https://board.example/\"quoted\"/$(x)/'a'/\\b"


def trial(browser: TestClient, **query: str) -> dict[str, Any]:
    return dict(browser.get("/docs/attribution.json", params=query).json()["data"]["trial"])


def test_the_docs_say_how_to_cite_the_board_and_where_its_files_are(browser: TestClient) -> None:
    page = browser.get("/docs")
    document = browser.get("/docs.json").json()
    assert 200 == page.status_code
    assert document["data"]["citation"] in page.text
    assert document["data"]["citation"].startswith(f"Test board: app rankings, 2026-03-16 to 2026-04-14, {BASE_URL}/")
    for address in document["data"]["addresses"].values():
        assert address.startswith(BASE_URL)
    assert 'href="/docs/api"' in page.text


def test_the_files_that_the_docs_name_are_there(browser: TestClient) -> None:
    addresses = browser.get("/docs.json").json()["data"]["addresses"]
    of_the_api = addresses.pop("openapi")
    assert f"{BASE_URL}/api/v1/openapi.json" == of_the_api
    for address in addresses.values():
        assert 200 == browser.get(address.removeprefix(BASE_URL)).status_code


def test_every_category_and_every_reason_is_on_the_page(browser: TestClient) -> None:
    text = browser.get("/docs/attribution").text
    for code in (*CATEGORIES, *Reason):
        assert f"<code>{code}</code>" in text


def test_a_trial_tells_the_canonical_url_name_categories_and_warnings(browser: TestClient) -> None:
    query = {
        "url": "http://www.github.com/Acme/Tool.git?x#y",
        "title": "My App",
        "categories": "cli-agent, Foo,cli-agent",
    }
    told = trial(browser, **query)
    assert {"url": "https://github.com/acme/tool", "name": "My App"} == told["app"]
    assert (True, None, None) == (told["tracked"], told["reason"], told["listed"])
    ignored = [{"value": "Foo", "reason": "unrecognized"}, {"value": "cli-agent", "reason": "duplicate"}]
    assert {"accepted": ["cli-agent"], "ignored": ignored} == told["categories"]
    assert ["generic_title"] == [warning["code"] for warning in told["warnings"]]
    text = browser.get("/docs/attribution", params=query).text
    assert '<code dir="ltr">https://github.com/acme/tool</code>' in text
    assert told["warnings"][0]["message"].replace("'", "&#39;") in text


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"title": "Only a title"}, "missing_referer"),
        ({"url": "http://localhost:3000"}, "localhost_without_title"),
        ({"url": "<YOUR_SITE_URL>"}, "placeholder_referer"),
        ({"url": "myapp"}, "invalid_referer"),
        ({"url": "https://a.example/" + "x" * 600}, "referer_too_long"),
    ],
)
def test_a_trial_that_counts_for_no_app_says_why_and_how_to_mend_it(
    browser: TestClient, query: dict[str, str], reason: str
) -> None:
    told = trial(browser, **query)
    assert (False, reason, None) == (told["tracked"], told["reason"], told["app"])
    assert told["remedy"]
    text = browser.get("/docs/attribution", params=query).text
    assert f"(<code>{reason}</code>): {told['remedy']}." in text.replace("&#39;", "'")


def test_a_trial_knows_the_listed_app_also_by_its_alias_but_not_a_hidden_one(browser: TestClient, stage: Stage) -> None:
    assert {"app_id": stage.id_of(STEADY), "name": TITLES[STEADY]} == trial(browser, url=f"{STEADY}/?x=1")["listed"]
    assert {"app_id": stage.id_of(CREATIVE), "name": TITLES[CREATIVE]} == trial(browser, url=ALIAS)["listed"]
    assert trial(browser, url=HIDDEN)["listed"] is None
    text = browser.get("/docs/attribution", params={"url": ALIAS}).text
    assert GONE[-1] not in text


def test_what_is_tried_stays_text_and_is_not_indexed(browser: TestClient) -> None:
    query = dict.fromkeys(("url", "title", "categories"), '"><script>alert(1)</script>')
    text = browser.get("/docs/attribution", params=query).text
    assert "<script>alert" not in text
    assert '<meta name="robots" content="noindex">' in text
    assert "noindex" not in browser.get("/docs/attribution").text


def test_a_trial_that_is_too_long_is_refused_by_its_name(browser: TestClient) -> None:
    answer = browser.get("/docs/attribution.json", params={"title": "x" * 1_001})
    assert (400, "title") == (answer.status_code, answer.json()["error"]["metadata"]["parameter"])


def test_the_snippets_on_the_page_are_those_of_its_twin(browser: TestClient) -> None:
    twin = browser.get("/docs/attribution.json").json()["data"]["snippets"]
    assert [(each.name, each.code) for each in snippets(BASE_URL, BUILT_IN_MODEL)] == [
        (each["name"], each["code"]) for each in twin
    ]
    text = browser.get("/docs/attribution").text
    for name in (
        "curl",
        "OpenAI SDK, Python",
        "OpenAI SDK, TypeScript",
        "OpenRouter SDK, Python",
        "LangChain",
        "LiteLLM",
    ):
        assert f">{name}</h3>" in text
    assert f"{BASE_URL}/api/v1" in text


@pytest.mark.parametrize("base_url", [BASE_URL, NASTY])
@pytest.mark.parametrize("model", ["tokenboard/echo", "a\"b'c$(d)`e\\f"])
def test_every_snippet_is_well_formed_whatever_it_is_filled_with(base_url: str, model: str) -> None:
    for each in snippets(base_url, model):
        assert f"@{each.name}@" not in each.code
        match each.language:
            case "python":
                assert {f"{base_url}/api/v1", "https://nightowl.example"} <= literals(each)
            case "sh":
                words = shlex.split(each.code.replace("\\\n", " "))
                assert ["curl", "-s", f"{base_url}/api/v1/chat/completions"] == words[:3]
                assert model == json.loads(words[words.index("-d") + 1])["model"]
            case _:
                assert "typescript" == each.language
                assert json.dumps(f"{base_url}/api/v1") in each.code


def literals(snippet: Snippet) -> set[str]:
    tree = ast.parse(snippet.code)
    compile(tree, snippet.name, "exec")
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
