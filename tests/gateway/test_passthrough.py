"""Calls beside inference are relayed as they are where the settings say so, and a use of a model is counted."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.board import BoardProcess
from tests.gateway.rig import APP, Stores, gateway, outcome, relaying, run
from tests.gateway.stage import http
from tests.gateway.test_gateway import Listener
from tests.gateway.upstream_server import Peer, upstream
from tokenboard.gateway import PassRule, UpstreamSpec
from tokenboard.gateway.passthrough import METHODS, RESERVED, is_use, may_pass

ANSWER = b'{"results": [{"index": 0}], "usage": {"prompt_tokens": 12, "completion_tokens": 0, "total_tokens": 12}}'
STORED = b'{"id": "r1", "object": "response", "usage": {"input_tokens": 5, "output_tokens": 4, "total_tokens": 9}}'


def rules(*texts: str) -> dict[str, Any]:
    return {"passthrough": tuple(PassRule.parse(text) for text in texts)}


@pytest.mark.parametrize("base", ["/api/v1", "/v1"])
def test_a_call_is_relayed_attributed_and_counted_with_the_tokens_it_tells(
    stores: Stores, tmp_path: Path, base: str
) -> None:
    async def main() -> None:
        listener = Listener(http(ANSWER))
        async with relaying(stores, tmp_path, listener, spec=rules("POST /rerank")) as rig:
            body = b'{"query":"q", "model": "up/ranker", "documents":["a"]}'
            path = f"{base}/rerank?beta=true&key=secret"
            reply = await rig.ask(body, path=path, headers={**APP, "Content-Type": "application/json"})
            assert (200, ANSWER, "https://cline.bot") == (reply.status, reply.body, reply.header("x-tokenboard-app"))
            (heard,) = listener.heard
            assert b"POST /v1/rerank?beta=true HTTP/1.1" == heard.line
            assert {"query": "q", "model": "ranker", "documents": ["a"]} == json.loads(heard.body)
            event = await rig.event()
            assert ("/rerank", "up/ranker", "https://cline.bot") == (event.endpoint, event.model, event.app_key)
            assert (200, False, "reported", 12, 0) == outcome(event)

    run(main)


FORM = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    + bytes(range(256)) * 2_000
    + b'\r\n--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nup/whisper\r\n--x--\r\n'
)


def test_a_form_is_relayed_byte_for_byte_but_for_its_models_prefix(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        listener = Listener(http(b'{"text": "hello"}'))
        async with relaying(stores, tmp_path, listener, spec=rules("POST /audio/*")) as rig:
            kind = {"Content-Type": "multipart/form-data; boundary=x"}
            reply = await rig.ask(FORM, path="/v1/audio/transcriptions", headers=kind)
            assert (200, b'{"text": "hello"}') == (reply.status, reply.body)
            assert FORM.replace(b"up/whisper", b"whisper") == listener.heard[0].body
            event = await rig.event()
            assert ("/audio/*", "up/whisper", "unknown") == (event.endpoint, event.model, event.usage_source)

    run(main)


def test_sound_comes_back_as_it_was_and_a_request_without_a_model_has_an_unknown_one(
    stores: Stores, tmp_path: Path
) -> None:
    sound = bytes(range(256)) * 500

    async def main() -> None:
        listener = Listener(http(sound, "audio/mpeg"))
        async with relaying(stores, tmp_path, listener, spec=rules("POST /audio/speech")) as rig:
            reply = await rig.ask(b"\xff\x00 no json", path="/v1/audio/speech")
            assert (200, sound) == (reply.status, reply.body)
            assert "unknown" == (await rig.event()).model

    run(main)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/responses/resp_1"),
        ("DELETE", "/responses/resp_1"),
        ("POST", "/responses/resp_1/cancel"),
        ("POST", "/responses/input_tokens"),
        ("POST", "/messages/batches"),
        ("POST", "/files"),
    ],
)
def test_what_uses_no_model_is_relayed_and_not_counted(stores: Stores, tmp_path: Path, method: str, path: str) -> None:
    async def main() -> None:
        listener = Listener(http(STORED))
        async with relaying(stores, tmp_path, listener, spec=rules("* /*")) as rig:
            reply = await rig.ask(b"", method=method, path=f"/v1{path}")
            assert (200, STORED) == (reply.status, reply.body)
            assert f"{method} /v1{path} HTTP/1.1".encode() == listener.heard[0].line
            assert [] == rig.events()

    run(main)


def test_the_model_chooses_among_the_upstreams_that_take_the_call(stores: Stores, tmp_path: Path) -> None:
    heard: list[str] = []

    def answering(name: str) -> Any:
        async def answer(peer: Peer) -> None:
            while True:
                await peer.answer(http(b"{}"))
                heard.append(name)

        return answer

    async def main() -> None:
        async with upstream(answering("first")) as one, upstream(answering("second")) as two:
            specs = [
                UpstreamSpec("no", f"{one.origin}/v1", models=("b/*",)),
                UpstreamSpec("first", f"{one.origin}/v1", models=("a/*",), **rules("POST /rerank")),
                UpstreamSpec("second", f"{two.origin}/v1", models=("b/*",), **rules("POST /rerank")),
            ]
            async with gateway(stores, tmp_path, specs) as rig:
                for model in ("b/x", "a/x", "c/x", None):
                    body = {"model": model} if model else {}
                    await rig.ask(body, path="/v1/rerank", headers={"Content-Type": "application/json"})
                assert ["second", "first", "first", "first"] == heard

    run(main)


def test_a_wrong_method_and_a_missing_key_are_told_in_the_one_shape(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        listener = Listener(http(b"{}"))
        async with relaying(stores, tmp_path, listener, spec=rules("POST /rerank", "GET /files/*")) as rig:
            refused = await rig.ask(b"", method="GET", path="/v1/rerank")
            assert (405, "POST") == (refused.status, refused.header("allow"))
            assert 401 == (await rig.ask(b"", path="/v1/rerank", key=None)).error()["code"]
            assert [] == listener.heard

    run(main)


@pytest.mark.parametrize("first", sorted(RESERVED))
def test_no_setting_hands_an_address_of_the_board_to_an_upstream(first: str) -> None:
    assert not may_pass(f"/{first}")
    assert not may_pass(f"/{first}/x")


@pytest.mark.parametrize(
    "path",
    [
        "", "/files/../key", "/files/%2e%2e/key", "/files/a%2fb", "/files//x", "/", "/files/", "/a\\b", "/a\x00",
        "/./x", "/files/..;/key", "/files/..;v=1/key", "/files/%2e%2e%3b/key", "/files/.. /key",
    ],
)  # fmt: skip
def test_a_path_that_could_be_read_in_two_ways_is_nobodys(path: str) -> None:
    assert not may_pass(path)


def test_a_board_whose_upstream_takes_every_call_keeps_its_pages_its_data_and_its_state(tmp_path: Path) -> None:
    upstreams = '[{"name": "up", "base_url": "http://127.0.0.1:9/v1", "passthrough": ["* /*"]}]'
    board = BoardProcess(tmp_path / "data", environment={"TOKENBOARD_UPSTREAM": upstreams}).start()
    try:
        key = {"Authorization": f"Bearer {board.make_key()}"}
        for path in ("/", "/rankings", "/healthz", "/readyz", "/docs/api/try", "/api/v1/key", "/api/v1/openapi.json"):
            asked = httpx.get(f"{board.url}{path}", headers=key, follow_redirects=True, timeout=30)
            assert (path, 200) == (path, asked.status_code)
    finally:
        board.stop()


@pytest.mark.parametrize(
    ("asked", "heard"),
    [
        ("/api/v1%2Faudio/a%20b", "/v1/audio/a%20b"),
        ("/%61pi/v1/audio/a%20b", "/v1/audio/a%20b"),
        ("/%76%31/audio/%C3%BC", "/v1/audio/%C3%BC"),
        ("/v1/audio/a%20b%3F", "/v1/audio/a%20b%3F"),
        ("/v1/%61udio/a(b)", "/v1/%61udio/a(b)"),
    ],
)
def test_a_call_reaches_its_address_however_the_path_is_percent_encoded(
    stores: Stores, tmp_path: Path, asked: str, heard: str
) -> None:
    async def main() -> None:
        listener = Listener(http(b"{}"))
        async with relaying(stores, tmp_path, listener, spec=rules("POST /audio/*")) as rig:
            assert 200 == (await rig.ask(b"{}", path=asked)).status
            assert f"POST {heard} HTTP/1.1".encode() == listener.heard[0].line

    run(main)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"up/x","name \xff":1}',
        b'{"model":"up/x","a":{"model":1},' + b",".join(b'"k":%d' % n for n in range(60)) + b"}",
    ],
)
def test_a_body_whose_model_cannot_be_found_again_is_refused_and_not_counted(
    stores: Stores, tmp_path: Path, body: bytes
) -> None:
    async def main() -> None:
        listener = Listener(http(b"{}"))
        async with relaying(stores, tmp_path, listener, spec=rules("POST /rerank")) as rig:
            reply = await rig.ask(body, path="/v1/rerank", headers={"Content-Type": "application/json"})
            assert 400 == reply.status
            assert "not a valid JSON object" in reply.error()["message"]
            assert ([], []) == (listener.heard, rig.events())

    run(main)


def test_the_boards_own_addresses_are_all_kept_from_upstreams(client: Any) -> None:
    document = client.get("/api/v1/openapi.json").json()
    base = "/api/v1"
    own = {path.removeprefix(base) for path in document["paths"] if not path.startswith(("/healthz", "/readyz"))}
    inference = {
        "/chat/completions",
        "/completions",
        "/embeddings",
        "/responses",
        "/messages",
        "/messages/count_tokens",
    }
    assert set() == {path for path in own - inference if may_pass(path.replace("{", "").replace("}", ""))}


@pytest.mark.parametrize("text", ["", "rerank", "POST", "POST rerank", "HEAD /x", "post /x", "POST /a b", "CONNECT /x"])
def test_a_rule_that_is_no_call_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match='such as "POST /rerank"'):
        PassRule.parse(text)


def test_only_posts_are_uses() -> None:
    assert {"POST"} == {method for method in METHODS if is_use(method, "/images/generations")}


# --- the query ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "fixed", "sent"),
    [
        ("", {}, ""),
        ("?beta=true", {}, "?beta=true"),
        ("?api-version=1&x=%20a+b", {}, "?api-version=1&x=%20a+b"),
        ("?key=s&beta=1&API_KEY=t&access_token=u", {}, "?beta=1"),
        ("?key=s", {}, ""),
        ("?a=1;key=s&b=2;c", {}, "?b=2;c"),
        ("", {"api-version": "2024-10-21"}, "?api-version=2024-10-21"),
        ("?api-version=1&b=2", {"api-version": "2024 10"}, "?b=2&api-version=2024+10"),
        ("?&&", {}, ""),
    ],
)
def test_the_query_goes_along_less_credentials_and_what_the_settings_fix(
    stores: Stores, tmp_path: Path, given: str, fixed: dict[str, str], sent: str
) -> None:
    async def main() -> None:
        listener = Listener(http(STORED))
        async with relaying(stores, tmp_path, listener, spec={"query": fixed}) as rig:
            for _ in range(2):
                await rig.ask({"model": "up/x", "messages": []}, path=f"/v1/messages{given}")
            await rig.ask(b"", method="GET", path="/v1/models")
            asked = [heard.line.split(b" ")[1].decode() for heard in listener.heard]
            alone = f"?{'&'.join(f'{name}={value}' for name, value in fixed.items())}".replace(" ", "+").rstrip("?")
            assert [f"/v1/messages{sent}", f"/v1/messages{sent}", f"/v1/models{alone}"] == asked

    run(main)


# --- pages of other origins -----------------------------------------------------------------------------------------


def test_a_page_of_another_origin_may_call_where_the_setting_says_so(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        listener = Listener(http(STORED))
        spec = rules("POST /rerank")
        async with relaying(stores, tmp_path, listener, spec=spec, cors_origin="https://app.example") as rig:
            asks = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
            for path, methods in (("/v1/responses", "POST"), ("/v1/models", "GET, HEAD"), ("/v1/rerank", "POST")):
                allowed = await rig.ask(b"", method="OPTIONS", path=path, headers=asks, key=None)
                assert (204, methods) == (allowed.status, allowed.header("access-control-allow-methods"))
                named = str(allowed.header("access-control-allow-headers")).lower()
                assert all(name in named for name in ("authorization", "http-referer", "x-openrouter-title", "x-title"))
            answered = await rig.ask({"model": "up/x", "input": "x"}, path="/v1/responses")
            refused = await rig.ask({"model": "up/x", "input": "x"}, path="/v1/responses", key=None)
            for reply in (answered, refused):
                assert "https://app.example" == reply.header("access-control-allow-origin")
                assert "x-generation-id" in str(reply.header("access-control-expose-headers")).lower()
                assert "Origin" == reply.header("vary")

    run(main)


def test_without_the_setting_a_page_of_another_origin_may_not(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, Listener(http(STORED))) as rig:
            asks = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
            refused = await rig.ask(b"", method="OPTIONS", path="/v1/responses", headers=asks, key=None)
            assert (405, None) == (refused.status, refused.header("access-control-allow-origin"))

    run(main)


# --- who names no app -----------------------------------------------------------------------------------------------


def test_requests_that_name_no_app_are_counted_by_reason_and_client(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, Listener(http(STORED))) as rig:
            for headers in (
                {"User-Agent": "claude-cli/2.1.197 (external, cli)"},
                {"User-Agent": "claude-cli/2.2"},
                {"User-Agent": "curl/8", "HTTP-Referer": "null"},
                APP,
            ):
                await rig.ask({"model": "up/x", "input": "x"}, path="/v1/responses", headers=headers)
            counted = {name: count for name, count in rig.counters.read().items() if name.startswith("unattributed.")}
            assert {"unattributed.missing_referer.claude-code": 2, "unattributed.invalid_referer.curl": 1} == counted

    run(main)
