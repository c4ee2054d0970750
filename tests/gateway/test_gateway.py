"""From the client's request to the upstream: who is let in, what is refused, who is asked, and what it gets."""

import asyncio
import json
import tracemalloc
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.gateway.rig import (
    ANSWER,
    APP,
    CHAT,
    DONE,
    FIRST,
    STREAM_HEAD,
    USED,
    Reply,
    Stores,
    chunk,
    gateway,
    gzipped,
    http,
    relaying,
    run,
)
from tests.gateway.upstream_server import Heard, Peer, upstream
from tests.upstream import openai_upstream
from tokenboard.app.asgi import Application
from tokenboard.attribution import AttributionOptions, AttributionRule
from tokenboard.catalog import CatalogUnavailable
from tokenboard.gateway import ForwardAttribution, UpstreamSpec
from tokenboard.gateway.headers import Headers
from tokenboard.gateway.request import InferenceRequest
from tokenboard.gateway.upstreams import Answer

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


def test_a_catalog_that_is_away_is_503_for_keys_not_known_yet(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> int:
        raise CatalogUnavailable("it is locked")

    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            monkeypatch.setattr(stores.catalog, "keys_revision", away)
            reply = await rig.ask(ECHO, key="tb-other")
            assert (503, "5") == (reply.error()["code"], reply.header("retry-after"))
            assert (True, "none; reason=missing_referer") == ours(reply)
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


# -- what the upstream gets


def test_the_upstream_gets_its_own_key_and_nothing_of_the_clients(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        listener = Listener()
        spec = {"api_key": "sk-up", "headers": {"X-Org": "ours"}}
        async with relaying(stores, tmp_path, listener, spec=spec) as rig:
            headers = {
                "X-API-KEY": rig.secret,
                "cOOkie": "session=1",
                "X-Org": "theirs",
                "Connection": "x-hop",
                "X-Hop": "1",
                "TE": "trailers",
                "Accept": "text/event-stream",
                "Content-Type": "application/json",
                **APP,
            }
            assert 200 == (await rig.ask(CHAT, headers=headers)).status
            expected = {
                "Host": rig.upstreams[0]._spec.base_url.removeprefix("http://").removesuffix("/v1"),
                "accept": "text/event-stream",
                "content-type": "application/json",
                "http-referer": "https://cline.bot",
                "x-title": "Cline",
                "x-org": "ours",
                "authorization": "Bearer sk-up",
                "Content-Length": str(len(listener.heard[-1].body)),
            }
            assert expected == listener.headers
            assert {**CHAT, "model": "small"} == json.loads(listener.heard[-1].body)
            assert b"POST /v1/chat/completions HTTP/1.1" == listener.heard[-1].line
            assert all(rig.secret.encode() not in value for _, value in listener.heard[-1].headers)

    run(main)


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (ForwardAttribution.PASS, ("https://cline.bot", "Cline", "game")),
        (ForwardAttribution.REPLACE, ("https://board.example", "tokenboard", None)),
        (ForwardAttribution.DROP, (None, None, None)),
    ],
)
def test_attribution_is_forwarded_as_set(
    stores: Stores, tmp_path: Path, forward: ForwardAttribution, expected: tuple[str | None, ...]
) -> None:
    async def main() -> None:
        listener = Listener()
        async with relaying(stores, tmp_path, listener, spec={"forward_attribution": forward}) as rig:
            reply = await rig.ask(CHAT, headers=APP | {"X-OpenRouter-Categories": "game"})
            assert (True, "https://cline.bot") == ours(reply)
            names = ("http-referer", "x-title", "x-openrouter-categories")
            assert expected == tuple(listener.headers.get(name) for name in names)

    run(main)


def test_the_upstreams_own_word_on_id_and_app_is_replaced_by_ours(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        theirs = [
            "X-Generation-Id: gen-theirs",
            "X-TOKENBOARD-APP: https://theirs",
            "Connection: x-secret",
            "X-Secret: 1",
        ]
        listener = Listener(http(ANSWER, headers=[*theirs, "Set-Cookie: a=b", "X-Request-Id: r1"]))
        async with relaying(stores, tmp_path, listener) as rig:
            reply = await rig.ask(CHAT, headers=APP)
            event = await rig.event()
            named = [value for name, value in reply.headers if name in {"x-generation-id", "x-tokenboard-app"}]
            assert [event.id, "https://cline.bot"] == named
            assert (None, None, "r1") == tuple(map(reply.header, ("set-cookie", "x-secret", "x-request-id")))

    run(main)


@pytest.mark.parametrize(
    ("spec", "body", "expected"),
    [
        ({"strip_prefix": False}, b'{"model":"up/a" }', b'{"model":"up/a" }'),
        ({}, b'{"model":"up/a" , "n":1.0}', b'{"model":"a","n":1.0}'),
        ({}, b'{"model":"up/a/b:free"}', b'{"model":"a/b:free"}'),
        ({}, b'{"model":"up/"}', b'{"model":"up/"}'),
        ({"strip_prefix": False}, b'{"model":"up/a","stream":true}', None),
        ({"strip_prefix": False, "include_usage": False}, STREAMED, STREAMED),
    ],
)  # fmt: skip
def test_the_body_is_the_clients_but_for_the_models_prefix_and_the_wish_for_usage(
    stores: Stores, tmp_path: Path, spec: dict[str, Any], body: bytes, expected: bytes | None
) -> None:
    async def main() -> None:
        listener = Listener(STREAM_HEAD + chunk(FIRST + USED + DONE) + chunk(b""))
        async with relaying(stores, tmp_path, listener, spec=spec) as rig:
            assert 200 == (await rig.ask(body)).status
            sent = expected or b'{"model":"up/a","stream":true,"stream_options":{"include_usage":true}}'
            assert sent == listener.heard[-1].body
            assert json.loads(body)["model"] == (await rig.event()).model

    run(main)


def test_of_a_model_given_twice_the_one_that_is_billed_is_asked_for(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        listener = Listener()
        async with relaying(stores, tmp_path, listener, spec={"strip_prefix": False}) as rig:
            await rig.ask(b'{"model": "tokenboard/echo", "model": "up/dear"}')
            assert b'{"model":"up/dear"}' == listener.heard[-1].body
            assert "up/dear" == (await rig.event()).model

    run(main)


def test_a_body_of_tens_of_megabytes_goes_up_as_it_is(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        listener = Listener()
        async with relaying(stores, tmp_path, listener, spec={"strip_prefix": False}) as rig:
            body = json.dumps({**CHAT, "padding": "\u00e9 model " * 2_000_000}).encode()
            assert len(body) > 25_000_000
            assert 200 == (await rig.ask(body)).status
            assert body == listener.heard[-1].body

    run(main)


def test_a_large_body_is_not_kept_while_its_answer_takes_its_time(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        async def slow(peer: Peer) -> None:
            await peer.answer(STREAM_HEAD + chunk(FIRST))
            await go_on.wait()
            await peer.say(chunk(USED + DONE) + chunk(b""))

        async with relaying(stores, tmp_path, slow) as rig:
            request = rig.request({**CHAT, "stream": True, "padding": "x" * 8_000_000})
            tracemalloc.start()
            try:
                caller = await rig.call(request)
                await caller.head()
                await caller.chunk()
                kept, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert kept < 1_000_000
            go_on.set()
            assert "reported" == (await rig.event()).usage_source

    run(main)


# -- which upstream


def test_the_first_upstream_whose_glob_matches_is_asked_then_the_default(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        listeners = [Listener(), Listener(), Listener()]
        async with upstream(listeners[0]) as a, upstream(listeners[1]) as b, upstream(listeners[2]) as c:
            specs = [
                UpstreamSpec("a", str(a.origin), models=("gpt-4*", "o?-mini")),
                UpstreamSpec("b", str(b.origin), models=("gpt-*", "org/[ab]*", "exact")),
                UpstreamSpec("c", str(c.origin), models=()),
            ]
            async with gateway(stores, tmp_path, specs, default="c") as rig:
                wanted = {
                    "gpt-4o": "a",
                    "gpt-5": "b",
                    "GPT-4o": "c",
                    "o1-mini": "a",
                    "o11-mini": "c",
                    "org/a/b/c": "b",
                    "org/c": "c",
                    "exact": "b",
                    "exactly": "c",
                    "tokenboard/echo2": "c",
                }
                for model in wanted:
                    assert 200 == (await rig.ask({"model": model})).status
                assert list(wanted.items()) == [(event.model, event.provider) for event in rig.events()]
                assert 1 == len([heard for heard in listeners[2].heard if b"GPT-4o" in heard.body])

    run(main)


class Faulty:
    """An upstream with a mistake in it."""

    name = "faulty"

    def serves(self, model: str) -> bool:
        return True

    async def send(self, path: str, request: InferenceRequest, headers: Headers) -> Answer:
        raise ZeroDivisionError("a mistake")

    async def probe(self) -> str | None:
        return None

    async def list_models(self) -> tuple[list[dict[str, Any]], bool]:
        return [], True

    async def aclose(self) -> None:
        pass


def test_a_mistake_of_ours_is_500_in_our_shape_and_still_one_event(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            rig.gateway._upstreams._upstreams = (Faulty(),)
            reply = await rig.ask(CHAT)
            assert (500, (True, "none; reason=missing_referer")) == (reply.error()["code"], ours(reply))
            event = await rig.event()
            assert (500, True, reply.header("x-generation-id")) == (event.status, event.failed, event.id)
        (record,) = caplog.records
        assert record.exc_info is not None

    run(main)


# -- with the clients that people use


def test_the_openai_client_gets_answers_streams_and_errors_it_understands(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        with openai_upstream() as there:
            spec = UpstreamSpec("scripted", there.url, "sk-up", ("scripted/*",), strip_prefix=True)
            async with gateway(stores, tmp_path, [spec]) as rig:
                async with openai.AsyncOpenAI(
                    api_key=rig.secret, base_url=f"http://127.0.0.1:{rig.port}/v1", max_retries=0, default_headers=APP
                ) as client:
                    said: Any = [{"role": "user", "content": "hello"}]
                    whole = await client.chat.completions.create(model="scripted/m", messages=said)
                    assert ("one two three", 10) == (
                        whole.choices[0].message.content,
                        whole.usage and whole.usage.total_tokens,
                    )
                    stream = await client.chat.completions.create(model="scripted/m", messages=said, stream=True)
                    parts = [part async for part in stream]
                    assert "one two three " == "".join(p.choices[0].delta.content or "" for p in parts if p.choices)
                    assert parts[-1].usage is not None
                    there.script.break_after = 2
                    with pytest.raises(openai.APIError, match="The upstream scripted broke off"):
                        _ = [
                            part
                            async for part in await client.chat.completions.create(
                                model="scripted/m", messages=said, stream=True
                            )
                        ]
                    with pytest.raises(openai.BadRequestError, match="is not a model served here"):
                        await client.chat.completions.create(model="other", messages=said)
                    assert ["tokenboard/echo", "scripted/gpt-test"] == [
                        model.id async for model in client.models.list()
                    ]
                assert ["reported", "reported", "estimated"] == [event.usage_source for event in rig.events()]
                assert {"m"} == {asked.body["model"] for asked in there.asked}

    run(main)


def test_http_1_0_and_keep_alive_are_served(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            data = rig.request(ECHO).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
            caller = await rig.call(data)
            assert 200 == (await caller.reply()).status
            assert b"" == await caller.reader.read()

    run(main)


# -- whose path it is


def test_the_gateway_owns_exactly_its_paths(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            own = ["/api/v1/chat/completions", "/v1/chat/completions", "/api/v1/models", "/v1/models"]
            other = [
                "/",
                "/v1",
                "/v1/chat",
                "/v1/chat/completions/",
                "/v2/models",
                "/api/v1/models/x",
                "/API/v1/models",
            ]
            assert [True] * 4 + [False] * 7 == [rig.gateway.owns(path) for path in own + other]

    run(main)


def test_the_application_hands_each_request_to_whoever_owns_its_path(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        asked = []

        async def api(scope: dict[str, Any], receive: Any, send: Any) -> None:
            asked.append((scope["type"], scope["path"]))

        async with gateway(stores, tmp_path) as rig:
            application = Application(rig.gateway, api)  # type: ignore[arg-type]
            transport = httpx.ASGITransport(application)  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                assert 401 == (await client.get("/v1/models")).status_code
            for kind, path in (("http", "/v1/other"), ("websocket", "/v1/models")):
                await application({"type": kind, "path": path}, None, None)  # type: ignore[arg-type]
            assert [("http", "/v1/other"), ("websocket", "/v1/models")] == asked

    run(main)
