"""The Data API's limits on a real board: they hold, and outlive the board's end."""

import contextlib
import sqlite3
from pathlib import Path

import httpx

from tests.board import BRISK, UNLIMITED, running_board, wait_for

RANKINGS = "/api/v1/datasets/app-rankings"


def test_a_days_count_survives_a_kill_and_a_restart(tmp_path: Path) -> None:
    environment = UNLIMITED | {"TOKENBOARD_DATA_API__REQUESTS_PER_DAY": "3"}
    with running_board(tmp_path, environment=environment, module=BRISK) as board:
        first, second = board.make_key(label="first"), board.make_key(label="second")
        assert [200, 200] == [ask(board.url, key).status_code for key in (first, second)]
        # Counts reach the disk a moment after their answers: what is there by now outlives the process.
        wait_for(lambda: 2 in counts_on_disk(tmp_path), 10)
        board.kill()
        board.start()
        assert ("200", "0") == (str((last := ask(board.url, first)).status_code), last.headers["x-ratelimit-remaining"])
        refused = ask(board.url, second)
        assert 429 == refused.status_code
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
        assert "day" == refused.json()["error"]["metadata"]["window"]
        assert 200 == httpx.get(f"{board.url}/api/v1/attribution", headers=bearer(first)).status_code
        board.stop()
        board.start()
        assert 429 == ask(board.url, first).status_code


def counts_on_disk(data: Path) -> list[int]:
    with contextlib.closing(sqlite3.connect(data / "limits.sqlite")) as database:
        return [count for (count,) in database.execute("SELECT count FROM counts")]


def ask(url: str, key: str) -> httpx.Response:
    return httpx.get(f"{url}{RANKINGS}", headers=bearer(key), timeout=30)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
