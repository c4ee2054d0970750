"""The check in front of every route that needs a key."""

from collections.abc import Iterable
from hmac import compare_digest
from threading import Lock
from typing import Protocol

from tokenboard.auth.refused import Peer, RefusedKeys, Why
from tokenboard.http_fields import credentials
from tokenboard.keys import Key, Scope, digest_of
from tokenboard.observability import Counters
from tokenboard.problem import Problem

_MAX_SECRET = 512
_BEARER = b"Bearer "
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class KeySource(Protocol):
    """Where keys are read from: a catalog, or what a board has published of it."""

    def keys_revision(self) -> int:
        """Return what changes with every change of a key."""

    def keys(self) -> Iterable[Key]:
        """Return all keys, revoked ones too."""


class Auth:
    """Checks keys against a copy in memory; safe from any thread, and no check waits for where they come from.

    The copy is as of the last `refresh`, which whoever follows ``source`` calls; the first is made here. Refusals are
    counted by reason in ``counters``.
    """

    def __init__(self, source: KeySource, counters: Counters | None = None) -> None:
        self._source = source
        self._refused = RefusedKeys(counters or Counters())
        self._lock = Lock()
        self._revision = -1
        # Never changed, only replaced: who checks a key takes no lock.
        self._keys: dict[bytes, Key] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the keys again if any has changed; cheap when none has. Blocks: not for an event loop.

        Raises:
            CatalogUnavailable: the catalog cannot be read; the keys known so far stay in force.

        """
        with self._lock:
            revision = self._source.keys_revision()
            if revision != self._revision:
                self._keys = {key.digest: key for key in self._source.keys()}  # noqa: SIM118 - not a dict
                # Only now: who has seen this number has these keys.
                self._revision = revision

    def check(self, headers: Iterable[tuple[bytes, bytes]], scope: Scope | None, peer: Peer = None) -> Key:
        """Return the key that these request headers carry; ``scope`` None accepts any valid key.

        ``peer`` is where the request came from, for the log of refusals. The key is in ``Authorization: Bearer``, or
        else in ``x-api-key``, where Anthropic's clients put it. Of several headers of one name the first counts.

        Raises:
            Problem: 401 when there is no key or it is not valid, 403 when it lacks the scope.

        """
        authorization = api_key = None
        for name, value in headers:
            lower = name.lower()
            if lower == b"authorization" and authorization is None:
                authorization = value.strip()
            elif lower == b"x-api-key" and api_key is None:
                api_key = value.strip()
        return self.check_credentials(authorization, api_key, scope, peer)

    def check_credentials(
        self, authorization: bytes | None, api_key: bytes | None, scope: Scope | None, peer: Peer = None
    ) -> Key:
        """Return the key in the values of ``Authorization`` and ``x-api-key``, None without one; see `check`."""
        if authorization is not None:
            if authorization.startswith(_BEARER):  # by far the most frequent spelling
                key = self._find(authorization[7:])
                if key is not None and key.revoked_ms is None and (scope is None or scope in key.scopes):
                    return key
            scheme, secret = credentials(authorization)
            if scheme == b"bearer" and secret:
                return self._check(secret, scope, peer)
        if api_key:
            return self._check(api_key, scope, peer)
        if authorization is not None:
            self._refused.note(Why.MALFORMED, peer)
            raise Problem(401, "The Authorization header must be `Bearer <key>`.", headers=_CHALLENGE)
        self._refused.note(Why.MISSING, peer)
        raise Problem(
            401,
            "Missing Authentication header: send `Authorization: Bearer <key>`, or `x-api-key: <key>`; "
            "`tokenboard keys create --label NAME` makes a key.",
            headers=_CHALLENGE,
        )

    @property
    def revision(self) -> int:
        """A number for the keys as they are: a check that was passed holds as long as it stays; ask before checking."""
        return self._revision

    def holds(self, digest: bytes, scope: Scope) -> bool:
        """Whether a key that was checked before, known by its digest, is still in force and has the scope."""
        key = self._keys.get(digest)
        return key is not None and key.revoked_ms is None and scope in key.scopes

    def _check(self, secret: bytes, scope: Scope | None, peer: Peer) -> Key:
        key = self._find(secret)
        if key is None:
            self._refused.note(Why.UNKNOWN, peer, secret=secret)
            raise Problem(
                401, "Invalid API key: it is not known here. `tokenboard keys list` shows the keys.", headers=_CHALLENGE
            )
        if key.revoked_ms is not None:
            self._refused.note(Why.REVOKED, peer, key_id=key.id)
            raise Problem(
                401,
                f"Invalid API key: {key.hint} has been revoked. Ask the board's operator for a new one.",
                headers=_CHALLENGE,
            )
        if scope is not None and scope not in key.scopes:
            self._refused.note(Why.SCOPE, peer, key_id=key.id)
            have = ", ".join(sorted(key.scopes)) or "none"
            raise Problem(
                403,
                f"This key lacks the scope `{scope}` (it has: {have}). "
                f"Create one with `tokenboard keys create --label NAME --scopes {scope}`.",
                metadata={"required_scope": str(scope)},
            )
        return key

    def _find(self, secret: bytes) -> Key | None:
        if len(secret) > _MAX_SECRET:
            return None
        digest = digest_of(secret)
        key = self._keys.get(digest)
        # The look-up is by hash, which a caller cannot steer byte by byte; the comparison is constant-time all the
        # same.
        return key if key is not None and compare_digest(key.digest, digest) else None
