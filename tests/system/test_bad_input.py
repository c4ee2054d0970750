"""Bad input of every kind: the right status, the one error shape, a way to mend it, and nothing stored."""

import json
import socket
import sqlite3
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.board import BoardProcess, now_text
from tests.system.feed import rankings

CHAT = "/api/v1/chat/completions"
RANKINGS = "/api/v1/datasets/app-rankings"
GOOD = {"model": "tokenboard/echo", "messages": [{"role": "user", "content": "hi"}]}


def assert_problem(answer: httpx.Response, status: int, *words: str) -> None:
    assert status == answer.status_code, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    error = answer.json()["error"]
    assert {"code", "message"} <= set(error) <= {"code", "message", "type", "param", "metadata"}
    assert status == error["code"]
    for word in words:
        assert word.lower() in error["message"].lower()


def stored(board: BoardProcess) -> int:
    """Return the sequence number of the last event ever spooled: it grows with everything that is stored."""
    with sqlite3.connect(f"file:{board.data}/spool/board.sqlite?mode=ro", uri=True) as spool:
        row = spool.execute("SELECT seq FROM sqlite_sequence WHERE name = 'parcels'").fetchone()
    spool.close()
    return int(row[0]) if row else 0


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, ["empty"]),
        (b"{", 400, ["JSON"]),
        (b"[1, 2]", 400, ["object"]),
        (b"\xff\xfe", 400, ["JSON"]),
        (b"[" * 100_000, 400, []),
        (b'{"messages": []}', 400, ["model", "GET /api/v1/models"]),
        (b'{"model": 7, "messages": []}', 400, ["model", "string"]),
        (b'{"model": "", "messages": []}', 400, ["model"]),
        (b'{"model": "' + b"m" * 201 + b'"}', 400, ["200"]),
        (b'{"model": "nobody/serves-this", "messages": []}', 400, ["nobody/serves-this", "GET /api/v1/models"]),
        (b'{"model": "tokenboard/echo"}', 400, ["messages"]),
        (b'{"model": "tokenboard/echo", "messages": [{"role": "system", "content": "x"}]}', 400, ["user"]),
        (b'{"model": "tokenboard/echo", "messages": "hello"}', 400, ["messages"]),
        (b'{"model": "tokenboard/echo", "stream": "yes", "messages": []}', 400, ["stream"]),
        (b'{"model": "tokenboard/echo", "messages": []' + b" " * 100_001 + b"}", 413, ["100,000", "max_body"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_chat_request_says_how_to_mend_it(
    board: BoardProcess, client: httpx.Client, body: bytes, status: int, words: list[str]
) -> None:
    before = stored(board)
    headers = {"Content-Type": "application/json", "HTTP-Referer": "https://bad-input.example"}
    answer = client.post(CHAT, content=body, headers=headers)
    assert_problem(answer, status, *words)
    assert "https://bad-input.example" == answer.headers["x-tokenboard-app"]
    assert answer.headers["x-generation-id"].startswith("gen-")
    assert before == stored(board)


def test_a_chunked_body_over_the_limit_is_refused(board: BoardProcess, client: httpx.Client) -> None:
    before = stored(board)
    assert_problem(client.post(CHAT, content=(b"x" * 10_000 for _ in range(11))), 413, "100,000")
    assert before == stored(board)


@pytest.mark.parametrize("path", [CHAT, "/v1/chat/completions", "/api/v1/usage"])
@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        (None, ["Missing Authentication header", "Bearer"]),
        ("Bearer tb-nobody-has-this", ["Invalid API key"]),
        ("Bearer", ["Bearer <key>"]),
        ("Basic dXNlcjpwYXNz", ["Bearer"]),
        ("Bearer " + "x" * 5_000, ["Invalid API key"]),
    ],
)
def test_without_a_valid_key_nothing_is_done(
    board: BoardProcess, path: str, authorization: str | None, words: list[str]
) -> None:
    before = stored(board)
    headers = {"Authorization": authorization} if authorization else {}
    assert_problem(httpx.post(board.url + path, json=GOOD, headers=headers), 401, *words)
    assert before == stored(board)


def test_a_revoked_key_is_refused_at_once(board: BoardProcess) -> None:
    made = json.loads(board.run("keys", "create", "--label", "short-lived", "--json"))
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert 200 == httpx.post(board.url + CHAT, json=GOOD, headers=headers).status_code
    board.run("keys", "revoke", str(made["id"]))
    answer = httpx.post(board.url + CHAT, json=GOOD, headers=headers)
    assert_problem(answer, 401, "revoked")
    assert made["key"] not in answer.text


@pytest.mark.parametrize(
    ("scopes", "method", "path", "missing"),
    [
        ("data", "POST", CHAT, "inference"),
        ("data", "GET", "/api/v1/models", "inference"),
        ("inference", "GET", RANKINGS, "data"),
        ("inference,data", "POST", "/api/v1/usage", "ingest"),
    ],
)
def test_a_key_without_the_scope_is_forbidden(
    board: BoardProcess, scopes: str, method: str, path: str, missing: str
) -> None:
    headers = {"Authorization": f"Bearer {board.make_key(scopes)}"}
    before = stored(board)
    assert_problem(
        httpx.request(method, board.url + path, json=GOOD, headers=headers), 403, f"`{missing}`", "keys create"
    )
    assert before == stored(board)


@pytest.mark.parametrize(
    ("referer", "title", "app"),
    [
        (b"\xff\xfe\x00\x01"[:2], b"\xc3\x28", "none; reason=invalid_referer"),
        (b"https://rubbish.example/" + b"a" * 3_000, b"T", "none; reason=referer_too_long"),
        (b"<YOUR_SITE_URL>", b"<YOUR_SITE_NAME>", "none; reason=placeholder_referer"),
        (b"https://exa mple.com", b"<script>alert(1)</script>", "none; reason=invalid_referer"),
        (b"https://title.example", b"x" * 9_000, "https://title.example"),
        (b"https://title.example", b"'; DROP TABLE usage; --", "https://title.example"),
    ],
)
def test_rubbish_in_attribution_headers_never_refuses_a_request(
    client: httpx.Client, referer: bytes, title: bytes, app: str
) -> None:
    headers = [(b"HTTP-Referer", referer), (b"X-Title", title), (b"X-OpenRouter-Categories", b"\xff,,game," * 90)]
    answer = client.post(CHAT, json=GOOD, headers=headers)
    assert (200, app) == (answer.status_code, answer.headers["x-tokenboard-app"])


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("sort=best", "sort"),
        ("sort=", "sort"),
        ("sort=POPULAR", "sort"),
        ("category=cooking", "category"),
        ("category=cli-agent", "category"),
        ("category=", "category"),
        ("subcategory=coding", "subcategory"),
        ("subcategory=", "subcategory"),
        ("category=creative&subcategory=cli-agent", "subcategory"),
        ("start_date=yesterday", "start_date"),
        ("start_date=2026-02-30", "start_date"),
        ("start_date=2026-2-3", "start_date"),
        ("start_date=", "start_date"),
        ("end_date=2026-02-30T00:00:00Z", "end_date"),
        ("end_date=2024-12-31", "end_date"),
        ("end_date=", "end_date"),
        ("start_date=2026-03-02&end_date=2026-03-01", "start_date"),
        ("start_date=2025-01-01&end_date=2026-01-02", "start_date"),
        ("start_date=2999-01-01", "start_date"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("limit=", "limit"),
        ("limit=%D9%A3", "limit"),
        ("limit=1&limit=2", "limit"),
        ("offset=-1", "offset"),
        ("offset=101", "offset"),
        ("offset=x", "offset"),
    ],
)
def test_every_bad_parameter_of_app_rankings_is_named(client: httpx.Client, query: str, parameter: str) -> None:
    answer = client.get(f"{RANKINGS}?{query}")
    assert_problem(answer, 400, parameter)
    assert parameter == answer.json()["error"]["metadata"]["parameter"]


@pytest.mark.parametrize("query", ["offset=", "offset=null", "unknown=1", "limit=1&offset=100"])
def test_harmless_parameters_are_taken(client: httpx.Client, query: str) -> None:
    assert 200 == client.get(f"{RANKINGS}?{query}").status_code


def test_dates_are_moved_into_the_dataset_and_echoed(client: httpx.Client) -> None:
    early = client.get(RANKINGS, params={"start_date": "2020-01-01", "end_date": "2025-12-31"}).json()["meta"]
    assert ("2025-01-01", "2025-12-31") == (early["start_date"], early["end_date"])
    late = client.get(RANKINGS, params={"end_date": "2999-12-31"}).json()["meta"]
    assert now_text()[:10] == late["end_date"]


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"id": None}, "id", "wrong_type"),
        ({"id": ""}, "id", "empty"),
        ({"id": "x" * 129}, "id", "too_long"),
        ({"ts": "yesterday"}, "ts", "bad_time"),
        ({"ts": "2026-05-11T23:59:59"}, "ts", "bad_time"),
        ({"ts": "2999-01-01T00:00:00Z"}, "ts", "time_ahead"),
        ({"ts": "2024-12-31T23:59:59Z"}, "ts", "before_dataset"),
        ({"model": ""}, "model", "empty"),
        ({"prompt_tokens": -1}, "prompt_tokens", "out_of_range"),
        ({"completion_tokens": 10**12 + 1}, "completion_tokens", "out_of_range"),
        ({"cached_tokens": -5}, "cached_tokens", "out_of_range"),
        ({"prompt_tokens": "many"}, "prompt_tokens", "wrong_type"),
        ({"cost": -1}, "cost", "out_of_range"),
        ({"status": 42}, "status", "out_of_range"),
    ],
)
def test_one_bad_event_is_named_and_nothing_of_its_body_is_stored(
    board: BoardProcess, client: httpx.Client, change: dict[str, Any], field: str, reason: str
) -> None:
    good = {
        "ts": now_text(),
        "referer": "https://bad.example",
        "model": "m",
        "prompt_tokens": 1,
        "completion_tokens": 1,
    }
    before = stored(board)
    events = [good | {"id": "good"}, good | {"id": "bad"} | change]
    answer = client.post("/api/v1/usage", json=events)
    assert_problem(answer, 400, field)
    named = answer.json()["error"]["metadata"]["events"]
    assert [(1, field, reason)] == [(bad["index"], bad["field"], bad["reason"]) for bad in named]
    assert before == stored(board)


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"", "", 400),
        (b"not json", "", 400),
        (b"[", "", 400),
        (b"not gzip", "gzip", 400),
        (b"not zstd", "zstd", 400),
        (b"[]", "br", 415),
        (b" " * (16 * 1024 * 1024 + 1), "", 413),
        (b"[" + b",".join([b"{}"] * 10_001) + b"]", "", 413),
    ],
    ids=["empty", "no-json", "open", "gzip", "zstd", "br", "too-large", "too-many"],
)
def test_a_bad_usage_body_is_refused_as_a_whole(
    board: BoardProcess, client: httpx.Client, body: bytes, encoding: str, status: int
) -> None:
    before = stored(board)
    headers = {"Content-Encoding": encoding} if encoding else {}
    assert_problem(client.post("/api/v1/usage", content=body, headers=headers), status)
    assert before == stored(board)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing-here", 404),
        ("POST", "/api/v1/nothing-here", 404),
        ("GET", "/%00/..%2f", 404),
        ("GET", CHAT, 405),
        ("PUT", "/v1/chat/completions", 405),
        ("DELETE", RANKINGS, 405),
        ("GET", "/api/v1/usage", 405),
        ("POST", "/api/v1/models", 405),
        ("POST", "/internal/nudge", 404),
    ],
)
def test_a_wrong_address_or_method_is_told_in_the_same_shape(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert_problem(answer, status)
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize(
    "request_line",
    [b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n", b"\x00\x01\x02\r\n\r\n", b"GET /\xff HTTP/9.9\r\n\r\n"],
)
def test_what_is_no_http_does_not_harm_the_next_request(
    board: BoardProcess, client: httpx.Client, request_line: bytes
) -> None:
    address = urlsplit(board.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as raw:
        raw.sendall(request_line)
        assert not raw.recv(100).startswith(b"HTTP/1.1 200")
    assert 200 == client.get("/healthz").status_code


def test_after_all_this_no_rubbish_became_an_app(board: BoardProcess, client: httpx.Client) -> None:
    board.wait_until_counted()
    names = {name for name, *_ in rankings(client, limit=100, end_date=now_text()[:10])}
    assert not {name for name in names if "bad" in name or "<" in name}
    assert 0 == board.ready()["spool"]["dead_letters"]
