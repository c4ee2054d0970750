"""Where sessions are kept: what the pages ask of a store of them, and this board's own."""

from typing import Final, Protocol

from tokenboard.auth import Sessions
from tokenboard.workers import Workers

_THREADS: Final = 4


class SessionStore(Protocol):
    """Opens, knows and ends sessions; a session is a random token, kept as its SHA-256 alone."""

    async def begin(self, key: bytes) -> str:
        """Open a session of a key, which is known by its digest, and return its token.

        Raises:
            Problem: 503, no session can be kept now.

        """

    async def key_of(self, token: str) -> bytes | None:
        """Return the digest of the key that opened a session, None when there is no such session any more.

        Raises:
            Problem: 503, nobody can tell now.

        """

    async def end(self, token: str) -> None:
        """End a session for good; nothing happens when there is none.

        Raises:
            Problem: 503, it is not ended for good.

        """


class LocalSessions:
    """The sessions of this board alone; the disk is waited for in threads."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._workers = Workers("sessions", _THREADS)

    async def begin(self, key: bytes) -> str:
        """Open a session of a key and return its token."""
        return await self._workers.run(lambda: self._sessions.begin(key))

    async def key_of(self, token: str) -> bytes | None:
        """Return the digest of the key that opened a session, None when there is no such session any more."""
        return self._sessions.key_of(token)

    async def end(self, token: str) -> None:
        """End a session for good.

        Raises:
            Problem: 503, it is ended, but could open again after a restart.

        """
        await self._workers.run(lambda: self._sessions.end(token))
