"""A clock that jumps, as after a bad time server or a lost battery, makes no id that was sent before count again."""

from pathlib import Path

import httpx

from tests.board import BoardProcess

DAY_S = 86_400


def send(board: BoardProcess, key: str, events: list[dict[str, object]]) -> dict[str, int]:
    answer = httpx.post(
        f"{board.url}/api/v1/usage", json=events, headers={"Authorization": f"Bearer {key}"}, timeout=30
    )
    assert 202 == answer.status_code, answer.text
    return dict(answer.json()["data"])


def test_ids_sent_again_after_a_jump_of_the_clock_and_a_restart_are_duplicates(tmp_path: Path) -> None:
    off = tmp_path / "off"
    off.write_text("0")
    environment = {"CLOCK_OFF": str(off)}
    board = BoardProcess(tmp_path / "data", module="tests.system.jumping_clock", environment=environment).start()
    try:
        key = board.make_key()
        used = {"ts": "2026-01-01T00:00:00Z", "model": "m/x", "prompt_tokens": 1, "completion_tokens": 1}
        events = [{"id": f"e-{number}", **used} for number in range(1_000)]
        counts = [send(board, key, events)]
        off.write_text(str(8 * DAY_S))
        counts.append(send(board, key, events))
        assert 0 == board.stop()
        off.write_text(str(16 * DAY_S))
        board = BoardProcess(tmp_path / "data", module="tests.system.jumping_clock", environment=environment).start()
        counts.append(send(board, key, events))
        off.write_text("-3000")
        counts.append(send(board, key, events))
    finally:
        if board.alive():
            board.stop()

    assert [{"accepted": 1_000, "duplicates": 0}] + [{"accepted": 0, "duplicates": 1_000}] * 3 == counts
