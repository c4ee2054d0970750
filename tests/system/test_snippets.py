"""The snippets of /docs/attribution, run as they are copied, against the board whose page they stand on."""

import os
import shutil
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.board import BoardProcess, today
from tests.system.feed import eventually, rankings

APP = "Night Owl"


@pytest.fixture(scope="module")
def snippets(board: BoardProcess) -> dict[str, dict[str, Any]]:
    found = httpx.get(f"{board.url}/docs/attribution.json", timeout=30).json()["data"]["snippets"]
    return {each["name"]: each for each in found}


def counted(client: httpx.Client) -> int:
    day = str(today())
    return sum(requests for name, _, _, requests in rankings(client, start_date=day, end_date=day) if name == APP)


@pytest.mark.parametrize("name", ["OpenAI SDK, Python", "OpenRouter SDK, Python", "curl"])
def test_a_snippet_works_as_it_is_copied_and_counts_for_its_app(
    snippets: dict[str, dict[str, Any]], client: httpx.Client, key: str, name: str
) -> None:
    before = counted(client)
    code = snippets[name]["code"]
    shell = shutil.which("bash") if name == "curl" else sys.executable
    if shell is None or (name == "curl" and shutil.which("curl") is None):
        pytest.skip("needs bash and curl")
    done = subprocess.run(
        [shell, "-c", code],
        env=os.environ | {"TOKENBOARD_KEY": key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert "Hello, board!" in done.stdout
    eventually(before + 1, lambda: counted(client))
