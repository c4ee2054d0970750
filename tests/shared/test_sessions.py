"""Sessions of several boards."""

import pytest

from tests.redis_server import RedisServer, needs_redis
from tests.shared.boards import Clock, with_stores
from tokenboard.auth import LASTS_S, MAX_PER_KEY
from tokenboard.problem import Problem
from tokenboard.shared import SharedStore
from tokenboard.web.shared_sessions import SharedSessions

pytestmark = needs_redis
KEY, OTHER = b"k" * 32, b"o" * 32


def test_a_session_opened_at_one_board_is_open_at_the_other_until_it_is_ended_at_either(redis: RedisServer) -> None:
    clock = Clock()

    async def test(*stores: SharedStore) -> None:
        one, other = (SharedSessions(store, clock.ms) for store in stores)
        token = await one.begin(KEY)
        assert (KEY, KEY) == (await one.key_of(token), await other.key_of(token))
        await other.end(token)
        assert (None, None) == (await one.key_of(token), await other.key_of(token))

    with_stores(redis, clock, test)


@pytest.mark.parametrize("token", ["", "x" * 65, "nobody's", "\ud800", "a:b\r\n"])
def test_what_is_no_token_opens_nothing_and_ends_nothing(redis: RedisServer, token: str) -> None:
    clock = Clock()

    async def test(store: SharedStore) -> None:
        sessions = SharedSessions(store, clock.ms)
        await sessions.end(token)
        assert await sessions.key_of(token) is None

    with_stores(redis, clock, test, count=1)


def test_a_key_has_so_many_sessions_and_one_more_ends_the_oldest(redis: RedisServer) -> None:
    clock = Clock()

    async def test(store: SharedStore) -> None:
        sessions = SharedSessions(store, clock.ms)
        others = await sessions.begin(OTHER)
        tokens = []
        for _ in range(MAX_PER_KEY + 2):
            clock.now_s += 1
            tokens.append(await sessions.begin(KEY))
        known = [await sessions.key_of(token) for token in tokens]
        assert [None, None] + [KEY] * MAX_PER_KEY == known
        assert OTHER == await sessions.key_of(others)

    with_stores(redis, clock, test, count=1)


def test_the_server_holds_no_token_and_forgets_a_session_by_itself(redis: RedisServer) -> None:
    clock = Clock()
    tokens: list[str] = []

    async def test(store: SharedStore) -> None:
        tokens.append(await SharedSessions(store, clock.ms).begin(KEY))

    with_stores(redis, clock, test, count=1)
    with redis.client() as client:
        names = [bytes(key) for key in client.scan_iter()]
        assert [True, True] == [LASTS_S - 10 <= int(client.ttl(name)) <= LASTS_S for name in names]
    assert not any(tokens[0].encode() in name for name in names)


def test_while_the_server_is_away_nobody_is_taken_for_signed_out(redis: RedisServer) -> None:
    clock = Clock()

    async def test(store: SharedStore) -> None:
        sessions = SharedSessions(store, clock.ms)
        token = await sessions.begin(KEY)
        redis.stop()
        for attempt in (sessions.key_of(token), sessions.end(token), sessions.begin(KEY)):
            with pytest.raises(Problem) as told:
                await attempt
            assert (503, "5") == (told.value.status, told.value.headers["Retry-After"])

    with_stores(redis, clock, test, count=1)
