"""Every real header set, sent to the endpoint that tells how it would be attributed."""

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.board import BoardProcess

RECORDED = Path(__file__).parent.parent / "cases" / "attribution.jsonl"
CASES = [json.loads(line) for line in RECORDED.read_text().splitlines()]


def ask(board: BoardProcess, key: str, headers: list[list[str]]) -> dict[str, Any]:
    """Ask with these very header lines, values as UTF-8 bytes."""
    connection = http.client.HTTPConnection(urlsplit(board.url).netloc, timeout=10)
    try:
        connection.putrequest("GET", "/api/v1/attribution")
        connection.putheader("Authorization", f"Bearer {key}")
        for name, value in headers:
            connection.putheader(name, value.encode())
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 200
        return dict(json.loads(answer.read())["data"])
    finally:
        connection.close()


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_real_header_set_is_attributed_as_expected(board: BoardProcess, key: str, case: dict[str, Any]) -> None:
    expected = case["expect"]
    data = ask(board, key, case["headers"])
    actual = {
        "tracked": data["tracked"],
        "url": data["app"] and data["app"]["url"],
        "title": data["title"],
        "title_source": data["title_source"],
        "categories": data["categories"]["accepted"],
        "ignored": [[item["value"], item["reason"]] for item in data["categories"]["ignored"]],
        "reason": data["reason"],
        "name": data["app"] and data["app"]["name"],
    }
    assert expected == actual


def test_asking_stores_nothing(board: BoardProcess, key: str, client: httpx.Client) -> None:
    data = ask(board, key, [["HTTP-Referer", "https://never-seen.example"], ["X-Title", "Never Seen"]])
    assert (None, None) == (data["app"]["app_id"], data["app"]["canonical_app_id"])
    again = ask(board, key, [["HTTP-Referer", "https://never-seen.example"]])
    assert again["app"]["app_id"] is None


def test_an_app_that_was_used_is_known_by_its_ids(board: BoardProcess, key: str, client: httpx.Client) -> None:
    headers = {"HTTP-Referer": "https://known.example", "X-Title": "Known"}
    body = {"model": "tokenboard/echo", "messages": [{"role": "user", "content": "hi"}]}
    answer = client.post("/api/v1/chat/completions", json=body, headers=headers)
    assert (200, "https://known.example") == (answer.status_code, answer.headers["x-tokenboard-app"])
    board.wait_until_counted()
    app = ask(board, key, [["HTTP-Referer", "https://www.known.example/?utm=1"]])["app"]
    assert app["app_id"] is not None
    assert app["app_id"] == app["canonical_app_id"]


def test_without_a_key_it_is_refused(board: BoardProcess) -> None:
    answer = httpx.get(f"{board.url}/api/v1/attribution")
    assert 401 == answer.status_code
    assert answer.json()["error"]["message"].startswith("Missing Authentication header")
