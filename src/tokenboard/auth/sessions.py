"""Sessions: a browser that has shown a key once, known again by a cookie until it is ended here."""

import contextlib
import hashlib
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from tokenboard.observability import logger
from tokenboard.problem import Problem

LASTS_S = 30 * 86_400
"""Seconds that a session lasts."""

MAX_PER_KEY = 100
"""Sessions of one key at a time; one more ends the oldest."""

LONGEST_TOKEN = 64
"""Characters of a session's token at most; what is longer is none."""

_SIDE_FILES = ("", "-wal", "-shm")
_SCHEMA = "CREATE TABLE IF NOT EXISTS sessions (digest BLOB PRIMARY KEY, key BLOB NOT NULL, ends_s INTEGER NOT NULL)"
_log = logger("access")


class _Session(NamedTuple):
    key: bytes
    ends_s: int


class Sessions:
    """The sessions that are open, in memory and in one SQLite file: what is ended is ended after a restart, too.

    A session is a random token, kept as its SHA-256 alone. ``file`` None keeps them in memory only, and so does a file
    that cannot be read or written, which is logged: its sessions end with the process. Only whoever has a key opens
    one, so that there are at most `MAX_PER_KEY` of each. Whether a key is still in force is `Auth`'s to say. To ask
    takes memory alone; to open and to end wait for the disk. Safe from any thread. ``clock_ms`` tells UTC epoch ms.
    """

    def __init__(self, file: Path | None, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._lock = Lock()
        self._database = None if file is None else _open(file)
        self._open: dict[bytes, _Session] = {}
        if self._database is not None:
            query = "SELECT digest, key, ends_s FROM sessions WHERE ends_s > ? ORDER BY ends_s"
            for digest, key, ends_s in self._database.execute(query, (self._now_s(),)):
                self._open[digest] = _Session(key, ends_s)

    def begin(self, key: bytes) -> str:
        """Open a session of a key, which is known by its digest, and return its token."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            now_s = self._now_s()
            own = [digest for digest, session in self._open.items() if session.key == key]
            ended = [digest for digest, session in self._open.items() if session.ends_s <= now_s]
            ended += own[: max(len(own) - MAX_PER_KEY + 1, 0)]
            digest, session = token_digest(token), _Session(key, now_s + LASTS_S)
            for each in ended:
                self._open.pop(each, None)
            self._open[digest] = session
            try:
                self._write(ended, (digest, session))
            except sqlite3.Error as error:
                facts = {"reason": str(error), "hint": "Free disk space; until then a restart ends new sessions."}
                _log.warning("a session could not be stored", extra=facts)
        return token

    def key_of(self, token: str) -> bytes | None:
        """Return the digest of the key that opened a session, None when there is no such session any more."""
        if not token or len(token) > LONGEST_TOKEN:
            return None
        session = self._open.get(token_digest(token))  # without the lock: one look into a dict
        return session.key if session is not None and session.ends_s > self._now_s() else None

    def end(self, token: str) -> None:
        """End a session for good; nothing happens when there is none.

        Raises:
            Problem: 503, it is ended, but could open again after a restart.

        """
        digest = token_digest(token[:LONGEST_TOKEN])
        with self._lock:
            self._open.pop(digest, None)
            try:
                self._write([digest], None)
            except sqlite3.Error as error:
                facts = {"reason": str(error), "hint": "Free disk space, or revoke the key of the session."}
                _log.error("the end of a session could not be stored", extra=facts)
                raise Problem(
                    503,
                    "The session is ended, but this could not be stored: after a restart it would be open again. "
                    "Try again in a moment.",
                    headers={"Retry-After": "5"},
                ) from error

    def close(self) -> None:
        """Close the file; sessions stay open in memory."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _write(self, ended: list[bytes], begun: tuple[bytes, _Session] | None) -> None:
        if self._database is None:
            return
        with contextlib.closing(self._database.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                cursor.executemany("DELETE FROM sessions WHERE digest = ?", [(digest,) for digest in ended])
                if begun is not None:
                    cursor.execute("INSERT INTO sessions VALUES (?, ?, ?)", (begun[0], *begun[1]))
                cursor.execute("COMMIT")
            except sqlite3.Error:
                with contextlib.suppress(sqlite3.Error):
                    cursor.execute("ROLLBACK")
                raise

    def _now_s(self) -> int:
        return self._clock_ms() // 1000


def token_digest(token: str) -> bytes:
    """Return what a session's token is known by: its SHA-256."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _open(file: Path) -> sqlite3.Connection | None:
    try:
        return _connect(file)
    except (OSError, sqlite3.OperationalError) as error:
        facts = {"reason": str(error), "hint": "Free disk space; until then sessions end with the process."}
        _log.warning("the sessions cannot be read or written", extra=facts)
        return None
    except sqlite3.DatabaseError as error:
        _log.warning("the file of sessions is damaged and begins anew; all have ended", extra={"reason": str(error)})
        for suffix in _SIDE_FILES:
            with contextlib.suppress(FileNotFoundError):
                file.with_name(file.name + suffix).unlink()
        return _connect(file)


def _connect(file: Path) -> sqlite3.Connection:
    file.touch(mode=0o600)
    database = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=1.0)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute(_SCHEMA)
        database.execute("SELECT digest, key, ends_s FROM sessions LIMIT 1").fetchall()
    except BaseException:
        database.close()
        raise
    return database
