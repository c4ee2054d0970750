"""The API's reference: nothing of the OpenAPI document is missing, and the examples are what it takes."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from jsonschema_rs import validator_for
from starlette.testclient import TestClient

from tests.web.rig import SmallBoard, api_document
from tests.web.stage import BASE_URL
from tokenboard.config import Settings
from tokenboard.web import create_web
from tokenboard.web.reference import Field, Operation, Reference, read_reference

ADDRESSES = ("/docs/api", "/docs/api/inference", "/docs/api/admin")
METHODS = ("get", "put", "post", "delete")
NASTY = "https://board.example/\"quoted\"/$(x)/'a'/\\b"


def described() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield method, whole path and content of every operation of the document."""
    document = api_document()
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, item.get("servers", document["servers"])[0]["url"].rstrip("/") + path, item[method]


def told(base_url: str = BASE_URL) -> dict[str, Operation]:
    reference = read_reference(api_document(), base_url, lambda tag, path: tag)
    return {each.name: each for group in reference.groups for each in group.operations}


def resolved(schema: Any) -> Any:
    """Return a schema as one that stands alone."""
    return {**schema, "components": api_document()["components"]}


def section(html: str, name: str) -> str:
    """Return what a page tells of one operation, as text with its markup."""
    (found,) = re.findall(rf'<section aria-labelledby="{name}">(.*?)</section>', html, re.DOTALL)
    return unescape(found)


def names_of(schema: Any, seen: frozenset[str] = frozenset()) -> set[str]:
    """Return the names of all members that a schema has, at any depth."""
    if isinstance(schema, list):
        return set().union(*(names_of(each, seen) for each in schema))
    if not isinstance(schema, Mapping):
        return set()
    found = set(schema.get("properties", ()))
    for key in ("properties", "items", "anyOf"):
        inner = schema.get(key, [])
        found |= names_of(list(inner.values()) if key == "properties" and inner else inner, seen)
    if "$ref" in schema and (name := schema["$ref"].rpartition("/")[2]) not in seen:
        found |= names_of(api_document()["components"]["schemas"][name], seen | {name})
    return found


def test_every_operation_is_told_on_one_page_with_all_its_parameters_and_errors(browser: TestClient) -> None:
    pages = [browser.get(address).text for address in ADDRESSES]
    seen = Counter(name for page in pages for name in re.findall(r'<section aria-labelledby="(\w+)"', page))
    assert Counter({given["operationId"]: 1 for _, _, given in described()}) == seen
    everywhere = {"414", "431"}
    for method, path, given in described():
        page = next(page for page in pages if f'"{given["operationId"]}"' in page)
        text = section(page, given["operationId"])
        assert f"<b>{method.upper()}</b> <code>{path}</code>" in text
        assert re.sub("`.*", "", given["summary"]) in text
        for parameter in given.get("parameters", ()):
            assert f"<li><code>{parameter['name']}</code> " in text
            for value in parameter["schema"].get("enum", ()):
                assert f"<code>{value}</code>" in text, parameter["name"]
        for status, answer in given["responses"].items():
            assert status in text or status in everywhere, (path, status)
            for form in answer.get("content", {}).keys() - {"application/json"}:
                assert f"<code>{form}</code>" in text


def test_every_member_of_every_body_and_answer_is_on_the_page(browser: TestClient) -> None:
    pages = [browser.get(address).text for address in ADDRESSES]
    for _, path, given in described():
        page = next(page for page in pages if f'"{given["operationId"]}"' in page)
        contents = [*given["responses"].values(), given.get("requestBody", {})]
        for content in contents:
            schema = content.get("content", {}).get("application/json", {}).get("schema", {})
            missing = [name for name in names_of(schema) if f"<li><code>{name}</code> " not in page]
            # The shape of errors is told once, for both pages.
            assert [] == [name for name in missing if not schema.get("$ref", "").endswith("/Error")], path


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_table_of_contents_leads_to_every_operation(browser: TestClient, address: str) -> None:
    page = browser.get(address).text
    ids = Counter(re.findall(r'\sid="([^"]+)"', page))
    assert {1} == set(ids.values())
    assert set(re.findall(r'href="#([^"]+)"', page)) <= ids.keys()
    contents = page.split('<nav aria-label="On this page">', 1)[1].split("</nav>", 1)[0]
    assert set(re.findall(r'<section aria-labelledby="(\w+)"', page)) <= set(re.findall(r'href="#([^"]+)"', contents))


def test_both_pages_lead_to_the_document_and_to_the_page_to_try_it(browser: TestClient) -> None:
    assert api_document() == browser.get("/docs/api.json").json()
    for address in ADDRESSES:
        page = browser.get(address).text
        assert 'href="/docs/api.json"' in page
        assert 'href="/docs/api/try"' in page
    assert 404 == browser.get("/docs/api.csv").status_code


def test_the_pages_are_light_whatever_the_board_is_called(small: SmallBoard) -> None:
    pages = small.pages(title="A board " * 10, base_url="https://" + "a" * 60 + ".example/" + "b" * 60)
    for address in ADDRESSES:
        assert len(pages.get(address).content) < 60_000


def test_the_limits_on_the_page_are_those_of_the_settings(browser: TestClient) -> None:
    limits = Settings().data_api
    text = browser.get("/docs/api").text
    assert f"{limits.requests_per_minute} questions a minute" in text
    assert f"{limits.requests_per_day} a UTC day" in text


@pytest.mark.parametrize("base_url", [BASE_URL, NASTY])
def test_every_example_asks_what_the_document_describes(base_url: str) -> None:
    operations = told(base_url)
    for method, path, given in described():
        words = shlex.split(operations[given["operationId"]].example.replace("\\\n", " "))
        assert ["curl", "-s"] == words[:2]
        (url,) = (word for word in words if word.startswith(base_url))
        parts = urlsplit(url.removeprefix(base_url))
        assert re.fullmatch(re.sub(r"\{\w+\}", "[^/{}]+", path), parts.path)
        sent = "post" if "-d" in words else "get"
        assert method == (words[words.index("-X") + 1].lower() if "-X" in words else sent)
        needs_key = given.get("security", True)
        assert bool(needs_key) == ("Authorization: Bearer $TOKENBOARD_KEY" in words)
        schemas = {each["name"]: each["schema"] for each in given.get("parameters", ()) if each["in"] == "query"}
        asked = dict(parse_qsl(parts.query))
        assert {each["name"] for each in given.get("parameters", ()) if each["required"]} <= asked.keys() | set(
            re.findall(r"\{(\w+)\}", path)
        )
        for name, value in asked.items():
            validator_for(resolved(schemas[name])).validate(value)
        if "requestBody" in given:
            body = json.loads(words[words.index("-d") + 1])
            validator_for(resolved(given["requestBody"]["content"]["application/json"]["schema"])).validate(body)


def document_of(schemas: Mapping[str, Any], answer: Any, summary: str = "Look") -> dict[str, Any]:
    """Return a document with one operation."""
    operation = {
        "operationId": "look",
        "summary": summary,
        "tags": ["Tag"],
        "responses": {"200": {"description": "It.", "content": {"application/json": {"schema": answer}}}},
    }
    return {
        "info": {"version": "0"},
        "servers": [{"url": "/api/v1"}],
        "security": [],
        "paths": {"/look": {"get": operation}},
        "components": {"schemas": {"Error": {"type": "object"}, "MessagesError": {"type": "object"}, **schemas}},
    }


def read(document: Mapping[str, Any]) -> tuple[Reference, Field]:
    reference = read_reference(document, BASE_URL, lambda tag, path: tag)
    field = reference.groups[0].operations[0].answers[0].field
    assert field is not None
    return reference, field


def test_a_schema_that_holds_itself_is_told_once() -> None:
    leads = {"$ref": "#/components/schemas/Node"}
    node = {"type": "object", "properties": {"next": {"anyOf": [leads, {"type": "null"}]}}}
    reference, field = read(document_of({"Node": node}, leads))
    assert ("Node", "Node") == (field.kind, field.place)
    (shared,) = reference.shared
    assert (Field("next", "Node or null", "Node", ("optional",)),) == shared.members


def test_what_a_schema_allows_is_told_in_words() -> None:
    properties = {
        "count": {"type": "integer", "minimum": 2, "maximum": 5, "default": 3},
        "text": {"type": ["string", "null"], "maxLength": 9, "description": "Of\n  ``two``\n lines."},
        "days": {"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 3, "maxItems": 3},
        "choice": {"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "null"}], "description": "One."},
        "version": {"type": "string", "const": "v1"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    }
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    _, field = read(document_of({}, schema))
    assert (
        Field("count", "integer", facts=("2–5", "default 3")),
        Field("text", "string or null", facts=("up to 9 characters",), description="Of `two` lines."),
        Field("days", "array of date", facts=("3 items",)),
        Field("choice", "string or null", allowed=("a", "b"), description="One."),
        Field("version", "string", facts=("always v1",)),
        Field("either", "integer or string"),
    ) == field.members


def test_what_the_document_says_stays_text(small: SmallBoard) -> None:
    mean = "<script>alert(1)</script> and `<b>code</b>`"
    schema = {"type": "object", "properties": {mean: {"type": "string", "description": mean, "enum": [mean]}}}
    document = document_of({}, schema, summary=mean)
    web = create_web(replace(small.services(), api_document=lambda: document))
    text = TestClient(web, base_url=BASE_URL).get("/docs/api").text
    assert "<script>alert" not in text
    assert "<code>&lt;b&gt;code&lt;/b&gt;</code>" in text
