"""Sessions in a Redis server, for several boards."""

import secrets
from collections.abc import Callable
from typing import Final

from tokenboard.auth import LASTS_S, LONGEST_TOKEN, MAX_PER_KEY, token_digest
from tokenboard.problem import Problem
from tokenboard.shared import Script, SharedStore, SharedUnavailable

# A key's sessions by their end: ended ones are forgotten, and the oldest where a key has as many as it may.
_BEGIN: Final = Script(
    """
    local session, sessions = KEYS[1], KEYS[2]
    local key, now, lasts, most, prefix = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
    redis.call('ZREMRANGEBYSCORE', sessions, '-inf', now)
    local oldest = redis.call('ZRANGE', sessions, 0, -most)
    for _, each in ipairs(oldest) do
        redis.call('DEL', prefix .. each)
        redis.call('ZREM', sessions, each)
    end
    redis.call('SET', session, key, 'EX', lasts)
    redis.call('ZADD', sessions, now + lasts, string.sub(session, #prefix + 1))
    redis.call('EXPIRE', sessions, lasts)
    return 1
    """
)
_END: Final = Script("return redis.call('DEL', KEYS[1])")


class SharedSessions:
    """The sessions of several boards: opened at one, open at all, ended at one, ended at all.

    While the server is away nobody signs in or out, and a page that needs a key answers 503 to a browser that has a
    session; keys in headers work on. ``clock_ms`` gives UTC epoch ms.
    """

    def __init__(self, shared: SharedStore, clock_ms: Callable[[], int]) -> None:
        self._shared = shared
        self._clock_ms = clock_ms
        self._prefix = shared.key("session", "")

    async def begin(self, key: bytes) -> str:
        """Open a session of a key and return its token.

        Raises:
            Problem: 503, the server is away.

        """
        token = secrets.token_urlsafe(32)
        keys = [self._prefix + token_digest(token).hex(), self._shared.key("sessions", key.hex())]
        values: list[str | int | bytes] = [key, self._clock_ms() // 1000, LASTS_S, MAX_PER_KEY, self._prefix]
        try:
            await self._shared.run(_BEGIN, keys, values)
        except SharedUnavailable as away:
            raise _away("Nobody can sign in now") from away
        return token

    async def key_of(self, token: str) -> bytes | None:
        """Return the digest of the key that opened a session, None when there is no such session any more.

        Raises:
            Problem: 503, the server is away.

        """
        if (name := self._name(token)) is None:
            return None
        try:
            return await self._shared.get(name)
        except SharedUnavailable as away:
            raise _away("Nobody can tell now whether you are signed in") from away

    async def end(self, token: str) -> None:
        """End a session for good.

        Raises:
            Problem: 503, the server is away.

        """
        if (name := self._name(token)) is None:
            return
        try:
            await self._shared.run(_END, [name], [])
        except SharedUnavailable as away:
            raise _away("The session could not be ended") from away

    def _name(self, token: str) -> str | None:
        """Return the name of a session's key; None when the text is no token of ours."""
        return self._prefix + token_digest(token).hex() if 0 < len(token) <= LONGEST_TOKEN else None


def _away(what: str) -> Problem:
    message = f"{what}: the store that this board shares with others does not answer. Try again in a moment."
    return Problem(503, message, headers={"Retry-After": "5"})
