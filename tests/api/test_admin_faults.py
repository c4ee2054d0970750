"""The Admin API when the catalog fails: 503 with a time to try again, 500 without a word of what is inside."""

from unittest.mock import MagicMock

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tokenboard.api import create_api
from tokenboard.catalog import CatalogFault, CatalogUnavailable
from tokenboard.keys import Key, Scope
from tokenboard.problem import Problem


@pytest.fixture
def services() -> MagicMock:
    made = MagicMock()
    made.auth.check.return_value = Key(1, 1, "default", "ops", frozenset(Scope), b"", "tb-…", 0, None)
    return made


@pytest.fixture
def api(services: MagicMock) -> FastAPI:
    return create_api(services)


@pytest.mark.parametrize(
    ("fault", "status"), [(CatalogUnavailable("locked by secret"), 503), (CatalogFault("damaged by secret"), 500)]
)
def test_a_store_that_fails_is_told_apart_from_a_refusal(
    fault: Exception, status: int, services: MagicMock, api: FastAPI
) -> None:
    services.catalog.hide.side_effect = fault
    with TestClient(api, raise_server_exceptions=False) as client:
        answer = client.put("/api/v1/admin/apps/1/visibility", json={"visibility": "hidden"})
    assert (status, status) == (answer.status_code, answer.json()["error"]["code"])
    assert (status == 503) == ("retry-after" in answer.headers)
    assert "secret" not in answer.text


def test_nothing_of_a_request_is_looked_at_before_its_key(services: MagicMock, api: FastAPI) -> None:
    services.auth.check.side_effect = Problem(401, "No.")
    with TestClient(api) as client:
        answer = client.put("/api/v1/admin/apps/one/name", content=b"{" * 100_000)
    assert 401 == answer.status_code
    assert [] == services.catalog.mock_calls


def test_the_openapi_document_describes_every_answer_and_names_every_operation(api: FastAPI) -> None:
    paths = {path: methods for path, methods in api.openapi()["paths"].items() if path.startswith("/api/v1/admin/")}
    operations = [operation for methods in paths.values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert (24, 24, True) == (len(operations), len(set(names)), {"adminFold", "adminListApps"} <= set(names))
    for operation in operations:
        (answer,) = (answer for status, answer in operation["responses"].items() if status[0] == "2")
        assert "$ref" in answer["content"]["application/json"]["schema"]
        assert operation["description"]
