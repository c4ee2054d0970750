"""`/admin/keys`: made, rotated and revoked keys are in force with the answer; secrets are shown once."""

from typing import Any

import httpx
import pytest

from tests.api.operator import Operator


def status_of(operator: Operator, secret: str, path: str = "/api/v1/attribution") -> int:
    return httpx.get(
        f"{operator.board.url}{path}", headers={"Authorization": f"Bearer {secret}"}, timeout=30
    ).status_code


def test_a_key_is_made_used_rotated_and_revoked_at_once(operator: Operator) -> None:
    made = operator.ask("POST", "/keys", json={"label": "one", "scopes": ["data"], "account": operator.site})
    works = status_of(operator, made["key"])
    rotated = operator.ask("POST", f"/keys/{made['id']}/rotate")
    after_rotation = [status_of(operator, secret) for secret in (made["key"], rotated["key"])]
    revoked = operator.ask("DELETE", f"/keys/{rotated['id']}")

    assert (200, [401, 200], 401) == (works, after_rotation, status_of(operator, rotated["key"]))
    assert ("one", operator.site, ["data"]) == (rotated["label"], rotated["account"], rotated["scopes"])
    assert made["id"] != rotated["id"]
    assert made["revoked"] is None is not revoked["revoked"]
    status, message = operator.refused("POST", f"/keys/{made['id']}/rotate")
    assert (409, True) == (status, "is revoked" in message)
    assert revoked == operator.ask("DELETE", f"/keys/{rotated['id']}")


def test_no_secret_is_told_again(operator: Operator) -> None:
    made = operator.ask("POST", "/keys", json={"label": "quiet"})

    shown = operator.client.get(f"/api/v1/admin/keys/{made['id']}").text
    listed = operator.client.get("/api/v1/admin/keys", params={"limit": 1000})
    log = operator.client.get("/api/v1/admin/log", params={"limit": 1000}).text

    assert ["inference", "data"] == made["scopes"]
    assert all(made["key"] not in text for text in (shown, listed.text, log, operator.board.log()))
    ids = [key["id"] for key in listed.json()["data"]]
    assert (sorted(ids), True, listed.json()["meta"]["total"]) == (ids, made["id"] in ids, len(ids))


def test_the_log_names_the_key_that_did_it(operator: Operator) -> None:
    label = f"chief {operator.site}"
    chief = operator.ask("POST", "/keys", json={"label": label, "scopes": ["admin"]})
    with httpx.Client(base_url=operator.board.url, headers={"x-api-key": chief["key"]}, timeout=30) as client:
        Operator(operator.board, client, operator.site).ask("POST", "/keys", json={"label": "made by the chief"})
        latest = client.get("/api/v1/admin/log", params={"limit": 1}).json()["data"][0]
    assert (label, "create_key") == (latest["actor"], latest["action"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "body.label"),
        ({"label": "x" * 101}, "at most 100"),
        ({"label": "x", "scopes": []}, "body.scopes"),
        ({"label": "x", "scopes": ["all"]}, "body.scopes"),
        ({"label": "x", "scopes": "data"}, "body.scopes"),
        ({"label": "x", "account": "\u200b"}, "can be seen"),
        ({"label": "x", "secret": "mine"}, "body.secret"),
        ([], "body"),
    ],
)
def test_a_bad_key_is_not_made(body: Any, said: str, operator: Operator) -> None:
    before = operator.client.get("/api/v1/admin/keys").json()["meta"]["total"]
    status, message = operator.refused("POST", "/keys", json=body)
    assert (400, True) == (status, said in message), message
    assert before == operator.client.get("/api/v1/admin/keys").json()["meta"]["total"]
