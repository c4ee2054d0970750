"""Clients as they are installed, unchanged: each by a small script of its own language, beside one board."""

from typing import Any

import pytest

from tests.board import BoardProcess
from tests.clients.run import WITHIN_S, run_node, run_python
from tests.upstream import OpenAiUpstream

pytestmark = pytest.mark.timeout(WITHIN_S + 20)

SAID = "repeat after me"
UNKNOWN = "nobody/serves-this is not a model served here; GET /api/v1/models lists those that are."
MODELS = ["tokenboard/echo", "scripted/gpt-test", "claude/gpt-test"]


def test_openrouters_sdk_for_node_takes_every_answer(board: BoardProcess, key: str, upstream: OpenAiUpstream) -> None:
    upstream.script.break_after = 2
    told = run_node("openrouter_sdk.mjs", board, key)
    assert [SAID, 6] == told["chat"]
    assert [SAID, SAID] == ["".join(told["chunks"]), "".join(told["deltas"])]
    assert (SAID, [16, 16]) == (told["response"], told["vectors"])
    assert (MODELS, "tokenboard: Echo", ["tokenboard"]) == (told["models"], told["model"], told["endpoints"])
    assert (["tokenboard", "scripted", "claude"], 0) == (told["providers"], told["credits"])
    assert ["BadRequestResponseError", UNKNOWN] == told["errors"]["unknown"]
    # A stream that breaks off is told in a chunk that its schema knows.
    kind, message = told["errors"]["broken"]
    assert "Error" == kind
    assert message.startswith("502 The upstream scripted broke off")


def test_the_ai_sdk_takes_every_answer_by_each_of_its_providers(board: BoardProcess, key: str) -> None:
    told = run_node("ai_sdk.mjs", board, key)
    conversations = {"anthropic", "openai chat", "openai responses", "compatible", "openrouter"}
    assert conversations | {"openai completion"} == told["texts"].keys() == told["streams"].keys()
    assert {name: [SAID, 3, 3] for name in conversations} == {name: told["texts"][name] for name in conversations}
    assert {name: [SAID, 3] for name in conversations} == {name: told["streams"][name] for name in conversations}
    assert SAID in told["texts"]["openai completion"][0]
    assert _each(set(told["texts"]), ["AI_APICallError", 400, UNKNOWN]) == told["errors"]
    assert 16 == told["embedding"]


def test_openais_and_anthropics_sdks_for_node_take_every_answer(board: BoardProcess, key: str) -> None:
    told = run_node("official_sdks.mjs", board, key)
    assert [SAID] * 4 == [told[name] for name in ("chat", "response", "message", "streamed")]
    assert (3, "tokenboard/echo") == (told["counted"], told["found"])
    assert [["model", name] for name in MODELS] == [each[:2] for each in told["models"]]
    assert {
        "openai": ["BadRequestError", 400, "invalid_request_error", "model"],
        "anthropic": ["BadRequestError", 400, "invalid_request_error", None],
        "missing": ["NotFoundError", 404, "not_found_error", None],
    } == told["errors"]


def test_pydantic_ai_takes_every_answer_by_each_of_its_models(board: BoardProcess, key: str) -> None:
    told = run_python("pydantic_ai_calls.py", board, key)
    names = {"openrouter", "chat", "responses", "anthropic"}
    assert _each(names, [SAID, 3, 3]) == told["texts"]
    assert _each(names, SAID) == told["streams"]
    assert _each(names, [400, True]) == told["errors"]


def test_litellm_takes_every_answer_by_each_of_its_routes(board: BoardProcess, key: str) -> None:
    told = run_python("litellm_calls.py", board, key)
    routes = {f"{route}/tokenboard/echo" for route in ("openrouter", "openai", "anthropic")}
    assert _each(routes, [SAID, 3, 3]) == told["texts"]
    assert _each(routes, SAID) == told["streams"]
    assert _each(routes, ["BadRequestError", True]) == told["errors"]
    assert 16 == told["embedding"]


def _each(names: set[str], value: Any) -> dict[str, Any]:
    return dict.fromkeys(names, value)
