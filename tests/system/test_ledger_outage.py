"""The ledger away for a while: answers go on, the board says so, everything arrives once afterwards."""

from pathlib import Path

import httpx

from tests.board import now_text, running_board, today, wait_for
from tests.system.feed import eventually, rankings

ASKED = 40


def test_answers_go_on_and_everything_arrives_once_when_the_ledger_is_back(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    with running_board(
        tmp_path / "data", environment={"FAIL_WHILE": str(broken)}, module="tests.system.failing_ledger"
    ) as board:
        headers = {"Authorization": f"Bearer {board.make_key()}", "HTTP-Referer": "https://patient.example"}
        with httpx.Client(base_url=board.url, headers=headers, timeout=30) as client:
            broken.touch()
            body = {"model": "tokenboard/echo", "messages": [{"role": "user", "content": "one two"}]}
            for _ in range(ASKED):
                assert 200 == client.post("/v1/chat/completions", json=body).status_code
            event = {"id": "only-once", "ts": now_text(), "model": "m", "prompt_tokens": 1, "completion_tokens": 0}
            for expected in ({"accepted": 1, "duplicates": 0}, {"accepted": 0, "duplicates": 1}):
                answer = client.post("/api/v1/usage", json=[event | {"referer": "https://patient.example"}])
                assert (202, expected) == (answer.status_code, answer.json()["data"])

            wait_for(lambda: client.get("/readyz").status_code == 503)
            state = client.get("/readyz").json()
            assert ("not ready", ASKED + 1) == (state["status"], state["spool"]["pending"])
            assert "delivery fails" in state["checks"]["ledger"]
            window = {"start_date": str(today()), "end_date": str(today())}
            assert [] == rankings(client, **window)

            # A restart in the middle of the outage loses nothing either.
            assert 0 == board.stop()
            board.start()
            client.base_url = httpx.URL(board.url)
            wait_for(lambda: "delivery fails" in board.ready()["checks"]["ledger"])
            assert ASKED + 1 == board.ready()["spool"]["pending"]

            broken.unlink()
            board.wait_until_counted(40)
            expected_row = [("patient.example", 1, ASKED * 4 + 1, ASKED + 1)]
            eventually(expected_row, lambda: rankings(client, **window))
            assert 200 == client.get("/readyz").status_code
            wait_for(lambda: "delivery to the ledger works again" in board.log())
