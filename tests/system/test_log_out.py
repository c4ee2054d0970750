"""Logging out of a board whose pages need a key, as a browser and a thief of its cookie see it."""

from pathlib import Path

import httpx

from tests.board import BRISK, running_board

LOCKED = {"TOKENBOARD_PAGES__VISIBILITY": "key"}


def test_what_is_ended_stays_ended_after_a_restart_and_a_revoked_key_ends_its_sessions_at_once(tmp_path: Path) -> None:
    with running_board(tmp_path / "data", environment=LOCKED, module=BRISK) as board:
        secret, operator = board.make_key("data"), board.make_key("admin")

        def log_in() -> httpx.Cookies:
            answer = httpx.post(f"{board.url}/session", data={"key": secret}, timeout=30)
            assert (303, "/") == (answer.status_code, answer.headers["location"])
            return answer.cookies

        def status(cookies: httpx.Cookies) -> int:
            return httpx.get(f"{board.url}/docs", cookies=cookies, timeout=30).status_code

        ended, kept = log_in(), log_in()
        assert [200, 200] == [status(ended), status(kept)]
        assert 303 == httpx.post(f"{board.url}/session/end", cookies=ended, timeout=30).status_code
        assert [401, 200] == [status(ended), status(kept)]
        board.stop()
        board.start()
        assert [401, 200] == [status(ended), status(kept)]
        headers = {"Authorization": f"Bearer {operator}"}
        keys = httpx.get(f"{board.url}/api/v1/admin/keys", headers=headers, timeout=30).json()["data"]
        (number,) = [key["id"] for key in keys if key["scopes"] == ["data"]]
        assert 200 == httpx.delete(f"{board.url}/api/v1/admin/keys/{number}", headers=headers, timeout=30).status_code
        assert 401 == status(kept)
