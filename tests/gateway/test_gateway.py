"""From the client's request to the upstream: who is let in, what is refused, who is asked, and what it gets."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.rig import APP, Reply, Stores, gateway, relaying, run
from tests.gateway.stage import ANSWER, CHAT, chunk, gzipped, http
from tests.gateway.upstream_server import Heard, Peer
from tokenboard.app.asgi import Application
from tokenboard.attribution import AttributionOptions, AttributionRule
from tokenboard.catalog import CatalogUnavailable
from tokenboard.server import HttpServer

STREAMED = b'{"model":"up/a" ,"stream":true}'
ECHO = {"model": "tokenboard/echo", "messages": [{"role": "user", "content": "say this"}]}


class Listener:
    """Answers everything and keeps what it heard."""

    def __init__(self, answer: bytes | None = None) -> None:
        self.answer = answer or http(ANSWER)
        self.heard: list[Heard] = []

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.heard.append(await peer.hear())
            await peer.say(self.answer)

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode("latin-1") for name, value in self.heard[-1].headers}


def ours(reply: Reply) -> tuple[bool, str | None]:
    """Return whether an answer has an id of its own, and its word on the app."""
    return (reply.header("x-generation-id") or "").startswith("gen-"), reply.header("x-tokenboard-app")


# -- who is let in


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({}, 401, "Missing Authentication header"),
        ({"Authorization": "Bearer tb-wrong"}, 401, "Invalid API key"),
        ({"Authorization": "Bearer "}, 401, "must be `Bearer <key>`"),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, 401, "must be `Bearer <key>`"),
        ({"Authorization": "Bearer " + "x" * 5000}, 401, "Invalid API key"),
        ({"Authorization": "Bearer \u00e9"}, 401, "Invalid API key"),
    ],
)
def test_nobody_gets_in_without_a_key(
    stores: Stores, tmp_path: Path, headers: dict[str, str], status: int, words: str
) -> None:
    async def main() -> None:
        listener = Listener()
        async with relaying(stores, tmp_path, listener) as rig:
            reply = await rig.ask(CHAT, headers=headers | APP, key=None)
            assert (status, True) == (reply.error()["code"], words in reply.error()["message"])
            assert "Bearer" == reply.header("www-authenticate")
            assert (True, "https://cline.bot") == ours(reply)
            assert ([], []) == (rig.events(), listener.heard)

    run(main)


def test_a_key_without_the_scope_is_told_which(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            requests: list[dict[str, Any]] = [{"body": ECHO}, {"method": "GET", "path": "/v1/models"}]
            for request in requests:
                reply = await rig.ask(**request, key=stores.secrets["data"])
                assert {"required_scope": "inference"} == reply.error()["metadata"]
                assert (403, (True, "none; reason=missing_referer")) == (reply.status, ours(reply))
            assert [] == rig.events()

    run(main)


def test_the_scheme_may_be_spelled_as_one_likes(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            for value in (f"bearer {rig.secret}", f"BEARER   {rig.secret}  "):
                assert 200 == (await rig.ask(ECHO, headers={"AUTHORIZATION": value}, key=None)).status

    run(main)


def test_while_the_catalog_is_away_the_keys_known_so_far_are_in_force(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> int:
        raise CatalogUnavailable("it is locked")

    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            monkeypatch.setattr(stores.catalog, "keys_revision", away)
            reply = await rig.ask(ECHO, key="tb-other")
            assert (401, True, "none; reason=missing_referer") == (reply.status, *ours(reply))
            assert 200 == (await rig.ask(ECHO)).status

    run(main)


# -- what is refused


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_inference_takes_post_only(stores: Stores, tmp_path: Path, method: str) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            reply = await rig.ask(method=method, key=None)
            assert (405, "POST", (True, "none; reason=missing_referer")) == (
                reply.status,
                reply.header("allow"),
                ours(reply),
            )
            assert (b"" == reply.body) == (method == "HEAD")

    run(main)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "The body is empty"),
        (b"{", 400, "not a valid JSON object"),
        (b"[" * 100_000, 400, "not a valid JSON object"),
        (b'{"messages": []}', 400, "`model` is missing"),
        (b'{"model": 5}', 400, "`model` must be a string"),
        (b'{"model": "nobody/knows"}', 400, "nobody/knows is not a model served here"),
        (b'{"model": "tokenboard/echo"}', 400, "`messages` must be"),
        (b'{"model": "up/x", "stream": "yes"}', 400, "`stream` must be"),
        (b'{"model": "up/x", "Model": "y"}', 400, "case-sensitive"),
        (b" " * 2001, 413, "larger than 2,000 bytes"),
    ],
)
def test_a_bad_request_reaches_no_upstream_and_no_spool(
    stores: Stores, tmp_path: Path, body: bytes, status: int, words: str
) -> None:
    async def main() -> None:
        listener = Listener()
        async with relaying(stores, tmp_path, listener, max_body=200_000 if len(body) > 9000 else 2000) as rig:
            reply = await rig.ask(body, headers=APP)
            assert (status, True) == (reply.error()["code"], words in reply.error()["message"])
            assert (True, "https://cline.bot") == ours(reply)
            assert ([], [], {}) == (rig.events(), listener.heard, rig.counters.read())

    run(main)


def test_a_body_over_the_limit_is_refused_as_soon_as_that_is_known(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path, max_body=1000) as rig:
            for length in ("1001", "9" * 18):
                caller = await rig.call(rig.request(b"", headers={"Content-Length": length}))
                assert 413 == (await caller.reply()).error()["code"]  # none of it has been sent
            caller = await rig.call(rig.request(b"", headers={"Transfer-Encoding": "chunked"}) + chunk(b"x" * 600))
            await asyncio.sleep(0.02)
            await caller.say(chunk(b"y" * 600))
            assert 413 == (await caller.reply()).error()["code"]  # its end has not been sent
            assert [] == rig.events()

    run(main)


def test_a_body_in_chunks_is_read(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            data = json.dumps(ECHO).encode()
            caller = await rig.call(
                rig.request(b"", headers={"Transfer-Encoding": "chunked", "Expect": "100-continue"})
            )
            assert b"HTTP/1.1 100 Continue\r\n\r\n" == await caller.reader.readuntil(b"\r\n\r\n")
            for start in range(0, len(data), 40):
                await caller.say(chunk(data[start : start + 40]))
                await asyncio.sleep(0.001)
            await caller.say(chunk(b""))
            assert "say this" in (await caller.reply()).body.decode()

    run(main)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "zstd"])
def test_a_compressed_body_is_refused(stores: Stores, tmp_path: Path, coding: str) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            reply = await rig.ask(gzipped(json.dumps(ECHO).encode()), headers={"Content-Encoding": coding})
            assert 415 == reply.error()["code"]
            assert 200 == (await rig.ask(ECHO, headers={"Content-Encoding": "identity"})).status

    run(main)


def test_a_client_that_leaves_within_its_body_leaves_nothing(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        listener = Listener()
        async with relaying(stores, tmp_path, listener) as rig:
            caller = await rig.call(rig.request(CHAT)[:-5])
            await asyncio.sleep(0.05)
            caller.leave()
            await asyncio.sleep(0.05)
            assert ([], []) == (rig.events(), listener.heard)

    run(main)


def test_a_full_spool_refuses_before_the_upstream_is_asked(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        listener = Listener()
        async with relaying(stores, tmp_path, listener, max_spool=1) as rig:
            assert 200 == (await rig.ask(CHAT)).status
            reply = await rig.ask(CHAT, headers=APP)
            assert (503, "5") == (reply.error()["code"], reply.header("retry-after"))
            assert (True, "https://cline.bot") == ours(reply)
            assert (1, 1) == (len(rig.events()), len(listener.heard))
            assert 1 == rig.counters.read()["dropped.spool_full"]
            assert 401 == (await rig.ask(CHAT, key="tb-no")).status
            assert 200 == (await rig.ask(method="GET", path="/v1/models")).status

    run(main)


# -- what is always said


@pytest.mark.parametrize(
    ("headers", "app"),
    [
        ({}, "none; reason=missing_referer"),
        (APP, "https://cline.bot"),
        ({"HTTP-Referer": "http://www.Cline.bot/#x"}, "https://cline.bot"),
        ({"HTTP-Referer": "http://localhost:3000", "X-Title": "My App"}, "http://localhost:3000"),
        ({"HTTP-Referer": "http://localhost:3000"}, "none; reason=localhost_without_title"),
        ({"HTTP-Referer": "https://b\u00fccher.example/\u00e9"}, "https://xn--bcher-kva.example/%C3%A9"),
    ],
)
def test_every_answer_tells_its_app(stores: Stores, tmp_path: Path, headers: dict[str, str], app: str) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            replies = [
                await rig.ask(ECHO, headers=headers),
                await rig.ask({**ECHO, "stream": True}, headers=headers),
                await rig.ask(b"{", headers=headers),
                await rig.ask(ECHO, headers=headers, key=None),
                await rig.ask(method="GET", headers=headers),
                await rig.ask(method="GET", path="/api/v1/models", headers=headers),
            ]
            assert [200, 200, 400, 401, 405, 200] == [reply.status for reply in replies]
            assert [(True, app)] * 6 == [ours(reply) for reply in replies]
            assert 6 == len({reply.header("x-generation-id") for reply in replies})
            assert 2 == len(rig.events())

    run(main)


def test_a_rule_by_key_label_gives_the_app_once_the_key_is_known(stores: Stores, tmp_path: Path) -> None:
    options = AttributionOptions(rules=(AttributionRule(url="https://rule.example", key_label="inference key"),))

    async def main() -> None:
        async with gateway(stores, tmp_path, options=options) as rig:
            assert (True, "https://rule.example") == ours(await rig.ask(ECHO))
            assert (True, "https://rule.example") == ours(await rig.ask(method="GET", path="/v1/models"))
            assert (True, "https://cline.bot") == ours(await rig.ask(ECHO, headers=APP))
            assert (True, "none; reason=missing_referer") == ours(await rig.ask(ECHO, key=None))
            assert ["https://rule.example", "https://cline.bot"] == [event.app_key for event in rig.events()]

    run(main)


@pytest.mark.parametrize(
    "header",
    [
        (b"X-Title", b"\xff\xfe\x80"),
        (b"HTTP-Referer", b"\xc3\x28://\xff"),
        (b"X-Title", b"t" * 8192),
        (b"HTTP-Referer", b"https://x.example/" + b"p" * 8192),
        (b"X-OpenRouter-Categories", b",".join([b"cli-agent"] * 900)),
        (b"X-" + b"n" * 400, b"v"),
        (b"X-Empty", b""),
        (b"User-Agent", b"\x80 \t\xff"),
    ],
)
def test_rubbish_headers_are_served_all_the_same(stores: Stores, tmp_path: Path, header: tuple[bytes, bytes]) -> None:
    async def main() -> None:
        listener = Listener()
        async with relaying(stores, tmp_path, listener) as rig:
            assert 200 == (await rig.ask(CHAT, headers=[header])).status
            assert 200 == (await rig.ask(ECHO, headers=[header] * 5)).status
            assert 2 == len(rig.events())

    run(main)


# -- whose path it is


def test_the_gateway_owns_exactly_its_paths(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            own = ["/api/v1/chat/completions", "/v1/chat/completions", "/api/v1/models", "/v1/models"]
            own += ["/api/v1/models/x", "/v1/models/a/b/endpoints", "/v1/model/a/b", "/v1/models/user", "/v1/providers"]
            other = [
                "/",
                "/v1",
                "/v1/chat",
                "/v1/chat/completions/",
                "/v2/models",
                "/api/v1/models/a/b/apps",
                "/api/v1/modelsx",
                "/API/v1/models",
            ]
            assert [True] * 9 + [False] * 8 == [rig.gateway.owns(path) for path in own + other]

    run(main)


def test_the_server_hands_each_request_to_whoever_owns_its_path(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        asked = []

        def part(name: str) -> Any:
            async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
                asked.append((name, scope["path"]))
                await send({"type": "http.response.start", "status": 204, "headers": []})
                await send({"type": "http.response.body"})

            return answer

        async with gateway(stores, tmp_path) as rig:
            server = HttpServer(Application(part("api"), part("web")), direct=rig.gateway)
            listener = socket.create_server(("127.0.0.1", 0))
            await server.start(listener)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
                assert 401 == (await client.get("/v1/models")).status_code
                for path in ("/v1/other", "/api/v1/models/x/apps", "/apps"):
                    assert 204 == (await client.get(path)).status_code
            await server.stop(0)
            assert [("api", "/v1/other"), ("api", "/api/v1/models/x/apps"), ("web", "/apps")] == asked

    run(main)
