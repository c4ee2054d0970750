"""Every inference endpoint: where it goes, what it is called, what is asked of the upstream, how its streams end."""

import json
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import ErrorResponse
from openai.types.responses import ResponseErrorEvent
from openrouter.components import ChatStreamChunk

from tests import dialects
from tests.dialects import Counted
from tests.gateway.rig import HASTY, Stores, gateway, outcome, relaying, run
from tests.gateway.stage import STREAM_HEAD, chunk, http
from tests.gateway.test_gateway import Listener
from tests.gateway.upstream_server import Peer, upstream
from tokenboard.gateway import UpstreamDialect, UpstreamSpec
from tokenboard.gateway.endpoints import ENDPOINTS, MESSAGES, RESPONSES, Endpoint

COUNTED = Counted(prompt=40, completion=2, cached=30, reasoning=1)
ANSWERS: dict[str, bytes] = {
    "chat": dialects.tool_call(COUNTED),
    "completions": dialects.completion(COUNTED),
    "embeddings": dialects.embeddings([1.0], 40),
    "responses": dialects.response(COUNTED),
    "messages": dialects.message(COUNTED, written=3),
}
EVENTS: dict[str, list[bytes]] = {
    "chat": dialects.tool_call_events(COUNTED),
    "completions": dialects.completion_events(COUNTED),
    "responses": dialects.response_events(COUNTED),
    "messages": dialects.message_events(COUNTED, written=3),
}
STRICT: dict[str, Any] = {"responses": ResponseErrorEvent, "chat": ChatStreamChunk, "messages": ErrorResponse}
each = pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.metered], ids=lambda endpoint: endpoint.name)
each_stream = pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.name in EVENTS], ids=lambda e: e.name)


@each
def test_a_request_goes_to_its_path_and_comes_back_untouched_and_counted(
    stores: Stores, tmp_path: Path, endpoint: Endpoint
) -> None:
    async def main() -> None:
        listener = Listener(http(ANSWERS[endpoint.name]))
        async with relaying(stores, tmp_path, listener) as rig:
            for base in ("/api/v1", "/v1"):
                reply = await rig.ask({"model": "up/small", endpoint.input: "x"}, path=base + endpoint.path)
                assert (200, ANSWERS[endpoint.name]) == (reply.status, reply.body)
            assert {f"POST /v1{endpoint.path} HTTP/1.1".encode()} == {heard.line for heard in listener.heard}
            recorded = rig.events()
            completion = 0 if endpoint.name == "embeddings" else 2
            expected = (200, False, "reported", 40, completion)
            assert [(endpoint.name, "up/small", expected)] * 2 == [(e.endpoint, e.model, outcome(e)) for e in recorded]

    run(main)


@each_stream
def test_only_streams_that_need_it_are_asked_for_their_usage(
    stores: Stores, tmp_path: Path, endpoint: Endpoint
) -> None:
    events = EVENTS[endpoint.name]

    async def main() -> None:
        listener = Listener(STREAM_HEAD + b"".join(map(chunk, events)) + b"0\r\n\r\n")
        async with relaying(stores, tmp_path, listener) as rig:
            body = {"model": "up/small", "stream": True, endpoint.input: "x"}
            reply = await rig.ask(body, path="/v1" + endpoint.path)
            assert b"".join(events) == reply.body
            asked = json.loads(listener.heard[0].body)
            expected = {"include_usage": True} if endpoint.name in {"chat", "completions"} else None
            assert expected == asked.get("stream_options")
            recorded = await rig.event()
            assert (True, (200, False, "reported", 40, 2)) == (recorded.streamed, outcome(recorded))

    run(main)


@each
def test_an_empty_body_is_told_what_this_endpoint_needs(stores: Stores, tmp_path: Path, endpoint: Endpoint) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            reply = await rig.ask(b"", path="/v1" + endpoint.path)
            assert f"`model` and `{endpoint.input}`" in reply.error()["message"]
            assert 405 == (await rig.ask(method="GET", path="/v1" + endpoint.path)).error()["code"]

    run(main)


@each
def test_a_client_of_anthropics_gets_in_and_its_key_goes_no_further(
    stores: Stores, tmp_path: Path, endpoint: Endpoint
) -> None:
    async def main() -> None:
        listener = Listener(http(ANSWERS[endpoint.name]))
        async with relaying(stores, tmp_path, listener, spec={"api_key": "sk-up"}) as rig:
            headers = {"x-api-key": rig.secret, "anthropic-version": "2023-06-01"}
            reply = await rig.ask({"model": "up/m"}, path="/v1" + endpoint.path, headers=headers, key=None)
            assert 200 == reply.status
            assert ("Bearer sk-up", None, "2023-06-01") == (
                listener.headers["authorization"],
                listener.headers.get("x-api-key"),
                listener.headers["anthropic-version"],
            )

    run(main)


def test_an_upstream_of_anthropics_gets_its_key_as_it_wants_it(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        listener = Listener(http(ANSWERS["messages"]))
        spec = {"api_key": "sk-up", "dialect": UpstreamDialect.ANTHROPIC}
        async with relaying(stores, tmp_path, listener, spec=spec) as rig:
            await rig.ask({"model": "up/m"}, path="/v1/messages", headers={"X-Api-Key": "tb-x", "a": "b"})
            sent = [(name, value) for name, value in listener.heard[0].headers if b"key" in name or b"auth" in name]
            assert [(b"x-api-key", b"sk-up")] == sent

    run(main)


@pytest.mark.parametrize(
    ("given", "version"), [({}, "2023-06-01"), ({"headers": {"Anthropic-Version": "2099-01-01"}}, "2099-01-01")]
)
def test_an_upstream_of_anthropics_is_asked_for_its_models_with_a_version(
    stores: Stores, tmp_path: Path, given: dict[str, Any], version: str
) -> None:
    async def main() -> None:
        listener = Listener(http(b'{"data": [{"id": "m", "type": "model"}], "has_more": false}'))
        async with upstream(listener) as there:
            spec = UpstreamSpec("a", str(there.origin), "sk-up", dialect=UpstreamDialect.ANTHROPIC, **given)
            async with gateway(stores, tmp_path, [spec]) as rig:
                counted = await rig.ask(method="GET", path="/v1/models/count")
                assert {"data": {"count": 2}} == json.loads(counted.body)
        assert ("sk-up", version) == (listener.headers["x-api-key"], listener.headers["anthropic-version"])
        assert "authorization" not in listener.headers

    run(main)


@each_stream
def test_a_stream_that_breaks_off_ends_with_an_error_its_clients_see(
    stores: Stores, tmp_path: Path, endpoint: Endpoint
) -> None:
    first = EVENTS[endpoint.name][0]

    async def breaks_off(peer: Peer) -> None:
        await peer.answer(STREAM_HEAD + chunk(first))

    async def main() -> None:
        async with relaying(stores, tmp_path, breaks_off, timeouts=HASTY) as rig:
            body = {"model": "up/small", "stream": True}
            reply = await rig.ask(body, path="/v1" + endpoint.path)
            assert reply.whole
            assert reply.body.startswith(first + b"\n")
            name, _, data = reply.body.removeprefix(first).strip().rpartition(b"data: ")
            assert (b"event: error\n" if endpoint in {MESSAGES, RESPONSES} else b"") == name
            told = json.loads(data)
            message = told["error"]["message"]
            assert "broke off" in message
            error = {"code": 502, "message": message, "type": "server_error", "param": None}
            request_id = reply.header("x-generation-id")
            created = told.get("created")
            choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
            expected: dict[str, dict[str, Any]] = {
                "messages": {"type": "error", "error": {"type": "api_error", "message": message}}
                | {"request_id": request_id},
                "responses": {"type": "error", "sequence_number": 0, "code": "502", "message": message}
                | {"param": None, "error": error},
                "completions": {"error": error},
                "chat": {"id": request_id, "object": "chat.completion.chunk", "created": created, "model": "up/small"}
                | {"choices": [choice], "error": error},
            }
            assert expected[endpoint.name] == told
            strict: dict[str, Any] = {
                "responses": ResponseErrorEvent,
                "chat": ChatStreamChunk,
                "messages": ErrorResponse,
            }
            if endpoint.name in strict:
                strict[endpoint.name].model_validate_json(data)
            assert (await rig.event()).usage_source in {"partial", "unknown", "estimated"}

    run(main)
