"""``/generation``, ``/key`` and ``/models/count``: whose, when, and what they refuse."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.board import BoardProcess, now_text
from tests.system.metering import generation

ECHO = {"model": "tokenboard/echo", "messages": [{"role": "user", "content": "say this"}]}
BASES = ("/api/v1", "/v1")


@pytest.fixture(scope="module")
def stranger(board: BoardProcess) -> Iterator[httpx.Client]:
    """Return a client of another account, with every scope."""
    secret = board.run(
        "keys", "create", "--label", "stranger", "--account", "elsewhere", "--scopes", "inference,ingest"
    )
    with httpx.Client(base_url=board.url, headers={"Authorization": f"Bearer {last_word(secret)}"}) as client:
        yield client


@pytest.fixture(scope="module")
def data_key(board: BoardProcess) -> str:
    return board.make_key("data")


def last_word(printed: str) -> str:
    return next(word for word in printed.split() if word.startswith("tb-"))


def problem(answer: httpx.Response) -> str:
    """Return an error's message, after a look at its shape."""
    error = answer.json()["error"]
    assert answer.status_code == error["code"]
    return str(error["message"])


def ask_echo(client: httpx.Client, headers: dict[str, str] | None = None) -> str:
    answer = client.post("/v1/chat/completions", json=ECHO, headers=headers)
    assert 200 == answer.status_code, answer.text
    return answer.headers["x-generation-id"]


def test_a_generation_is_for_its_account_alone(client: httpx.Client, stranger: httpx.Client) -> None:
    mine, theirs = ask_echo(client), ask_echo(stranger)
    assert (mine, theirs) == (generation(client, mine)["id"], generation(stranger, theirs)["id"])
    for base in BASES:
        assert "No generation of this account" in problem(client.get(f"{base}/generation", params={"id": theirs}))
        assert "No generation of this account" in problem(stranger.get(f"{base}/generation", params={"id": mine}))
        assert mine == client.get(f"{base}/generation", params={"id": mine}).json()["data"]["id"]


def test_another_key_of_the_account_may_ask(board: BoardProcess, client: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {board.make_key('inference')}"}
    with httpx.Client(base_url=board.url, headers=headers) as other:
        assert "tokenboard/echo" == generation(other, ask_echo(client))["model"]


def test_what_is_not_known_is_null_and_what_is_known_is_told(client: httpx.Client) -> None:
    told = generation(client, ask_echo(client, {"HTTP-Referer": "https://Told.example/x?y=1"}))
    known: dict[str, Any] = {
        "model": "tokenboard/echo",
        "provider_name": "tokenboard",
        "http_referer": "https://told.example/x",
        "origin": "https://told.example",
        "api_type": "completions",
        "streamed": False,
        "cancelled": False,
        "status": 200,
        "failed": False,
        "usage_source": "reported",
        "tokens_prompt": 2,
        "tokens_completion": 2,
        "native_tokens_prompt": 2,
        "native_tokens_completion": 2,
        "native_tokens_cached": None,
        "total_cost": 0,
        "usage": 0,
        "upstream_inference_cost": None,
        "finish_reason": None,
        "user_agent": None,
    }
    assert known == {name: told[name] for name in known}
    assert 0 <= told["generation_time"] <= told["latency"]
    assert told["created_at"].endswith("Z")


def test_a_generation_of_no_app_has_none(client: httpx.Client) -> None:
    told = generation(client, ask_echo(client))
    assert (None, None, "") == (told["app_id"], told["http_referer"], told["origin"])


def test_a_merged_apps_generation_shows_the_canonical_app(board: BoardProcess, client: httpx.Client) -> None:
    ids = {}
    for name in ("whole", "part"):
        told = generation(client, ask_echo(client, {"HTTP-Referer": f"https://{name}.merged.example"}))
        ids[name] = (told["id"], told["app_id"])
    board.run("apps", "merge", str(ids["part"][1]), str(ids["whole"][1]))
    told = generation(client, ids["part"][0])
    assert (ids["whole"][1], "https://part.merged.example") == (told["app_id"], told["http_referer"])


def test_an_event_from_elsewhere_is_found_by_the_id_it_came_with(client: httpx.Client, board: BoardProcess) -> None:
    name = f"of my own/{secrets.token_hex(4)} \u00e9"
    event = {"id": name, "ts": now_text(), "model": "m", "prompt_tokens": 3, "completion_tokens": 4, "cost": "0.5"}
    assert 202 == client.post("/api/v1/usage", json=[event]).status_code
    told = generation(client, name)
    assert (3, 4, 0.5, None, None) == (
        told["tokens_prompt"],
        told["tokens_completion"],
        told["total_cost"],
        told["provider_name"],
        told["api_type"],
    )


def test_an_id_made_just_now_may_be_asked_for_again_and_an_old_one_not(client: httpx.Client) -> None:
    now_ms = int(time.time() * 1000)
    young, old = f"gen-{now_ms}-{'a' * 20}", f"gen-{now_ms - 7_200_000}-{'a' * 20}"
    answer = client.get("/v1/generation", params={"id": young})
    assert ("1", True) == (answer.headers.get("retry-after"), "ask again" in problem(answer))
    for name in (old, "gen-1", f"gen-{now_ms}-{'a' * 19}"):
        answer = client.get("/v1/generation", params={"id": name})
        assert (None, 404) == (answer.headers.get("retry-after"), answer.status_code)
        assert "ask again" not in problem(answer)


@pytest.mark.parametrize("query", ["", "?id=", "?id=" + "x" * 129, "?ID=x"])
def test_a_generation_needs_an_id(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/api/v1/generation{query}")
    assert (400, True) == (answer.status_code, "`id` must be 1 to 128 characters" in problem(answer))


@pytest.mark.parametrize("path", ["/key", "/generation?id=x", "/models/count"])
def test_these_need_the_scope_inference(board: BoardProcess, data_key: str, path: str) -> None:
    for base in BASES:
        assert "Missing Authentication" in problem(httpx.get(f"{board.url}{base}{path}"))
        refused = httpx.get(f"{board.url}{base}{path}", headers={"x-api-key": data_key})
        assert (403, "inference") == (refused.status_code, refused.json()["error"]["metadata"]["required_scope"])
        assert 405 == httpx.post(f"{board.url}{base}{path}", headers={"x-api-key": data_key}).status_code


def test_a_key_tells_what_it_is(board: BoardProcess) -> None:
    secret = board.make_key("inference,admin", label="Ops laptop")
    for base in BASES:
        told = httpx.get(f"{board.url}{base}/key", headers={"x-api-key": secret}).json()["data"]
        assert ("Ops laptop", ["admin", "inference"], True) == (
            told["label"],
            told["scopes"],
            told["is_management_key"],
        )
        assert [0.0] * 4 == [told[name] for name in ("usage", "usage_daily", "usage_weekly", "usage_monthly")]
        assert secret not in str(told)


def test_models_are_counted_as_they_are_listed(client: httpx.Client) -> None:
    for base in BASES:
        listed = client.get(f"{base}/models").json()["data"]
        assert {"data": {"count": len(listed)}} == client.get(f"{base}/models/count").json()


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/key/",
        "/v1/chat",
        "/v1/models/apps",
        "/v1/datasets/app-rankings",
        "/api/v2/key",
    ],
)
def test_an_unknown_path_is_404_in_the_one_shape(client: httpx.Client, path: str) -> None:
    for method in ("GET", "POST"):
        answer = client.request(method, path)
        assert (404, True) == (answer.status_code, "There is nothing at" in problem(answer))
