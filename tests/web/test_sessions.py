"""Who may read the pages: nobody, whoever shows a key, or everybody; and what a session is."""

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.web.stage import BASE_URL, STEADY, Stage
from tokenboard.auth import Sessions
from tokenboard.catalog import NewKey
from tokenboard.web import PagesVisibility
from tokenboard.web.sessions import COOKIE

PAGES = (
    "/",
    "/rankings",
    "/apps",
    "/apps/1",
    "/models",
    "/models/plain",
    "/docs",
    "/docs/attribution",
    "/docs/api",
    "/docs/api/admin",
    "/docs/api/inference",
)
OTHERS = (
    "/rankings.json",
    "/models.csv",
    "/models/plain.parquet",
    "/charts/rankings.svg",
    "/charts/models/plain.svg",
    "/share/rankings.png",
    "/badge/apps/1.svg",
    "/badge/apps/1.json",
    "/feeds/apps.atom",
    "/feeds/apps/1.atom",
)


@pytest.fixture
def locked(stage: Stage) -> Iterator[TestClient]:
    with stage.open(PagesVisibility.KEY) as opened:
        yield opened


@pytest.fixture
def key(stage: Stage) -> NewKey:
    return stage.rig.catalog.create_key("reader", ["data"])


def log_in(browser: TestClient, secret: str, wanted: str = "/rankings") -> tuple[int, str]:
    answer = browser.post("/session", data={"key": secret, "next": wanted})
    return answer.status_code, answer.headers.get("location", "")


@pytest.mark.parametrize("path", PAGES + OTHERS)
def test_pages_that_are_off_are_404_and_ask_for_no_key(stage: Stage, path: str) -> None:
    browser = stage.open(PagesVisibility.OFF)
    answer = browser.get(path, headers={"Authorization": "Bearer tb-whatever"})
    assert (404, None) == (answer.status_code, answer.headers.get("www-authenticate"))
    assert "Steady" not in answer.text


def test_a_board_without_pages_has_no_session_either(stage: Stage) -> None:
    browser = stage.open(PagesVisibility.OFF)
    assert 404 == browser.get("/session").status_code
    assert 404 == browser.post("/session", data={"key": "tb-x"}).status_code


def test_public_pages_need_no_session(browser: TestClient) -> None:
    assert (302, "/") == ((answer := browser.get("/session")).status_code, answer.headers["location"])
    page = browser.get("/rankings")
    assert (200, "no-cache") == (page.status_code, page.headers["cache-control"])
    assert "/session/end" not in page.text


@pytest.mark.parametrize("path", PAGES)
def test_a_locked_page_is_401_with_a_form_that_leads_back(locked: TestClient, path: str) -> None:
    answer = locked.get(path)
    assert (401, "no-store", "Bearer") == (
        answer.status_code,
        answer.headers["cache-control"],
        answer.headers["www-authenticate"],
    )
    assert '<form method="post" action="/session"' in answer.text
    assert f'name="next" value="{path}"' in answer.text
    assert "Steady" not in answer.text


@pytest.mark.parametrize("path", OTHERS)
def test_locked_files_images_and_feeds_are_401_in_the_one_error_shape(locked: TestClient, path: str) -> None:
    answer = locked.get(path)
    assert (401, 401) == (answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize("path", PAGES + OTHERS)
def test_a_key_in_the_headers_opens_everything(locked: TestClient, stage: Stage, key: NewKey, path: str) -> None:
    wanted = path.replace("/1", f"/{stage.id_of(STEADY)}")
    for headers in ({"Authorization": f"Bearer {key.secret}"}, {"x-api-key": key.secret}):
        answer = locked.get(wanted, headers=headers)
        assert 200 == answer.status_code
        assert "private" in answer.headers["cache-control"]
        assert "Cookie" in answer.headers["vary"]


def test_a_pasted_key_becomes_a_session_whose_cookie_holds_no_key(locked: TestClient, key: NewKey) -> None:
    assert (303, "/models?period=month") == log_in(locked, f"  {key.secret}\n", "/models?period=month")
    cookie = locked.cookies[COOKIE]
    assert key.secret not in cookie
    assert 200 == locked.get("/models?period=month").status_code
    assert 200 == locked.get("/feeds/apps.atom").status_code
    assert "/session/end" in locked.get("/rankings").text


def test_the_cookie_is_out_of_scripts_reach_and_encrypted_connections_only(locked: TestClient, key: NewKey) -> None:
    answer = locked.post("/session", data={"key": key.secret, "next": "/"})
    flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "secure", "path=/"} <= flags


def test_a_revoked_key_ends_its_sessions(locked: TestClient, stage: Stage, key: NewKey) -> None:
    log_in(locked, key.secret)
    assert 200 == locked.get("/rankings").status_code
    stage.rig.catalog.revoke_key(key.key.id)
    stage.auth.refresh()
    assert 401 == locked.get("/rankings").status_code
    assert 401 == log_in(locked, key.secret)[0]


def test_ending_a_session_takes_the_cookie_away(locked: TestClient, key: NewKey) -> None:
    log_in(locked, key.secret)
    answer = locked.post("/session/end")
    assert (303, "/") == (answer.status_code, answer.headers["location"])
    assert COOKIE not in locked.cookies
    assert 401 == locked.get("/rankings").status_code
    assert 405 == locked.get("/session/end").status_code


@pytest.mark.parametrize("cookie", ["", "1", "Mg.AAAAAA.forged", "x" * 600, "é"])
def test_a_forged_cookie_opens_nothing(locked: TestClient, cookie: str) -> None:
    answer = locked.get("/rankings", headers={b"Cookie": f"{COOKIE}={cookie}".encode()})
    assert 401 == answer.status_code


def test_a_session_of_another_board_opens_nothing(locked: TestClient, stage: Stage, key: NewKey) -> None:
    log_in(locked, key.secret)
    elsewhere = Sessions(None, stage.rig.clock_ms).begin(key.key.digest)
    assert len(elsewhere) == len(locked.cookies[COOKIE])
    with stage.open(PagesVisibility.KEY) as other:
        assert 401 == other.get("/rankings", headers={"Cookie": f"{COOKIE}={elsewhere}"}).status_code
        assert 200 == other.get("/rankings", headers={"Cookie": f"{COOKIE}={locked.cookies[COOKIE]}"}).status_code


def test_a_copied_cookie_opens_nothing_once_its_session_was_ended(
    locked: TestClient, stage: Stage, key: NewKey
) -> None:
    log_in(locked, key.secret)
    copied = {"Cookie": f"{COOKIE}={locked.cookies[COOKIE]}"}
    with stage.open(PagesVisibility.KEY) as other:
        log_in(other, key.secret)
        assert 303 == locked.post("/session/end").status_code
        assert 401 == stage.open(PagesVisibility.KEY).get("/rankings", headers=copied).status_code
        assert 200 == other.get("/rankings").status_code, "another session of the key goes on"


@pytest.mark.parametrize(
    ("secret", "status", "said"),
    [
        ("tb-not-one-of-ours", 401, "it is not known here"),
        ("", 401, "There was no key in the form"),
        ("   ", 401, "There was no key in the form"),
        ("x" * 2_000, 401, "it is not known here"),
        ("ключ", 401, "it is not known here"),
    ],
)
def test_a_wrong_key_is_explained_on_the_form_and_is_not_repeated(
    locked: TestClient, secret: str, status: int, said: str
) -> None:
    answer = locked.post("/session", data={"key": secret, "next": "/apps"})
    assert status == answer.status_code
    assert said in answer.text
    assert 'role="alert"' in answer.text
    assert 'name="next" value="/apps"' in answer.text
    assert not secret.strip() or secret not in answer.text
    assert COOKIE not in locked.cookies


def test_a_key_without_the_scope_is_told_which_one_it_lacks(locked: TestClient, stage: Stage) -> None:
    other = stage.rig.catalog.create_key("writer", ["inference"])
    answer = locked.post("/session", data={"key": other.secret})
    assert 403 == answer.status_code
    assert "lacks the scope `data`" in answer.text.replace("&#39;", "'")


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/a\\b",
        "",
        "/" + "x" * 3_000,
    ],
)
def test_a_session_leads_to_no_other_host(locked: TestClient, key: NewKey, wanted: str) -> None:
    assert (303, "/") == log_in(locked, key.secret, wanted)


def test_a_form_that_is_no_form_or_too_large_is_refused(locked: TestClient) -> None:
    assert 415 == locked.post("/session", json={"key": "tb-x"}).status_code
    assert 413 == locked.post("/session", data={"key": "x" * 5_000}).status_code


def test_what_was_wanted_is_escaped_in_the_form(locked: TestClient) -> None:
    text = locked.get('/apps?q="><script>alert(1)</script>').text
    assert "<script>alert" not in text
    assert BASE_URL not in text.partition("<body>")[2]


def test_a_browser_that_breaks_off_while_it_sends_the_form_is_no_fault_of_ours(
    locked: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    pieces: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": b"key=tb-", "more_body": True}]
    pieces.append({"type": "http.disconnect"})
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return pieces.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    form = (b"content-type", b"application/x-www-form-urlencoded")
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/session",
        "raw_path": b"/session",
    }
    scope |= {"query_string": b"", "headers": [form], "client": None, "server": ("board", 80), "scheme": "http"}

    async def main() -> None:
        await locked.app(scope, receive, send)

    asyncio.run(main())
    assert (400, []) == (sent[0]["status"], caplog.records)
