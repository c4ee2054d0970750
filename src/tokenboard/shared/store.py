"""One Redis server behind calls that end in time."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from tokenboard.observability import BoundedLog, Counters, logger

REST_S: Final = 1.0
"""How long a server that failed is left alone, in seconds; callers meanwhile do without it, at once."""

COUNTER: Final = "shared.failures"
"""The counter of calls that failed; those made while it rests are not among them."""

_MAX_CONNECTIONS: Final = 64
_MAX_REASON: Final = 300
_log = logger("shared")


class SharedUnavailable(Exception):
    """The server cannot be asked now; the message tells why, without any secret, and the hint what to do."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


class Script:
    """A Lua script, known to the server by its digest once it has run there."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._registered: Any = None

    async def run(self, client: Any, keys: Sequence[str], values: Sequence[str | int | bytes]) -> Any:
        """Run it with these keys and values, on the server of ``client``."""
        if self._registered is None:
            self._registered = client.register_script(self.source)
        return await self._registered(keys=list(keys), args=list(values), client=client)


_PROBE: Final = Script("redis.call('SET', KEYS[1], '1', 'EX', 1) return 1")


class SharedStore:
    """A Redis server, asked from one event loop; each call takes ``timeout_s`` seconds at most.

    After a failure it is left alone for `REST_S`: calls raise at once, so that requests do not each wait in turn for
    a server that is away. ``url`` is ``redis://``, ``rediss://`` or ``unix://``; ``password``, where given, takes the
    place of the one in the URL. Every key begins with ``prefix``. ``clock`` tells monotonic seconds.

    Raises:
        ValueError: the URL is none.

    """

    def __init__(
        self,
        url: str,
        *,
        counters: Counters,
        prefix: str = "tokenboard",
        password: str | None = None,
        timeout_s: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        given: dict[str, Any] = {} if url.startswith("unix:") else {"socket_keepalive": True}
        if password is not None:
            given["password"] = password
        self._client = Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            health_check_interval=15,
            max_connections=_MAX_CONNECTIONS,
            client_name="tokenboard",
            # A second try waits as long as the first: the caller has a better way to go on.
            retry=Retry(NoBackoff(), 0),
            **given,
        )
        self._prefix = prefix
        self._counters = counters
        self._clock = clock
        self._told = BoundedLog(_log)
        self._failed_at: float | None = None
        self._failure: SharedUnavailable | None = None

    @property
    def failure(self) -> SharedUnavailable | None:
        """Why the last call failed; None once one has succeeded again, and before the first."""
        return self._failure

    def key(self, *parts: str | int) -> str:
        """Return the name of a key: the prefix and these parts, colons between them."""
        return ":".join((self._prefix, *map(str, parts)))

    async def run(self, script: Script, keys: Sequence[str], values: Sequence[str | int | bytes]) -> Any:
        """Run a script, as a whole or not at all, and return its answer.

        Raises:
            SharedUnavailable: no answer in time; the script may have run.

        """
        return await self._ask(lambda: script.run(self._client, keys, values))

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key, None when there is none.

        Raises:
            SharedUnavailable: no answer in time.

        """
        value: bytes | None = await self._ask(lambda: self._client.get(key))
        return value

    async def diagnose(self) -> str:
        """Return what an operator should know of the server: ``ok: …`` or ``FAILED: …`` with what to do."""
        try:
            await self.run(_PROBE, [self.key("probe")], [])
            version = (await self._ask(lambda: self._client.info("server"))).get("redis_version", "?")
        except SharedUnavailable as away:
            return f"FAILED: {away}. {away.hint}"
        return f"ok: version {version} takes scripts and writes"

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _ask(self, call: Callable[[], Any]) -> Any:
        if self._failure is not None and self._failed_at is not None and self._clock() - self._failed_at < REST_S:
            raise self._failure
        try:
            answer = await call()
        except (RedisError, OSError, TimeoutError) as error:
            raise self._failed(error) from error
        if self._failure is not None:
            self._failure = self._failed_at = None
            _log.info("the shared store answers again")
        return answer

    def _failed(self, error: Exception) -> SharedUnavailable:
        failure = SharedUnavailable(_reason(error), _hint(error))
        self._failure, self._failed_at = failure, self._clock()
        self._counters.add(COUNTER)
        self._told.warning("away", "the shared store cannot be asked", {"reason": str(failure), "hint": failure.hint})
        return failure


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:_MAX_REASON]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _hint(error: Exception) -> str:
    # What goes wrong while a connection is made comes wrapped.
    causes = (error, error.__cause__, error.__context__)
    if any(isinstance(each, (AuthenticationError, NoPermissionError)) for each in causes):
        return "Check the user and the password in [shared]; docs/settings.md names the commands that are used."
    if isinstance(error, ResponseError):
        return "See the server's log and memory; it must take EVAL, and writes."
    return "Start the Redis server, or correct [shared] redis; until then every board counts by itself."
