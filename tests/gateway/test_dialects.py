"""Errors are told as clients of the address read them: Anthropic's on messages, OpenAI's on other inference."""

import json
import typing
from pathlib import Path
from typing import Any

import pytest
from anthropic.types.shared import ErrorResponse, ErrorType

from tests.gateway.rig import HASTY, Stores, gateway, relaying, run
from tests.gateway.upstream_server import Peer
from tokenboard.problem import Dialect, Problem, dialect_of

MESSAGES = "/v1/messages"
ASK: dict[str, Any] = {"model": "up/small", "messages": [{"role": "user", "content": "x"}]}
# As codex 0.171 opens a session.
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "OpenAI-Beta": "responses_websockets=2026-02-06",
    "User-Agent": "codex_cli_rs/0.171.0",
}


@pytest.mark.parametrize(
    ("request_", "status", "kind"),
    [
        ({"key": None}, 401, "authentication_error"),
        ({"key": "tb-wrong"}, 401, "authentication_error"),
        ({"body": b""}, 400, "invalid_request_error"),
        ({"body": ASK | {"model": "nobody/serves-this"}}, 400, "invalid_request_error"),
        ({"body": ASK | {"x": "x" * 2_000}}, 413, "request_too_large"),
        ({"headers": {"Content-Encoding": "gzip"}}, 415, "invalid_request_error"),
        ({"method": "GET"}, 405, "invalid_request_error"),
        ({"headers": {"Transfer-Encoding": "chunked"}, "body": b"zz\r\n"}, 400, "invalid_request_error"),
        ({"headers": {f"x-{number}": "x" for number in range(200)}}, 431, "invalid_request_error"),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value),
)
@pytest.mark.parametrize("path", [MESSAGES, "/api/v1/messages", MESSAGES + "/count_tokens", MESSAGES + "?beta=true"])
def test_every_error_on_messages_has_anthropics_shape(
    stores: Stores, tmp_path: Path, path: str, request_: dict[str, Any], status: int, kind: str
) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path, max_body=1_000) as rig:
            reply = await rig.ask(**({"body": ASK} | request_), path=path)
            told = json.loads(reply.body)
            assert (status, "error", kind) == (reply.status, told["type"], told["error"]["type"])
            # What the HTTP server refuses was given no id.
            assert reply.header("x-generation-id") == told["request_id"] == reply.header("request-id")
            if kind in typing.get_args(ErrorType):
                ErrorResponse.model_validate(told)

    run(main)


def test_a_key_without_the_scope_is_told_which_it_needs(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            reply = await rig.ask(ASK, path=MESSAGES, key=stores.secrets["data"])
            error = reply.error()
            assert ("permission_error", {"required_scope": "inference"}) == (error["type"], error["metadata"])

    run(main)


@pytest.mark.parametrize(
    ("path", "kind"),
    [(MESSAGES, "api_error"), ("/v1/chat/completions", "server_error"), ("/v1/responses", "server_error")],
)
def test_an_upstreams_fault_is_told_in_the_callers_dialect(
    stores: Stores, tmp_path: Path, path: str, kind: str
) -> None:
    async def close(peer: Peer) -> None:
        await peer.hear()

    async def main() -> None:
        async with relaying(stores, tmp_path, close, timeouts=HASTY) as rig:
            reply = await rig.ask(ASK, path=path)
            assert (502, kind) == (reply.error()["code"], reply.error()["type"])

    run(main)


def test_a_board_that_cannot_record_is_overloaded_for_anthropics_clients(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path, max_spool=1) as rig:
            assert 200 == (await rig.ask(ASK | {"model": "tokenboard/echo"})).status
            for path, kind in ((MESSAGES, "overloaded_error"), ("/v1/chat/completions", "server_error")):
                reply = await rig.ask(ASK | {"model": "tokenboard/echo"}, path=path)
                assert (503, kind, "5") == (reply.status, reply.error()["type"], reply.header("retry-after"))

    run(main)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"model": 5}, "model"),
        ({"model": "nobody/serves-this"}, "model"),
        ({"model": "m", "stream": "yes"}, "stream"),
        ({"model": "tokenboard/echo", "messages": 5}, "messages"),
        (b"{", None),
    ],
)
def test_openais_clients_are_told_the_kind_of_error_and_the_member_at_fault(
    stores: Stores, tmp_path: Path, body: Any, param: str | None
) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            error = (await rig.ask(body)).error()
            assert (400, "invalid_request_error", param) == (error["code"], error["type"], error["param"])
            assert {"code", "message", "type", "param"} == error.keys()

    run(main)


@pytest.mark.parametrize("path", ["/v1/responses", "/api/v1/responses", "/v1/chat/completions"])
def test_a_web_socket_is_refused_at_once_in_the_way_that_makes_clients_use_http(
    stores: Stores, tmp_path: Path, path: str
) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            caller = await rig.call(rig.request(method="GET", path=path, headers=HANDSHAKE))
            reply = await caller.reply()
            assert (426, "HTTP/1.1", "upgrade") == (reply.status, reply.header("upgrade"), reply.header("connection"))
            assert "by POST" in reply.error()["message"]
            # The connection lasts: the client goes on over it.
            body = {"model": "tokenboard/echo", "input": "x", "messages": ASK["messages"]}
            await caller.say(rig.request(body, path=path))
            assert 200 == (await caller.reply()).status
            assert 405 == (await rig.ask(method="GET", path=path)).status

    run(main)


@pytest.mark.parametrize(
    ("path", "version", "dialect"),
    [
        ("/v1/messages", False, Dialect.ANTHROPIC),
        ("/api/v1/messages/batches", False, Dialect.ANTHROPIC),
        ("/v1/messagesx", False, Dialect.OPENAI),
        ("/v1/models/x", True, Dialect.ANTHROPIC),
        ("/v1/models/x", False, Dialect.OPENAI),
        ("/v1/files", True, Dialect.ANTHROPIC),
        ("/v1/chat/completions", True, Dialect.OPENAI),
        ("/api/v1/embeddings", False, Dialect.OPENAI),
        ("/api/v1/audio/speech", False, Dialect.OPENAI),
        ("/api/v1/models/a/b/apps", True, Dialect.BOARD),
        ("/api/v1/apps/5", True, Dialect.BOARD),
        ("/api/v1/datasets/app-rankings", False, Dialect.BOARD),
        ("/healthz", True, Dialect.BOARD),
        ("/", False, Dialect.BOARD),
        ("", False, Dialect.BOARD),
    ],
)
def test_the_address_tells_the_dialect_and_a_header_where_two_have_it(
    path: str, version: bool, dialect: Dialect
) -> None:
    headers = [(b"host", b"x"), (b"anthropic-version", b"2023-06-01")] if version else [(b"host", b"x")]
    assert dialect is dialect_of(path, headers)


def test_every_status_has_a_type_that_the_dialect_knows() -> None:
    for status in range(400, 600):
        problem = Problem(status, "no")
        anthropic = problem.error(Dialect.ANTHROPIC)["type"]
        assert anthropic in {*typing.get_args(ErrorType), "request_too_large"}
        assert (status >= 500) == (anthropic in {"api_error", "overloaded_error"} or status == 504)
        assert (status >= 500) == (problem.error(Dialect.OPENAI)["type"] == "server_error")
        assert {"code": status, "message": "no"} == problem.error()
