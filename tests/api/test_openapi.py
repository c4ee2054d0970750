"""The OpenAPI document: complete, and compatible with what OpenRouter publishes, as its SDK shows."""

import json
import re
import typing
from pathlib import Path
from typing import Any

import httpx
import pytest
from openrouter import components, operations
from openrouter.components import AppRankingsResponse, RankingsDailyResponse

from tests.board import BoardProcess
from tokenboard.gateway.endpoints import ENDPOINTS
from tokenboard.gateway.model_filters import HONOURED
from tokenboard.gateway.models import PATHS

PUBLISHED = {
    "/datasets/app-rankings": (operations.GetAppRankingsRequest, "getAppRankings", AppRankingsResponse),
    "/datasets/rankings-daily": (operations.GetRankingsDailyRequest, "getRankingsDaily", RankingsDailyResponse),
}

# The document's parameters are the reference service's, where every model has an author.
WITHOUT_AUTHOR = ("/models/{slug}", "/models/{slug}/endpoints", "/model/{slug}")


@pytest.fixture(scope="session")
def document(board: BoardProcess) -> dict[str, Any]:
    answer = httpx.get(f"{board.url}/api/v1/openapi.json")
    assert (200, "application/json") == (answer.status_code, answer.headers["content-type"])
    return dict(answer.json())


def test_the_document_is_openapi_3_1_and_needs_no_key(document: dict[str, Any]) -> None:
    assert "3.1.0" == document["openapi"]
    assert [{"url": "/api/v1"}] == document["servers"]
    assert {"type": "http", "scheme": "bearer"}.items() <= document["components"]["securitySchemes"]["apiKey"].items()


@pytest.mark.parametrize("path", PUBLISHED)
def test_what_openrouter_publishes_has_its_names(document: dict[str, Any], path: str) -> None:
    request, operation_id, response = PUBLISHED[path]
    operation = document["paths"][path]["get"]
    assert operation_id == operation["operationId"]
    assert ["Datasets"] == operation["tags"]
    ours = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
    theirs = {
        name
        for name, field in request.model_fields.items()
        if any(getattr(each, "query", 0) for each in field.metadata)
    }
    # Their filters by category and language need what is in a prompt: they are refused.
    refused = {"category", "language_type"} if "daily" in path else set()
    assert theirs - refused == ours & theirs
    assert ours - theirs <= {"include", "format"}
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert response.__name__ == schema["$ref"].rpartition("/")[2]


@pytest.mark.parametrize(
    "model",
    ["AppRankingsItem", "AppRankingsResponse", "RankingsDailyItem", "RankingsDailyMeta", "RankingsDailyResponse"],
)
def test_published_schemas_have_their_fields_and_types(document: dict[str, Any], model: str) -> None:
    ours = document["components"]["schemas"][model]
    fields = {field.alias or name: field.annotation for name, field in getattr(components, model).model_fields.items()}
    assert set(fields) == set(ours["required"])
    types: dict[Any, str] = {int: "integer", str: "string"}
    for name, annotation in fields.items():
        if annotation in types:
            assert types[annotation] == ours["properties"][name]["type"], name


def test_the_choices_of_parameters_are_the_published_ones(document: dict[str, Any]) -> None:
    parameters = {
        each["name"]: each["schema"] for each in document["paths"]["/datasets/app-rankings"]["get"]["parameters"]
    }
    for name, theirs in (
        ("category", operations.GetAppRankingsCategory),
        ("subcategory", operations.Subcategory),
        ("sort", operations.GetAppRankingsSort),
    ):
        literal = typing.get_args(theirs)[0]
        assert set(typing.get_args(literal)) == set(parameters[name]["enum"])
    daily = {
        each["name"]: each["schema"] for each in document["paths"]["/datasets/rankings-daily"]["get"]["parameters"]
    }
    assert set(typing.get_args(typing.get_args(operations.Period)[0])) == set(daily["period"]["enum"])
    buckets = typing.get_args(typing.get_args(operations.ContextBucket)[0])
    assert set(buckets) == set(daily["context_bucket"]["enum"])
    modalities = set(typing.get_args(typing.get_args(operations.Modality)[0]))
    assert modalities - {"image", "image_output", "audio"} == set(daily["modality"]["enum"])


def test_every_route_of_the_docs_is_in_the_document_and_no_other(document: dict[str, Any]) -> None:
    served = {("post", endpoint.path) for endpoint in ENDPOINTS}
    served |= {("get", path) for path in PATHS} - {("get", path) for path in WITHOUT_AUTHOR}
    described = {(method, path) for path, item in document["paths"].items() for method in item if method != "servers"}
    assert served <= described
    table = (Path(__file__).parent.parent.parent / "docs/api.md").read_text("utf-8").split("\n## ", 1)[0]
    rows = re.findall(r"^\|(.+?)\|", table, re.MULTILINE)
    routes = [route.split() for row in rows for route in re.findall(r"`([^`]+)`", row)]
    named = {(method.lower(), path.removeprefix("/api/v1")) for method, path in routes if not path.startswith("/v1/")}
    beside = {("get", path) for path in WITHOUT_AUTHOR} | {
        ("get", "/models/{slug}/apps"),
        ("get", "/openapi.json"),
        ("get", "/docs/api/try"),
    }
    assert named - beside == described - beside


def test_the_filters_of_models_are_those_that_the_gateway_honours(document: dict[str, Any]) -> None:
    of_list, of_count = (
        {each["name"] for each in document["paths"][path]["get"]["parameters"]} for path in ("/models", "/models/count")
    )
    assert {*HONOURED, "offset", "limit"} == of_list
    assert set(HONOURED) - {"sort"} == of_count


def test_every_operation_tells_its_errors_in_the_one_shape(document: dict[str, Any]) -> None:
    ids = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method == "servers":
                continue
            ids.append(operation["operationId"])
            responses = operation["responses"]
            assert "422" not in responses
            if path not in {"/healthz", "/readyz", "/readyz/gateway"}:
                assert {"401", "403"} <= responses.keys(), path
            for status, answer in responses.items():
                if status >= "400" and path not in {"/healthz", "/readyz", "/readyz/gateway"}:
                    name = "MessagesError" if path.startswith("/messages") else "Error"
                    assert {"$ref": f"#/components/schemas/{name}"} == answer["content"]["application/json"]["schema"]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    names = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert names <= document["components"]["schemas"].keys()


def test_the_page_is_whole_without_any_other_host(board: BoardProcess) -> None:
    with httpx.Client(base_url=board.url) as client:
        page = client.get("/docs/api/try")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "://" not in page.text
        for name, media_type in (
            ("swagger-ui-bundle.js", "javascript"),
            ("swagger-ui.css", "css"),
            ("start.js", "javascript"),
        ):
            assert f'"/docs/api/try/assets/{name}"' in page.text
            packed = client.get(f"/docs/api/try/assets/{name}")
            plain = client.get(f"/docs/api/try/assets/{name}", headers={"Accept-Encoding": "identity"})
            assert media_type in packed.headers["content-type"]
            assert packed.content == plain.content
        assert 404 == client.get("/docs/api/try/assets/..%2fcore.py").status_code
