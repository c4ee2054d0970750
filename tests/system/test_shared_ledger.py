"""A board whose ledger is a ClickHouse server: both killed in the midst of inserts, every event counted once."""

import random
import threading
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.board import BoardProcess, now_text, today, wait_for
from tests.clickhouse.running import ClickHouse, running_clickhouse
from tests.clickhouse.server import PASSWORD, USER
from tests.ledger.oracle import ask
from tests.system.feed import rankings
from tokenboard.ledger import Ledger

SEED = 20261126
PER_REPORT = 20


def report(board: BoardProcess, key: str, number: int) -> None:
    events = [
        {
            "id": f"e-{number}-{place}",
            "ts": now_text(),
            "referer": f"https://app-{place % 3}.example",
            "model": f"m/{place % 2}",
            "prompt_tokens": 10,
            "completion_tokens": 1,
        }
        for place in range(PER_REPORT)
    ]
    sent = httpx.post(f"{board.url}/api/v1/usage", json=events, headers={"Authorization": f"Bearer {key}"}, timeout=30)
    assert 202 == sent.status_code, sent.text


def killed_in_the_midst(server: ClickHouse, board: BoardProcess, key: str, number: int, skip: int) -> None:
    """Let the server die while it works on the insert of a batch, and start it again."""
    server.fail({"kind": "kill", "match": "INSERT INTO usage", "skip": skip})
    report(board, key, number)
    server.wait_until_dead()
    server.start()


def board_killed_in_the_midst(server: ClickHouse, board: BoardProcess, key: str, number: int, after_s: float) -> None:
    """Kill the board while the server is still at work on its batch, and start it again."""
    before = sum("INSERT INTO usage " in said for said in server.said())
    server.fail({"kind": "slow", "match": "INSERT INTO usage", "seconds": 1.0})
    report(board, key, number)
    wait_for(lambda: sum("INSERT INTO usage " in said for said in server.said()) > before, 30, board.log)
    time.sleep(after_s)
    board.kill()
    board.start()


@pytest.mark.timeout(300)
def test_board_and_server_killed_in_the_midst_of_inserts_and_every_event_counts_once(tmp_path: Path) -> None:
    choose = random.Random(SEED)
    with running_clickhouse(tmp_path / "clickhouse") as server:
        with closing(Ledger(server.dsn)) as first:
            first.migrate()
        config = tmp_path / "settings.toml"
        config.write_text(
            f'[ledger]\ndsn = "clickhouse://{USER}@127.0.0.1:{server.port}/default"\n'
            'password_env = "TOKENBOARD_CLICKHOUSE_SECRET"\n'
        )
        environment = {"TOKENBOARD_CLICKHOUSE_SECRET": PASSWORD}
        board = BoardProcess(
            tmp_path / "data", config=config, environment=environment, module="tests.system.hasty_ledger"
        ).start()
        try:
            key = board.make_key()
            report(board, key, 0)
            killed_in_the_midst(server, board, key, 1, skip=0)
            report(board, key, 2)
            board.wait_until_counted(90)
            board_killed_in_the_midst(server, board, key, 3, choose.uniform(0, 1.2))
            # Both: the server while it completes what the board's death has left.
            waiting = threading.Thread(target=killed_in_the_midst, args=(server, board, key, 4, 0))
            waiting.start()
            waiting.join()
            report(board, key, 5)
            board.wait_until_counted(90)

            with httpx.Client(base_url=board.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
                ranked = rankings(client, start_date=str(today()), end_date=str(today()))
            told = board.run("doctor")
            assert 0 == board.stop()
        finally:
            if board.alive():
                board.kill()
        with closing(Ledger(server.dsn)) as ledger:
            assert [(6 * PER_REPORT, 6 * PER_REPORT)] == ask(ledger, "SELECT count(), uniqExact(id) FROM usage")
            totals = ledger.totals()
        assert dict.fromkeys(totals, totals["usage"]) == totals
        assert 6 * PER_REPORT == sum(row[-1] for row in ranked)
        assert "ledger version" in told
        assert PASSWORD not in told + board.log()
