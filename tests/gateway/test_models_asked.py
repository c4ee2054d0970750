"""Models, asked for one by one and in the ways of three APIs; whatever upstreams tell, strict clients can read it."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from anthropic.types import ModelInfo
from openai.types import Model
from openrouter.components import ListEndpointsResponse, ModelResponse, ModelsListResponse

from tests.gateway.rig import Stores, gateway, run
from tests.gateway.test_models import Lister, listing
from tests.gateway.upstream_server import upstream
from tokenboard.gateway import UpstreamDialect, UpstreamSpec

PLAIN = {"id": "small", "object": "model", "created": 1_700_000_000, "owned_by": "them"}
RICH = {
    "id": "large",
    "name": "Large",
    "created": 1_700_000_001,
    "context_length": 8_192,
    "pricing": {"prompt": "0.000001", "completion": "0.000002", "image": "0"},
    "architecture": {
        "modality": "text+image->text",
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
    },
    "supported_parameters": ["tools"],
    "top_provider": {"context_length": 8_192, "max_completion_tokens": 1_000, "is_moderated": True},
    "links": {"details": "/somewhere/else"},
}
# Each as some server really lists it, or nearly: the same names, meant otherwise.
ODD: list[dict[str, Any]] = [
    {"id": "odd/1", "created": "2024-01-01", "architecture": "llama", "pricing": {"hourly": 0, "input": 0.2}},
    {"id": "odd/2", "created": None, "name": 5, "context_length": "8k", "top_provider": "me", "links": []},
    {"id": "odd/3", "architecture": {"input_modalities": "text", "tokenizer": None}, "pricing": None},
    {"id": "odd/4", "pricing": {"prompt": 0.1, "completion": "x"}, "default_parameters": ["t"], "description": {}},
    {"id": "odd/5", "per_request_limits": {}, "supported_voices": "all", "supported_parameters": "tools"},
    {"id": "odd/6", "created": -5, "reasoning": True, "benchmarks": [], "object": "llm", "data": 5},
    {"id": "odd/7", "created": 1.5, "top_provider": {"is_moderated": "no", "context_length": "1"}},
]
EMBEDDERS = [{"id": "text-embedding-3-small"}, {"id": "bge-m3", "type": "embedding"}]
CLAUDE = {"type": "model", "id": "claude-x", "display_name": "Claude X", "created_at": "2025-05-22T00:00:00Z"} | {
    "max_input_tokens": 200_000,
    "max_tokens": 64_000,
}


class Asked:
    """A gateway's answers to GET."""

    def __init__(self, rig: Any) -> None:
        self._rig = rig

    async def __call__(self, path: str, status: int = 200, *, anthropic: bool = False) -> Any:
        headers = {"anthropic-version": "2023-06-01"} if anthropic else {}
        reply = await self._rig.ask(method="GET", path=path, headers=headers)
        assert status == reply.status, reply.body
        return json.loads(reply.body)


def listed(stores: Stores, folder: Path, entries: list[Any], check: Any, **spec: Any) -> None:
    async def main() -> None:
        async with upstream(Lister(listing(*entries))) as there:
            up = UpstreamSpec("up", f"{there.origin}/v1", **spec)
            async with gateway(stores, folder, [up]) as rig:
                await check(Asked(rig))

    run(main)


def test_a_model_is_found_at_each_address_by_the_clients_of_each_api(stores: Stores, tmp_path: Path) -> None:
    async def check(get: Asked) -> None:
        for base in ("/v1", "/api/v1"):
            for path in ("/models/large", "/model/large"):
                told = await get(base + path)
                Model.model_validate(told)
                found = ModelResponse.model_validate(told).data
                assert ("large", "Large", 8_192, "0.000001") == (
                    found.id,
                    found.name,
                    found.context_length,
                    found.pricing.prompt,
                )
                # Where it says its endpoints are, they are.
                endpoints = ListEndpointsResponse.model_validate((await get(found.links.details))["data"])
                assert [("up", 8_192, 1_000)] == [
                    (each.provider_name, each.context_length, each.max_completion_tokens)
                    for each in endpoints.endpoints
                ]
        assert "tokenboard/echo" == (await get("/v1/models/" + quote("tokenboard/echo", safe="")))["id"]
        for path in ("/v1/models/nobody", "/v1/models/a/b/endpoints", "/v1/models/", "/v1/models/endpoints"):
            error = (await get(path, 404))["error"]
            assert ("invalid_request_error", "model") == (error["type"], error["param"])

    listed(stores, tmp_path, [PLAIN, RICH], check)


def test_every_model_links_to_an_address_that_answers(stores: Stores, tmp_path: Path) -> None:
    async def check(get: Asked) -> None:
        for model in (await get("/v1/models"))["data"]:
            told = ListEndpointsResponse.model_validate((await get(model["links"]["details"]))["data"])
            assert 1 == len(told.endpoints)

    listed(stores, tmp_path, [PLAIN, RICH, *ODD, *EMBEDDERS], check)


def test_an_odd_entry_spoils_the_list_for_no_strict_client(stores: Stores, tmp_path: Path) -> None:
    async def check(get: Asked) -> None:
        told = await get("/v1/models")
        models = ModelsListResponse.model_validate_json(json.dumps(told)).data
        assert 1 + len(ODD) + 2 == len(models)
        for entry in told["data"]:
            Model.model_validate_json(json.dumps(entry))
            ModelInfo.model_validate_json(json.dumps(await get("/v1/models/" + entry["id"], anthropic=True)))

    listed(stores, tmp_path, [PLAIN, RICH, *ODD], check)


def test_what_an_upstream_tells_rightly_is_kept(stores: Stores, tmp_path: Path) -> None:
    async def check(get: Asked) -> None:
        (_, plain, rich) = (await get("/v1/models"))["data"]
        assert PLAIN.items() <= plain.items()
        assert {"prompt": "0", "completion": "0"} == plain["pricing"]
        assert {name: RICH[name] for name in RICH if name not in {"links", "architecture"}}.items() <= rich.items()
        architecture: Any = RICH["architecture"]
        assert architecture.items() <= rich["architecture"].items()

    listed(stores, tmp_path, [PLAIN, RICH], check)


def test_anthropics_clients_get_models_as_anthropic_lists_them(stores: Stores, tmp_path: Path) -> None:
    async def check(get: Asked) -> None:
        told = await get("/v1/models", anthropic=True)
        assert {"data", "has_more", "first_id", "last_id"} == told.keys()
        assert (False, "tokenboard/echo", "claude-x") == (told["has_more"], told["first_id"], told["last_id"])
        models = [ModelInfo.model_validate_json(json.dumps(entry)) for entry in told["data"]]
        echo, claude = models
        assert ("tokenboard: Echo", 1970) == (echo.display_name, echo.created_at.year)
        assert ("Claude X", 2025, 200_000, 64_000) == (
            claude.display_name,
            claude.created_at.year,
            claude.max_input_tokens,
            claude.max_tokens,
        )
        assert told["data"][1] == await get("/v1/models/claude-x", anthropic=True)
        missing = await get("/v1/models/nobody", 404, anthropic=True)
        assert ("error", "not_found_error") == (missing["type"], missing["error"]["type"])
        # And OpenAI's get the same ones as OpenAI lists them.
        assert ["model", "model"] == [entry["object"] for entry in (await get("/v1/models"))["data"]]

    listed(stores, tmp_path, [CLAUDE], check, dialect=UpstreamDialect.ANTHROPIC)


def test_an_anthropic_upstream_is_asked_for_more_models_than_its_first_page(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        lister = Lister(listing(CLAUDE))
        async with upstream(lister) as there:
            spec = UpstreamSpec("up", f"{there.origin}/v1", dialect=UpstreamDialect.ANTHROPIC)
            async with gateway(stores, tmp_path, [spec]) as rig:
                await rig.ask(method="GET", path="/v1/models")
        assert [b"GET /v1/models?limit=1000 HTTP/1.1"] == lister.asked

    run(main)


def test_anthropics_pages_lead_through_all_models_in_both_directions(stores: Stores, tmp_path: Path) -> None:
    names = ["tokenboard/echo", *(f"m{number}" for number in range(44))]

    async def check(get: Asked) -> None:
        found: list[str] = []
        query = "?"
        while True:
            page = await get(f"/v1/models{query}", anthropic=True)
            found += [entry["id"] for entry in page["data"]]
            if not page["has_more"]:
                break
            assert 20 == len(page["data"])
            query = f"?after_id={quote(page['last_id'], safe='')}"
        assert names == found
        back = await get("/v1/models?limit=2&before_id=m3", anthropic=True)
        assert (["m1", "m2"], True) == ([entry["id"] for entry in back["data"]], back["has_more"])
        first = await get("/v1/models?before_id=m0", anthropic=True)
        assert (["tokenboard/echo"], False) == ([entry["id"] for entry in first["data"]], first["has_more"])
        for wrong in (
            "limit=0",
            "limit=1001",
            "limit=x",
            "limit=%C2%B2",
            "after_id=nobody",
            "before_id=nobody",
            "&a=" * 200,
        ):
            error = await get(f"/v1/models?{wrong}", 400, anthropic=True)
            assert "invalid_request_error" == error["error"]["type"]

    listed(stores, tmp_path, [{"id": name} for name in names[1:]], check)


def test_a_part_of_the_list_is_told_by_offset_and_limit(stores: Stores, tmp_path: Path) -> None:
    async def check(get: Asked) -> None:
        for path in ("/v1/models", "/api/v1/models/user"):
            whole = (await get(path))["data"]
            part = await get(f"{path}?offset=1&limit=1")
            assert (whole[1:2], 3) == (part["data"], part["total_count"])
            assert [] == (await get(f"{path}?offset=3"))["data"]
            assert "limit" == (await get(f"{path}?limit=0", 400))["error"]["param"]
        assert {"data": {"count": 3}} == await get("/v1/models/count")

    listed(stores, tmp_path, [PLAIN, RICH], check)


def test_models_are_chosen_by_what_is_known_of_them(stores: Stores, tmp_path: Path) -> None:
    own = {"id": "acme/Tiny", "created": 1_800_000_000, "context_length": 100}

    async def check(get: Asked) -> None:
        for query, expected in (
            ("q=TINY", ["acme/Tiny"]),
            ("q=nobody", []),
            ("output_modalities=embeddings", ["tokenboard/echo", "text-embedding-3-small"]),
            ("output_modalities=image,text", ["tokenboard/echo", "small", "large", "acme/Tiny"]),
            ("output_modalities=all&limit=1&offset=1", ["small"]),
            ("input_modalities=image", ["large"]),
            ("supported_parameters=tools", ["large"]),
            ("supported_parameters=tools,seed", []),
            ("context=101", ["large"]),
            ("context=100&model_authors=ACME", ["acme/Tiny"]),
            ("model_authors=small", []),
            ("sort=newest&limit=3", ["acme/Tiny", "large", "small"]),
            ("sort=context-high-to-low&input_modalities=text&limit=2", ["large", "acme/Tiny"]),
        ):
            told = await get(f"/v1/models?{query}")
            assert expected == [entry["id"] for entry in told["data"]], query
            assert "limit" in query or len(expected) == told["total_count"]
        assert {"data": {"count": 2}} == await get("/v1/models/count?output_modalities=embeddings")

    listed(stores, tmp_path, [PLAIN, RICH, own, EMBEDDERS[0]], check)


def test_what_is_not_known_of_models_is_refused_with_why_and_never_ignored(stores: Stores, tmp_path: Path) -> None:
    async def check(get: Asked) -> None:
        for query, said in (
            ("category=programming", "never looks at"),
            ("category=", "never looks at"),
            ("min_price=1", "does not know it"),
            ("sort=top-weekly", "newest"),
            ("output_modalities=smell", "embeddings"),
            ("input_modalities=", "commas"),
            ("context=-1", "whole number"),
            ("q=", "characters"),
            ("limit=", "whole number"),
        ):
            error = (await get(f"/v1/models?{query}", 400))["error"]
            assert query.partition("=")[0] == error["param"]
            assert said in error["message"], query
        await get("/v1/models/count?output_modalities=smell", 400)
        # What is no parameter of these APIs has no meaning here.
        assert await get("/v1/models") == await get("/v1/models?x=1")

    listed(stores, tmp_path, [PLAIN], check)


def test_models_that_make_embeddings_are_told_apart(stores: Stores, tmp_path: Path) -> None:
    async def check(get: Asked) -> None:
        told = ModelsListResponse.model_validate(await get("/v1/embeddings/models"))
        assert ["tokenboard/echo", "text-embedding-3-small", "bge-m3"] == [model.id for model in told.data]

    listed(stores, tmp_path, [PLAIN, *EMBEDDERS, {"id": "embed-chat", "type": "chat"}], check)


def test_a_model_of_two_upstreams_has_two_endpoints_in_the_order_they_are_asked(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with upstream(Lister(listing(RICH))) as a, upstream(Lister(listing(RICH, PLAIN))) as b:
            specs = [UpstreamSpec("a", f"{a.origin}"), UpstreamSpec("b", f"{b.origin}")]
            async with gateway(stores, tmp_path, specs) as rig:
                get = Asked(rig)
                told = (await get("/v1/models/large/endpoints"))["data"]
                assert ["a", "b"] == [each["provider_name"] for each in told["endpoints"]]
                # A request for it would go to the first, which does not list it.
                await get("/v1/models/small/endpoints", 404)
                providers = (await get("/api/v1/providers"))["data"]
                assert ["tokenboard", "a", "b"] == [each["slug"] for each in providers]

    run(main)


@pytest.mark.parametrize("path", ["/v1/models/large", "/v1/providers", "/v1/models/large/endpoints"])
def test_these_addresses_take_get_and_a_key_alone(stores: Stores, tmp_path: Path, path: str) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            assert "GET, HEAD" == (await rig.ask({}, path=path)).header("allow")
            assert 401 == (await rig.ask(method="GET", path=path, key=None)).status
            assert 403 == (await rig.ask(method="GET", path=path, key=stores.secrets["data"])).status

    run(main)
