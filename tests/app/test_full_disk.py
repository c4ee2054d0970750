"""A board that starts on a full disk serves what it has."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.app.reads import reads
from tests.board import running_board
from tokenboard.app.privacy import exposed

READ = {"ranking": [["A", "7"]], "apps": 200, "page": 200, "readyz": "ok"}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A board that has counted one event and was stopped; its folder and a key."""
    data = tmp_path_factory.mktemp("full") / "data"
    data.mkdir()
    data.chmod(0o755)
    with running_board(data, module="tests.brisk") as board:
        key = board.make_key()
        event = {
            "id": "1",
            "ts": "2025-03-01T00:00:00Z",
            "referer": "https://a.example",
            "title": "A",
            "model": "m/x",
            "prompt_tokens": 5,
            "completion_tokens": 2,
        }
        sent = httpx.post(f"{board.url}/api/v1/usage", json=[event], headers={"Authorization": f"Bearer {key}"})
        assert 202 == sent.status_code
        board.wait_until_counted()
    return data, key


def may_mount() -> bool:
    try:
        done = subprocess.run(
            ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
        )
    except FileNotFoundError:
        return False
    return done.returncode == 0


@pytest.mark.skipif(not may_mount(), reason="mounts no disk of its own here")
def test_what_there_is_can_be_read_when_it_starts_on_a_full_disk(stopped: tuple[Path, str], tmp_path: Path) -> None:
    data, key = stopped
    command = ["unshare", "-rm", sys.executable, "-m", "tests.app.full_disk", str(data), key, str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=90, env=os.environ | {"PYTHONPATH": os.getcwd()}
    )
    assert 0 == done.returncode, done.stderr
    assert READ == json.loads(done.stdout.splitlines()[-1])


def test_in_a_folder_made_beforehand_for_everybody_the_stores_are_their_owners_alone(
    stopped: tuple[Path, str],
) -> None:
    data, _ = stopped
    assert 0o755 == stat.S_IMODE(data.stat().st_mode)
    assert [data / "server.log"] == exposed([data])


def test_what_there_is_can_be_read_when_no_file_may_grow(stopped: tuple[Path, str]) -> None:
    data, key = stopped
    # Room for the index that SQLite makes beside a database, and for nothing more.
    limit = {"SMALL_FILES": str(32 * 1024)}
    (data / "server.log").unlink()
    (data / "sessions.sqlite").unlink()
    (data / "limits.sqlite").unlink()
    (data / "reserve").unlink()
    with running_board(data, module="tests.app.small_files", environment=limit) as board:
        assert READ == json.loads(json.dumps(reads(board.url, key)))
        assert "the disk is full" in board.log()
