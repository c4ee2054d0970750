"""Methods: HEAD wherever GET is, and what a path says of a method it does not take."""

import httpx
import pytest


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        "/api/v1/openapi.json",
        "/api/v1/apps",
        "/api/v1/datasets/app-rankings",
        "/api/v1/models",
        "/api/v1/key",
        "/api/v1/nothing",
        "/rankings",
        "/rankings.csv",
    ],
)
def test_head_is_answered_as_get_without_its_body(path: str, client: httpx.Client) -> None:
    asked, got = client.head(path), client.get(path)
    assert (got.status_code, b"") == (asked.status_code, asked.content)
    assert got.headers["content-type"] == asked.headers["content-type"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/api/v1/admin/keys/1", "GET, HEAD, DELETE"),
        ("PATCH", "/api/v1/admin/keys", "GET, HEAD, POST"),
        ("POST", "/api/v1/admin/folds", "GET, HEAD, PUT, DELETE"),
        ("GET", "/api/v1/admin/apps/1/name", "PUT, DELETE"),
        ("POST", "/api/v1/apps/1", "GET, HEAD"),
        ("HEAD", "/api/v1/usage", "POST"),
        ("PATCH", "/healthz", "GET, HEAD"),
    ],
)
def test_a_path_tells_all_methods_that_it_takes(method: str, path: str, allowed: str, client: httpx.Client) -> None:
    refused = client.request(method, path)
    assert (405, allowed) == (refused.status_code, refused.headers["allow"])
