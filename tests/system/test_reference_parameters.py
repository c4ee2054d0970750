"""Every parameter that OpenRouter's SDK can send to a route of ours is honoured or refused; none is ignored."""

from typing import Any

import httpx
import pytest
from openrouter import operations

ROUTES: dict[str, Any] = {
    "/datasets/app-rankings": operations.GetAppRankingsRequest,
    "/datasets/rankings-daily": operations.GetRankingsDailyRequest,
    "/models": operations.GetModelsRequest,
    "/models/count": operations.ListModelsCountRequest,
    "/models/user": operations.ListModelsUserRequest,
    "/embeddings/models": operations.ListEmbeddingsModelsRequest,
    "/generation": operations.GetGenerationRequest,
    "/key": operations.GetCurrentKeyRequest,
}
NONSENSE = "no such thing"


def parameters(request: Any) -> list[str]:
    """Return the names of an operation's query parameters, as they are sent."""
    return [
        field.alias or name
        for name, field in request.model_fields.items()
        if any(getattr(each, "query", None) for each in field.metadata)
    ]


ASKED = [(path, name) for path, request in ROUTES.items() for name in parameters(request)]


def test_there_is_something_to_ask() -> None:
    assert {"context_bucket", "category", "modality", "min_price", "limit", "id"} <= {name for _, name in ASKED}


@pytest.mark.parametrize(("path", "name"), ASKED)
def test_a_parameter_is_never_ignored(client: httpx.Client, path: str, name: str) -> None:
    plain = client.get(f"/api/v1{path}")
    answer = client.get(f"/api/v1{path}", params={name: NONSENSE})
    if answer.status_code == 400:
        error = answer.json()["error"]
        assert name == (error["param"] if "param" in error else error["metadata"]["parameter"])
        assert name in error["message"]
    else:
        # Taken for what it says: a name that nothing has.
        assert plain.content != answer.content
        assert answer.status_code == 404 or answer.json()["data"] in ([], {"count": 0})
