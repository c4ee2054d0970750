"""A board that shares a Redis server: what its callers and its operator see."""

from pathlib import Path

import httpx

from tests.board import running_board
from tests.redis_server import RedisServer, needs_redis

pytestmark = needs_redis

CONFIG = """
[pages]
visibility = "key"

[shared]
redis = "{url}"
password_env = "REDIS_PASSWORD"
"""


def test_limits_and_sessions_are_kept_in_redis_and_the_board_goes_on_without_it(
    redis: RedisServer, tmp_path: Path
) -> None:
    config = tmp_path / "tokenboard.toml"
    config.write_text(CONFIG.format(url=redis.url))
    environment = {"REDIS_PASSWORD": redis.password, "TOKENBOARD_DATA_API__REQUESTS_PER_DAY": "2"}
    with running_board(tmp_path / "data", config=config, environment=environment) as board:
        secret = board.make_key()
        with httpx.Client(base_url=board.url) as browser:

            def data() -> int:
                headers = {"Authorization": f"Bearer {secret}"}
                return browser.get("/api/v1/datasets/app-rankings", headers=headers).status_code

            assert 303 == browser.post("/session", data={"key": secret, "next": "/"}).status_code
            assert 200 == browser.get("/rankings").status_code
            assert [200, 200, 429] == [data(), data(), data()]
            with redis.client() as client:
                kinds = {bytes(key).split(b":")[1] for key in client.scan_iter()}
            assert {b"limits", b"session", b"sessions"} == kinds
            doctor = board.run("doctor")
            assert (True, False) == ("takes scripts and writes" in doctor, redis.password in doctor)

            redis.stop()
            assert [200, 200, 429] == [data(), data(), data()]
            assert 503 == browser.get("/rankings").status_code
            ready = browser.get("/readyz")
            assert (200, True) == (ready.status_code, "Start the Redis server" in ready.json()["shared"])

            redis.start()
            browser.get("/rankings", headers={"Authorization": f"Bearer {secret}"})
        assert redis.password not in board.log()
