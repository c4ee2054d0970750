"""Requests made of the OpenAPI document by schemathesis: no 5xx, and no answer that the document does not describe.

`make fuzz` tries 10,000 of them, `make test` a few hundred.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from tests.board import BoardProcess, now_text, running_board

CASES = int(os.environ.get("TOKENBOARD_FUZZ_CASES", "160"))
"""How many requests are tried, all operations together."""

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)

# What these do could take away the key that the test asks with.
SPARED = ("/admin/keys/",)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoardProcess]:
    """Run a board of its own: what the requests leave behind is nobody else's business."""
    folder: Path = tmp_path_factory.mktemp("fuzzed")
    config = folder / "settings.toml"
    config.write_text("[spool]\nfsync = false\n[attribution]\nnew_app_limit = 0\n")
    with running_board(folder / "data", config=config, module="tests.brisk") as board:
        yield board


@pytest.mark.timeout(3_600)
def test_no_request_is_answered_otherwise_than_the_document_says(fuzzed: BoardProcess) -> None:
    headers = {"Authorization": f"Bearer {fuzzed.make_key()}"}
    feed(fuzzed, headers)
    schema = schemathesis.openapi.from_url(f"{fuzzed.url}/api/v1/openapi.json")
    read: list[Any] = list(schema.get_all_operations())
    found = [each.ok() for each in read]
    described = [each for each in found if each.path not in {"/healthz", "/readyz", "/readyz/gateway"}]
    assert len(described) > 20
    asked: list[Any] = [each for each in described if not each.path.startswith(SPARED)]
    examples = max(CASES // (len(asked) * len(MODES)), 1)
    for operation in asked:
        for mode in MODES:
            try_out(operation, mode, examples, headers)
    assert fuzzed.alive()


def try_out(operation: Any, mode: GenerationMode, examples: int, headers: dict[str, str]) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        answer = case.call(headers=headers, timeout=30)
        case.validate_response(answer, checks=CHECKS)

    try:
        one()
    except Exception as error:
        error.add_note(f"{mode} {operation.method} {operation.path}")
        raise


def feed(board: BoardProcess, headers: dict[str, str]) -> None:
    """Let there be something to show."""
    events = [
        {
            "id": f"fuzz-{n}",
            "ts": now_text(),
            "referer": f"https://app-{n % 5}.example",
            "title": f"App {n % 5}",
            "categories": "cli-agent",
            "model": "openai/gpt-4o",
            "prompt_tokens": n,
            "completion_tokens": 1,
        }
        for n in range(20)
    ]
    assert 202 == httpx.post(f"{board.url}/api/v1/usage", json=events, headers=headers).status_code
    board.wait_until_counted()
