"""The shared store when its server is there, away, back, or refuses."""

import asyncio
import logging
import socket
from pathlib import Path

import pytest

from tests.redis_server import RedisServer, needs_redis
from tests.shared.boards import Clock, with_stores
from tokenboard.observability import Counters
from tokenboard.shared import Script, SharedStore, SharedUnavailable
from tokenboard.shared.store import COUNTER, REST_S

pytestmark = needs_redis
SET = Script("return redis.call('SET', KEYS[1], ARGV[1])")


def test_what_one_board_writes_the_other_reads(redis: RedisServer) -> None:
    async def test(one: SharedStore, other: SharedStore) -> None:
        await one.run(SET, [one.key("a", 1)], ["x"])
        assert (b"x", None) == (await other.get(other.key("a", 1)), await other.get(other.key("a", 2)))

    with_stores(redis, Clock(), test)


def test_a_server_that_is_away_is_left_alone_for_a_second_and_found_again(redis: RedisServer) -> None:
    clock = Clock()

    async def test(store: SharedStore) -> None:
        await store.run(SET, ["k"], ["x"])
        redis.stop()
        for _ in range(3):
            with pytest.raises(SharedUnavailable):
                await store.get("k")
        assert 1 == store._counters.read()[COUNTER]
        redis.start()
        with pytest.raises(SharedUnavailable):
            await store.get("k")
        clock.now_s += REST_S
        assert (None, None) == (await store.get("k"), store.failure)
        # A script that a restarted server has forgotten is sent to it again.
        await store.run(SET, ["k"], ["y"])
        assert b"y" == await store.get("k")

    with_stores(redis, clock, test, count=1)


def test_a_server_that_accepts_and_never_answers_costs_a_caller_the_timeout_at_most(tmp_path: Path) -> None:
    async def ask(port: int) -> None:
        store = SharedStore(f"redis://127.0.0.1:{port}/0", counters=Counters(), timeout_s=0.05)
        with pytest.raises(SharedUnavailable, match="Timeout"):
            await store.get("k")
        await store.close()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(ask(silent.getsockname()[1]))


def test_a_wrong_password_is_told_without_any_password(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async def test(store: SharedStore) -> None:
        with caplog.at_level(logging.WARNING), pytest.raises(SharedUnavailable) as told:
            await store.get("k")
        assert "password in [shared]" in told.value.hint
        text = caplog.text + str(told.value) + str([vars(record) for record in caplog.records])
        assert ("wr0ng" in text, redis.password in text) == (False, False)
        assert (await store.diagnose()).startswith("FAILED: ")

    with_stores(redis, Clock(), test, count=1, password="wr0ng")


def test_doctor_is_told_the_version_and_that_scripts_and_writes_are_taken(redis: RedisServer) -> None:
    async def test(store: SharedStore) -> None:
        finding = await store.diagnose()
        assert (True, True) == (finding.startswith("ok: version "), finding.endswith("takes scripts and writes"))

    with_stores(redis, Clock(), test, count=1)
