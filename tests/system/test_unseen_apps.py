"""Keys that do not administer the board are told nothing of hidden and private apps but what their own headers say."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.operator import Operator
from tests.board import BoardProcess
from tests.system.metering import generation

ECHO = {"model": "tokenboard/echo", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def operator(board: BoardProcess, client: httpx.Client) -> Operator:
    return Operator(board, client, f"{uuid.uuid4().hex[:12]}.example")


@pytest.fixture(scope="module")
def outsider(board: BoardProcess) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {board.make_key('data,inference,ingest')}"}
    with httpx.Client(base_url=board.url, headers=headers, timeout=30) as client:
        yield client


def attributed(client: httpx.Client, url: str) -> dict[str, Any]:
    answer = client.get("/api/v1/attribution", headers={"HTTP-Referer": url, "X-Title": "My title"})
    assert 200 == answer.status_code, answer.text
    return dict(answer.json()["data"]["app"])


@pytest.mark.parametrize("visibility", ["hidden", "private"])
def test_an_app_that_is_not_shown_is_told_like_one_that_was_never_seen(
    operator: Operator, outsider: httpx.Client, visibility: str
) -> None:
    url = f"https://secret.{operator.site}"
    (secret,) = operator.use(url)
    operator.ask("PUT", f"/apps/{secret}/name", json={"name": "Project Codename"})
    shown = attributed(outsider, url)
    assert (secret, "Project Codename", secret) == (shown["app_id"], shown["name"], shown["canonical_app_id"])
    operator.ask("PUT", f"/apps/{secret}/visibility", json={"visibility": visibility})
    assert {"app_id": None, "url": url, "name": "My title", "canonical_app_id": None} == attributed(outsider, url)
    told = attributed(operator.client, url)
    assert (secret, "Project Codename", secret) == (told["app_id"], told["name"], told["canonical_app_id"])


def test_a_merge_with_an_app_that_is_not_shown_is_told_to_nobody_else(
    operator: Operator, outsider: httpx.Client
) -> None:
    urls = [f"https://{name}.{operator.site}" for name in ("alias", "root", "buried", "open")]
    alias, root, buried, opened = operator.use(*urls)
    operator.ask("PUT", f"/apps/{alias}/canonical", json={"into": root})
    operator.ask("PUT", f"/apps/{root}/visibility", json={"visibility": "hidden"})
    operator.ask("PUT", f"/apps/{buried}/visibility", json={"visibility": "hidden"})
    operator.ask("PUT", f"/apps/{buried}/canonical", json={"into": opened})
    for url in (urls[0], urls[2]):
        assert {"app_id": None, "url": url, "name": "My title", "canonical_app_id": None} == attributed(outsider, url)
    told = [attributed(operator.client, url) for url in (urls[0], urls[2])]
    assert [(alias, root), (buried, opened)] == [(each["app_id"], each["canonical_app_id"]) for each in told]


def test_a_generation_tells_no_more_of_its_app_than_its_own_request_did(
    operator: Operator, outsider: httpx.Client
) -> None:
    url = f"https://mine.{operator.site}"
    answer = outsider.post("/v1/chat/completions", json=ECHO, headers={"HTTP-Referer": url})
    operator.board.wait_until_counted()
    made = answer.headers["x-generation-id"]
    own, other = operator.use(url, f"https://other.{operator.site}")
    assert own == generation(outsider, made)["app_id"]
    operator.ask("PUT", f"/apps/{other}/visibility", json={"visibility": "private"})
    operator.ask("PUT", f"/apps/{own}/canonical", json={"into": other})
    told = generation(outsider, made)
    assert (None, url) == (told["app_id"], told["http_referer"])
