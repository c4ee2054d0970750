"""``POST /v1/messages/count_tokens``: asked before a message is sent, put to the model's upstream, never metered."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import MessageTokensCount

from tests.gateway.rig import HASTY, Stores, gateway, relaying, run
from tests.gateway.stage import Stage, http
from tests.gateway.test_gateway import Listener
from tests.gateway.upstream_server import Peer, until, upstream
from tokenboard.gateway import UpstreamDialect, UpstreamSpec
from tokenboard.gateway.count import TOKENS_PER_MEDIUM, estimate

PATH = "/v1/messages/count_tokens"
ASK: dict[str, Any] = {
    "model": "up/claude",
    "system": "Be brief.",
    "messages": [{"role": "user", "content": [{"type": "text", "text": "repeat after me"}]}],
    "tools": [{"name": "weather", "input_schema": {"type": "object"}}],
}
# As claude-code's /context sends it: a count for the system prompt, for each tool and for each file of memory.
HEADERS = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,token-counting-2024-11-01",
    "User-Agent": "claude-cli/2.1.197 (external, cli)",
    "X-App": "cli",
}
ANTHROPIC = {"dialect": UpstreamDialect.ANTHROPIC, "api_key": "sk-up"}
NOT_THERE = http(b'{"error": {"message": "Invalid URL"}}', status=404)


def test_an_anthropic_upstream_counts_and_nothing_is_recorded(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        listener = Listener(http(b'{"input_tokens": 2095}', headers=["request-id: req_1"]))
        async with relaying(stores, tmp_path, listener, spec=ANTHROPIC) as rig:
            for path in (PATH, "/api" + PATH):
                reply = await rig.ask(ASK, path=path, headers=HEADERS)
                assert (200, b'{"input_tokens": 2095}') == (reply.status, reply.body)
                assert "req_1" == reply.header("request-id")
            (heard, _) = listener.heard
            assert b"POST /v1/messages/count_tokens HTTP/1.1" == heard.line
            assert ASK | {"model": "claude"} == json.loads(heard.body)
            assert ("sk-up", HEADERS["anthropic-beta"]) == (
                listener.headers["x-api-key"],
                listener.headers["anthropic-beta"],
            )
            # The eighteen counts of one /context would otherwise be eighteen metered messages.
            assert [] == rig.events()

    run(main)


def test_the_echo_counts_what_it_would_report(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            body = ASK | {"model": "tokenboard/echo"}
            counted = json.loads((await rig.ask(body, path=PATH)).body)
            assert {"input_tokens": 5} == counted
            assert [] == rig.events()
            said = json.loads((await rig.ask(body, path="/v1/messages")).body)
            assert counted["input_tokens"] == said["usage"]["input_tokens"]

    run(main)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"messages": [{"role": "assistant", "content": "one two"}]}, 2),
        ({"messages": [], "system": [{"type": "text", "text": "one two three"}]}, 3),
    ],
)
def test_the_echo_counts_what_no_user_has_said(
    stores: Stores, tmp_path: Path, asked: dict[str, Any], expected: int
) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            answer = await rig.ask({"model": "tokenboard/echo", **asked}, path=PATH)
            assert {"input_tokens": expected} == json.loads(answer.body)

    run(main)


def test_an_openai_upstream_that_counts_is_believed(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, Listener(http(b'{"input_tokens": 7}'))) as rig:
            assert {"input_tokens": 7} == json.loads((await rig.ask(ASK, path=PATH)).body)

    run(main)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_where_an_openai_upstream_cannot_count_the_answer_is_an_estimate_that_says_so(
    stores: Stores, tmp_path: Path, status: int
) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, Listener(http(b'{"error": {}}', status=status))) as rig:
            reply = await rig.ask(ASK, path=PATH, headers=HEADERS)
            told = json.loads(reply.body)
            assert (200, "application/json") == (reply.status, reply.header("content-type"))
            assert {"input_tokens", "estimated"} == told.keys()
            assert told["estimated"] is True
            MessageTokensCount.model_validate_json(reply.body)
            assert 10 < told["input_tokens"] < 40
            assert [] == rig.events()

    run(main)


@pytest.mark.parametrize("status", [400, 401, 404, 429])
def test_an_anthropic_upstreams_refusal_is_passed_on(stores: Stores, tmp_path: Path, status: int) -> None:
    refusal = b'{"type": "error", "error": {"type": "x_error", "message": "no"}, "request_id": "req_1"}'

    async def main() -> None:
        async with relaying(stores, tmp_path, Listener(http(refusal, status=status)), spec=ANTHROPIC) as rig:
            reply = await rig.ask(ASK, path=PATH)
            assert (status, refusal) == (reply.status, reply.body)
            assert [] == rig.events()

    run(main)


def test_an_upstream_that_is_away_is_passed_over_or_told_in_anthropics_shape(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        listener = Listener(http(b'{"input_tokens": 3}'))
        away = UpstreamSpec("away", "http://127.0.0.1:1", models=("up/*", "gone/*"), timeouts=HASTY)
        async with upstream(listener) as there:
            up = UpstreamSpec("up", str(there.origin), models=("up/*",), dialect=UpstreamDialect.ANTHROPIC)
            async with gateway(stores, tmp_path, [away, up]) as rig:
                assert {"input_tokens": 3} == json.loads((await rig.ask(ASK, path=PATH)).body)
                gone = await rig.ask(ASK | {"model": "gone/claude"}, path=PATH)
                assert (502, "api_error") == (gone.status, gone.error()["type"])
                assert [] == rig.events()

    run(main)


@pytest.mark.parametrize(
    ("answer", "status"), [(b"", 502), (http(b"x" * 1_200_000), 502), (http(b"{", length=100), 502)]
)
def test_an_answer_that_is_no_count_is_a_fault_of_the_upstream(
    stores: Stores, tmp_path: Path, answer: bytes, status: int
) -> None:
    async def once(peer: Peer) -> None:
        await peer.answer(answer)

    async def main() -> None:
        async with relaying(stores, tmp_path, once, spec=ANTHROPIC, timeouts=HASTY) as rig:
            reply = await rig.ask(ASK, path=PATH)
            assert (status, "api_error") == (reply.error()["code"], reply.error()["type"])

    run(main)


def test_a_client_that_leaves_lets_the_upstream_go(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(b"")
        async with relaying(stores, tmp_path, stage, spec=ANTHROPIC) as rig:
            caller = await rig.call(rig.request(ASK, path=PATH))
            await stage.heard.wait()
            stage.play(0)
            await asyncio.sleep(0)
            caller.leave()
            await asyncio.wait_for(stage.dropped.wait(), 10)
            await until(rig.settled)

    run(main)


def test_a_full_spool_counts_all_the_same_for_nothing_is_recorded(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, Listener(http(b'{"input_tokens": 7}')), max_spool=1) as rig:
            assert [200, 503] == [(await rig.ask(ASK, path="/v1/messages")).status for _ in range(2)]
            assert 200 == (await rig.ask(ASK, path=PATH)).status

    run(main)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"messages": []}, 0),
        ({"messages": [], "system": "x" * 400}, 100),
        ({"messages": [{"content": "x" * 389}]}, 99),
        ({"messages": [{"content": [{"text": "é" * 396}]}]}, (396 + 4 + 7 + 3) // 4),
        ({"messages": [{"source": {"type": "base64", "data": "A" * 100_000}}]}, TOKENS_PER_MEDIUM),
        ({"messages": [{"source": {"type": "text", "data": "A" * 380}}]}, 100),
        ({"messages": [], "max_tokens": 5, "metadata": {"user_id": "x" * 400}}, 0),
    ],
)
def test_an_estimate_is_of_texts_by_four_characters(body: dict[str, Any], expected: int) -> None:
    assert expected == pytest.approx(estimate(json.dumps(body).encode()), abs=3)


def test_a_body_nested_without_end_is_refused(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, Listener(NOT_THERE)) as rig:
            body = b'{"model": "up/m", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
            assert 400 == (await rig.ask(body, path=PATH)).error()["code"]

    run(main)
