"""The rate limits of several boards as one: counted in a Redis server."""

from typing import Final

from tokenboard.rate_limits.rate_limits import RateLimits, Verdict, Window
from tokenboard.shared import Script, SharedStore, SharedUnavailable

# Room in every window is looked for before any is counted in, so that a refused question counts nowhere.
_TAKE: Final = Script(
    """
    local counts, refused = {}, 0
    for i, key in ipairs(KEYS) do
        counts[i] = tonumber(redis.call('GET', key) or '0')
        if counts[i] >= tonumber(ARGV[2 * i - 1]) then refused = 1 end
    end
    if refused == 0 then
        for i, key in ipairs(KEYS) do
            counts[i] = redis.call('INCR', key)
            redis.call('EXPIRE', key, ARGV[2 * i])
        end
    end
    return {refused, unpack(counts)}
    """
)

# A board whose clock is behind still finds the count of the window that it is in.
_KEPT_LONGER_S: Final = 60


class SharedRateLimits:
    """Counts in ``shared`` what ``local`` would count, so that a caller has one limit on all boards.

    While the server is away each board counts by itself, from what it has counted by itself today: a caller may then
    ask each board as often as one. A window is the board's: boards whose clocks differ change it at other moments.
    """

    def __init__(self, shared: SharedStore, local: RateLimits) -> None:
        self._shared = shared
        self._local = local

    async def take(self, *, key_id: int, account_id: int) -> Verdict | None:
        """Count one question of a key and its account, if both may still ask; None when nothing is limited."""
        windows = self._local.windows(key_id=key_id, account_id=account_id)
        if not windows:
            return None
        # One slot for all keys of an account, should the server be a cluster.
        keys = [self._shared.key("limits", f"{{{account_id}}}", each.subject, each.ends_s) for each in windows]
        values = [
            number for each in windows for number in (each.limit, each.ends_s - self._local.now_s() + _KEPT_LONGER_S)
        ]
        try:
            refused, *counts = await self._shared.run(_TAKE, keys, values)
        except SharedUnavailable:
            return await self._local.take(key_id=key_id, account_id=account_id)
        return self._verdict(windows, counts, refused=bool(refused))

    def _verdict(self, windows: list[Window], counts: list[int], *, refused: bool) -> Verdict:
        now = self._local.now_s()
        standing = list(zip(windows, counts, strict=True))
        if refused:
            full = [each for each, count in standing if count >= each.limit]
            last = max(full, key=lambda each: each.ends_s)
            return Verdict(last.limit, 0, last.ends_s, max(last.ends_s - now, 1), last.name)
        nearest, count = min(standing, key=lambda each: each[0].limit - each[1])
        return Verdict(nearest.limit, max(nearest.limit - count, 0), nearest.ends_s, None, nearest.name)
