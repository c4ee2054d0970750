"""Runs a client's script beside a board, in the client's own runtime, and reads what it tells."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.board import BoardProcess

HERE = Path(__file__).parent
INSTALLED = HERE.parent.parent / ".clients"
WITHIN_S = 110
# Neither may ask the network for anything: what a model costs, whether there is a newer version.
_ENVIRONMENT = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "NO_COLOR": "1"}


def run_python(script: str, board: BoardProcess, key: str) -> dict[str, Any]:
    """Run a Python script of this folder by the clients' own interpreter."""
    _expect("python", "python.txt")
    return _run([str(INSTALLED / "python/bin/python"), str(HERE / script)], HERE, board, key)


def run_node(script: str, board: BoardProcess, key: str) -> dict[str, Any]:
    """Run a module of this folder by Node.js, which finds packages beside a module only: so in a copy."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js and npm are not installed")
    _expect("node", "package.json")
    copy = INSTALLED / "node" / script
    shutil.copyfile(HERE / script, copy)
    return _run(["node", str(copy)], copy.parent, board, key)


def _expect(runtime: str, listed: str) -> None:
    made = INSTALLED / runtime / ".made"
    if made.is_file() and made.read_bytes() == (HERE / listed).read_bytes():
        return
    message = f"the {runtime} clients are not installed; `make test` does it, by tests/clients/install.sh"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _run(command: list[str], folder: Path, board: BoardProcess, key: str) -> dict[str, Any]:
    environment = os.environ | _ENVIRONMENT | {"BOARD_URL": board.url, "BOARD_KEY": key}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=folder, timeout=WITHIN_S, check=False
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))
