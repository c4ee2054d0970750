"""Rate limits of several boards: as those of one board, counted together."""

import random

import pytest

from tests.redis_server import RedisServer, needs_redis
from tests.shared.boards import MIDNIGHT_S, Clock, with_stores
from tokenboard.rate_limits import Counts, RateLimits, Verdict
from tokenboard.rate_limits.shared import SharedRateLimits
from tokenboard.shared import SharedStore

pytestmark = needs_redis


def limiter(clock: Clock, per_minute: int, per_day: int) -> RateLimits:
    return RateLimits(Counts(None, clock.ms), per_minute=per_minute, per_day=per_day)


@pytest.mark.parametrize(("per_minute", "per_day"), [(3, 8), (0, 5), (4, 0), (0, 0), (1, 1), (5, 2)])
def test_boards_together_say_what_one_board_alone_says(redis: RedisServer, per_minute: int, per_day: int) -> None:
    clock, chance = Clock(), random.Random(per_minute * 100 + per_day)
    reference = limiter(clock, per_minute, per_day)

    async def test(*stores: SharedStore) -> None:
        boards = [SharedRateLimits(store, limiter(clock, per_minute, per_day)) for store in stores]
        for _ in range(150):
            key_id = chance.randrange(4)
            asked = {"key_id": key_id, "account_id": key_id // 2}
            assert reference.take_now(**asked) == await chance.choice(boards).take(**asked)
            clock.now_s += chance.choice((0, 0, 1, 7, 31, 4_000 if chance.random() < 0.1 else 0))

    with_stores(redis, clock, test, count=3)


def test_boards_count_each_by_itself_while_the_server_is_away_and_together_again_after(redis: RedisServer) -> None:
    clock = Clock()

    async def test(*stores: SharedStore) -> None:
        one, other = (SharedRateLimits(store, limiter(clock, 0, 2)) for store in stores)

        async def take(board: SharedRateLimits) -> Verdict:
            verdict = await board.take(key_id=1, account_id=1)
            assert verdict is not None
            return verdict

        assert Verdict(2, 1, MIDNIGHT_S + 86_400, None, "day") == await take(one)
        redis.stop()
        assert [1, 1, 0, 0] == [(await take(board)).remaining for board in (one, other, one, other)]
        assert [86_400, 86_400] == [(await take(board)).wait_s for board in (one, other)]
        redis.start()
        clock.now_s += 2
        assert [1, 0] == [(await take(board)).remaining for board in (one, other)]

    with_stores(redis, clock, test)


def test_counts_end_with_their_windows(redis: RedisServer) -> None:
    clock = Clock()

    async def test(store: SharedStore) -> None:
        board = SharedRateLimits(store, limiter(clock, 5, 5))
        await board.take(key_id=1, account_id=1)

    with_stores(redis, clock, test, count=1)
    with redis.client() as client:
        seconds = sorted(int(client.ttl(key)) for key in client.scan_iter())
    assert [True, True] == [100 <= seconds[0] <= 120, 86_400 <= seconds[1] <= 86_460]
