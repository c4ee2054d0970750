"""Who may do what: one row for each route there is, asked without a key, with a wrong one, and with each scope."""

import re
from collections.abc import Iterator
from unittest.mock import MagicMock

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from tests.board import BoardProcess
from tokenboard.api import create_api
from tokenboard.gateway.endpoints import ENDPOINTS
from tokenboard.gateway.gateway import BASES
from tokenboard.gateway.models import PATHS
from tokenboard.keys import Scope

PUBLIC, ANY, INTERNAL = "public", "any", "internal"
NOBODY, WRONG, REVOKED = "without a key", "with a wrong key", "with a revoked key"

TABLE = """
public    GET     /healthz
public    GET     /readyz
public    GET     /readyz/gateway
public    GET     /api/v1/openapi.json
public    GET     /docs/api/try
public    GET     /docs/api/try/assets/{name}
internal  POST    /internal/audit
internal  POST    /internal/nudge
internal  GET     /internal/counters
internal  POST    /internal/rebuild
internal  POST    /internal/usage
gateway   POST    /internal/v1/snapshot
gateway   GET     /internal/v1/journals/{journal}
gateway   POST    /internal/v1/shipments
any       GET     /api/v1/attribution
ingest    POST    /api/v1/usage
data      GET     /api/v1/datasets/app-rankings
data      GET     /api/v1/datasets/rankings-daily
data      GET     /api/v1/apps
data      GET     /api/v1/apps/lookup
data      GET     /api/v1/apps/{app_id}
data      GET     /api/v1/apps/{app_id}/usage
data      GET     /api/v1/models/{author}/{slug}/apps
data      GET     /api/v1/models/{slug}/apps
inference GET     /api/v1/key
inference GET     /v1/key
inference GET     /api/v1/generation
inference GET     /v1/generation
inference GET     /api/v1/models
inference GET     /v1/models
inference GET     /api/v1/models/count
inference GET     /v1/models/count
inference GET     /api/v1/models/user
inference GET     /v1/models/user
inference GET     /api/v1/models/{author}/{slug}
inference GET     /v1/models/{author}/{slug}
inference GET     /api/v1/models/{author}/{slug}/endpoints
inference GET     /v1/models/{author}/{slug}/endpoints
inference GET     /api/v1/models/{slug}
inference GET     /v1/models/{slug}
inference GET     /api/v1/models/{slug}/endpoints
inference GET     /v1/models/{slug}/endpoints
inference GET     /api/v1/model/{author}/{slug}
inference GET     /v1/model/{author}/{slug}
inference GET     /api/v1/model/{slug}
inference GET     /v1/model/{slug}
inference GET     /api/v1/embeddings/models
inference GET     /v1/embeddings/models
inference GET     /api/v1/providers
inference GET     /v1/providers
inference GET     /api/v1/credits
inference GET     /v1/credits
inference POST    /api/v1/messages/count_tokens
inference POST    /v1/messages/count_tokens
inference POST    /api/v1/chat/completions
inference POST    /v1/chat/completions
inference POST    /api/v1/completions
inference POST    /v1/completions
inference POST    /api/v1/embeddings
inference POST    /v1/embeddings
inference POST    /api/v1/responses
inference POST    /v1/responses
inference POST    /api/v1/messages
inference POST    /v1/messages
admin     GET     /api/v1/admin/apps
admin     GET     /api/v1/admin/apps/lookup
admin     GET     /api/v1/admin/apps/{app_id}
admin     GET     /api/v1/admin/apps/{app_id}/aliases
admin     PUT     /api/v1/admin/apps/{app_id}/name
admin     DELETE  /api/v1/admin/apps/{app_id}/name
admin     PUT     /api/v1/admin/apps/{app_id}/visibility
admin     PUT     /api/v1/admin/apps/{app_id}/categories
admin     DELETE  /api/v1/admin/apps/{app_id}/categories
admin     PUT     /api/v1/admin/apps/{app_id}/canonical
admin     DELETE  /api/v1/admin/apps/{app_id}/canonical
admin     GET     /api/v1/admin/folds
admin     PUT     /api/v1/admin/folds
admin     DELETE  /api/v1/admin/folds
admin     GET     /api/v1/admin/log
admin     GET     /api/v1/admin/log/{entry_id}
admin     POST    /api/v1/admin/log/{entry_id}/undo
admin     GET     /api/v1/admin/keys
admin     POST    /api/v1/admin/keys
admin     GET     /api/v1/admin/keys/{key_id}
admin     POST    /api/v1/admin/keys/{key_id}/rotate
admin     DELETE  /api/v1/admin/keys/{key_id}
admin     GET     /api/v1/admin/counters
admin     GET     /api/v1/admin/gateways
"""
ROWS = [tuple(line.split()) for line in TABLE.strip().splitlines()]


def routes() -> Iterator[tuple[str, str]]:
    """Every method and path that the board answers."""
    for base in BASES:
        yield from (("POST", base + endpoint.path) for endpoint in ENDPOINTS)
        yield from (("GET", base + path) for path in PATHS)
    for route in iter_route_contexts(create_api(MagicMock()).routes):
        for method in route.methods or ():
            yield method, str(route.path_format or route.path)


@pytest.fixture(scope="module")
def keys(board: BoardProcess, key: str) -> dict[str, str]:
    """One key for each scope, with no other; and one of every scope that is revoked."""
    made = {}
    with httpx.Client(base_url=board.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        for scope in Scope:
            answer = client.post("/api/v1/admin/keys", json={"label": f"only {scope}", "scopes": [scope]})
            made[str(scope)] = answer.json()["data"]["key"]
        gone = client.post("/api/v1/admin/keys", json={"label": "gone", "scopes": list(Scope)}).json()["data"]
        client.delete(f"/api/v1/admin/keys/{gone['id']}")
        made[REVOKED] = gone["key"]
    return made


def test_every_route_has_its_row_and_every_row_its_route() -> None:
    served = sorted(route for route in routes() if route[0] not in {"HEAD", "OPTIONS"})
    assert served == sorted((method, path) for _, method, path in ROWS)


def test_the_openapi_document_names_the_scope_of_every_route(board: BoardProcess) -> None:
    document = httpx.get(f"{board.url}/api/v1/openapi.json", timeout=30).json()
    named = {}
    for path, item in document["paths"].items():
        for method in item.keys() - {"servers"}:
            base = item.get("servers", document["servers"])[0]["url"].rstrip("/")
            security = item[method].get("security", document["security"])
            scopes = [scope for each in security for scope in each["apiKey"]]
            named[method.upper(), base + path] = "".join(scopes) or (ANY if security else PUBLIC)
    rows = {(method, path): scope for scope, method, path in ROWS if scope != INTERNAL}
    assert named == {route: scope for route, scope in rows.items() if route in named}
    # What else there is answers below /v1 what it answers below /api/v1 too, or is about the API itself.
    assert {path for method, path in rows.keys() - named.keys() if not path.startswith("/v1/")} == {
        "/api/v1/model/{slug}",
        "/api/v1/models/{slug}",
        "/api/v1/models/{slug}/apps",
        "/api/v1/models/{slug}/endpoints",
        "/api/v1/openapi.json",
        "/docs/api/try",
        "/internal/v1/journals/{journal}",
        "/internal/v1/shipments",
        "/internal/v1/snapshot",
        "/docs/api/try/assets/{name}",
    }


@pytest.fixture(scope="module")
def stranger(board: BoardProcess) -> Iterator[httpx.Client]:
    """A client that sends no key of its own."""
    with httpx.Client(base_url=board.url, headers={"Content-Type": "application/json"}, timeout=30) as client:
        yield client


@pytest.mark.parametrize(("scope", "method", "path"), ROWS, ids=[f"{row[1]} {row[2]}" for row in ROWS])
def test_a_route_answers_those_it_is_for_and_nobody_else(
    scope: str, method: str, path: str, stranger: httpx.Client, keys: dict[str, str]
) -> None:
    # Nothing has this id, and neither parameters nor body are right: whoever is let in is told so, and changes nothing;
    # whoever is not learns no more than that.
    url = re.sub(r"\{\w+\}", "999999999", path) + "?limit=none&sort=none"
    content = None if method == "GET" else b"{"
    statuses = {}
    for holder, secret in {NOBODY: "", WRONG: "tb-wrong", **keys}.items():
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        answer = stranger.request(method, url, headers=headers, content=content)
        statuses[holder] = answer.status_code
        if answer.status_code == 403:
            assert {"required_scope": scope} == answer.json()["error"]["metadata"]

    if scope == INTERNAL:
        assert {404} == set(statuses.values())
        return
    unknown = {NOBODY, WRONG, REVOKED}
    allowed = {PUBLIC: set(statuses), ANY: statuses.keys() - unknown}.get(scope, {scope})
    expected = {holder: 401 if holder in unknown else 403 for holder in statuses if holder not in allowed}
    assert expected == {holder: status for holder, status in statuses.items() if status in {401, 403}}
    assert all(statuses[holder] < 500 for holder in allowed)
