"""Which upstream a request goes to, and what that gets."""

import asyncio
import json
import tracemalloc
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.gateway.rig import APP, Reply, Stores, gateway, relaying, run
from tests.gateway.stage import ANSWER, CHAT, DONE, FIRST, STREAM_HEAD, USED, chunk, http
from tests.gateway.upstream_server import Heard, Peer, upstream
from tests.upstream import openai_upstream
from tokenboard.gateway import ForwardAttribution, UpstreamDialect, UpstreamSpec
from tokenboard.gateway.inference import InferenceRequest
from tokenboard.gateway.introduction import Introduction
from tokenboard.gateway.passthrough import PassRules
from tokenboard.gateway.upstream import Availability
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
        ({}, b'{"model":"up/a" , "n":1.0}', b'{"model":"a" , "n":1.0}'),
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
            assert b'{"model": "up/dear"}' == listener.heard[-1].body
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
    """An upstream with a mistake in it: at once, or after its first piece."""

    name = "faulty"
    dialect = UpstreamDialect.OPENAI
    passes = PassRules(())

    def __init__(self, *, at_once: bool) -> None:
        self._at_once = at_once

    def serves(self, model: str) -> bool:
        return True

    def availability(self) -> Availability:
        return Availability.READY

    async def send(self, path: str, request: InferenceRequest, asked: Introduction) -> Answer:
        if self._at_once:
            raise ZeroDivisionError("a mistake")
        return FaultyAnswer()

    async def probe(self) -> str | None:
        return None

    async def list_models(self) -> tuple[list[dict[str, Any]], bool]:
        return [], True

    async def aclose(self) -> None:
        pass


class FaultyAnswer:
    status = 200
    headers = ((b"content-type", b"text/event-stream"),)
    complete = False
    ended_hint = False
    cancelled = False
    _read = False

    def arrived(self) -> bytes | None:
        return None

    async def read_chunk(self) -> bytes:
        if self._read:
            raise ZeroDivisionError("a mistake")
        self._read = True
        return FIRST

    def cancel(self) -> None:
        FaultyAnswer.cancelled = True


@pytest.mark.parametrize("at_once", [True, False])
def test_a_mistake_of_ours_is_500_in_our_shape_or_a_cut_and_still_one_event(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture, at_once: bool
) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            rig.gateway._upstreams._upstreams = (Faulty(at_once=at_once),)
            reply = await rig.ask({**CHAT, "stream": True})
            event = await rig.event()
            assert (True, "none; reason=missing_referer") == ours(reply)
            assert reply.header("x-generation-id") == event.id
            if at_once:
                assert 500 == reply.error()["code"]
                assert (500, True) == (event.status, event.failed)
            else:
                assert (FIRST, False) == (reply.body, reply.whole)
                assert (200, False, "estimated") == (event.status, event.failed, event.usage_source)
                assert FaultyAnswer.cancelled
        (record,) = [record for record in caplog.records if record.name == "tokenboard.gateway"]
        assert record.exc_info is not None
        assert not [other for other in caplog.records if other is not record and other.exc_info]

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
