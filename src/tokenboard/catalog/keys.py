"""API keys and the accounts they belong to. Every function works inside a transaction of its caller.

A key's secret is shown once, when it is made. Stored are its SHA-256 and a hint to recognize it by: its secret part
is 256 random bits, so neither a salt nor a slow hash would add anything.
"""

import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from tokenboard.catalog import numbering, revisions
from tokenboard.catalog.app import split_list
from tokenboard.catalog.apps import MAX_ID
from tokenboard.catalog.audit import Act, Field, record
from tokenboard.catalog.errors import InvalidValue, KeyRevoked, LimitReached, UnknownKey
from tokenboard.catalog.label import clean_label
from tokenboard.catalog.schema import ACCOUNTS, KEYS
from tokenboard.keys import Key, Scope, digest_of

KEYS_LIMIT = 10_000
"""Most keys in force at a time; revoked ones do not count."""

ACCOUNTS_LIMIT = 10_000

_PREFIX = "tb-"
_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 43
"""62 ** 43 > 2 ** 256: as much as 32 random bytes."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom keys belong to; daily limits are the account's."""

    id: int
    name: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, with the secret that is stored nowhere."""

    secret: str = field(repr=False)
    key: Key


def create(connection: sa.Connection, act: Act, label: str, scopes: Iterable[Scope | str], account: str) -> NewKey:
    """Make a key, and its account when it is new; raises InvalidValue, LimitReached."""
    clean = clean_label(label, "the label")
    allowed = _scopes(scopes)
    _refuse_if_full(connection)
    owner = _account(connection, act, clean_label(account, "the account's name"))
    made = _make(connection, act, clean, allowed, owner)
    record(connection, act, "create_key", Field.KEY, before={}, after=_shown(made.key), key_id=made.key.id)
    return made


def revoke(connection: sa.Connection, act: Act, key_id: int) -> Key:
    """Revoke a key, for good, and return it. A revoked one stays as it is. Raises UnknownKey."""
    key = find(connection, key_id)
    if key.revoked_ms is not None:
        return key
    revoked = _revoke(connection, act, key)
    record(connection, act, "revoke_key", Field.KEY, before=_shown(key), after=_shown(revoked), key_id=key.id)
    return revoked


def rotate(connection: sa.Connection, act: Act, key_id: int) -> NewKey:
    """Make a key of the same label, scopes and account, and revoke the old one; raises UnknownKey, KeyRevoked."""
    old = find(connection, key_id)
    if old.revoked_ms is not None:
        raise KeyRevoked(f"key {key_id} ({old.label}) is revoked")
    revoked = _revoke(connection, act, old)
    made = _make(connection, act, old.label, old.scopes, Account(old.account_id, old.account, 0))
    before = {**_shown(old), "id": old.id}
    record(connection, act, "rotate_key", Field.KEY, before=before, after=_shown(revoked), key_id=old.id)
    record(connection, act, "create_key", Field.KEY, before=before, after=_shown(made.key), key_id=made.key.id)
    return made


def find(connection: sa.Connection, key_id: int) -> Key:
    """Return one key; raises UnknownKey."""
    row = connection.execute(_SELECT.where(KEYS.c.id == key_id)).first() if 0 < key_id <= MAX_ID else None
    if row is None:
        raise UnknownKey(f"no key with the id {key_id}")
    return _read(row)


def listing(connection: sa.Connection) -> tuple[Key, ...]:
    """Return all keys, revoked ones too, by ascending id."""
    return tuple(_read(row) for row in connection.execute(_SELECT.order_by(KEYS.c.id)))


def accounts(connection: sa.Connection) -> tuple[Account, ...]:
    """Return all accounts, by ascending id."""
    rows = connection.execute(sa.select(ACCOUNTS).order_by(ACCOUNTS.c.id))
    return tuple(Account(row.id, row.name, row.created_ms) for row in rows)


_SELECT = sa.select(KEYS, ACCOUNTS.c.name.label("account")).join(ACCOUNTS, ACCOUNTS.c.id == KEYS.c.account_id)


def _scopes(scopes: Iterable[Scope | str]) -> frozenset[Scope]:
    known = {str(scope) for scope in Scope}
    given = frozenset(str(scope) for scope in scopes)
    if not given:
        raise InvalidValue("a key needs at least one scope", hint=f"The scopes: {', '.join(Scope)}")
    for scope in sorted(given - known):
        raise InvalidValue(f"not a scope: {scope[:50]!r}", hint=f"The scopes: {', '.join(Scope)}")
    return frozenset(Scope(scope) for scope in given)


def _refuse_if_full(connection: sa.Connection) -> None:
    in_force = sa.select(sa.func.count()).select_from(KEYS).where(KEYS.c.revoked_ms.is_(None))
    if connection.execute(in_force).scalar_one() >= KEYS_LIMIT:
        raise LimitReached(f"{KEYS_LIMIT} keys are in force, the most there may be")


def _account(connection: sa.Connection, act: Act, name: str) -> Account:
    """Return the account of this name, made when it is new."""
    row = connection.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.name == name)).first()
    if row is not None:
        return Account(row.id, row.name, row.created_ms)
    if connection.execute(sa.select(sa.func.count()).select_from(ACCOUNTS)).scalar_one() >= ACCOUNTS_LIMIT:
        raise LimitReached(f"there are {ACCOUNTS_LIMIT} accounts, the most there may be", hint="Use one that exists.")
    account = Account(numbering.take_id(connection, "account_id"), name, act.at_ms)
    values = {"id": account.id, "name": account.name, "created_ms": account.created_ms}
    connection.execute(sa.insert(ACCOUNTS), values)
    return account


def _make(connection: sa.Connection, act: Act, label: str, scopes: frozenset[Scope], account: Account) -> NewKey:
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    secret = _PREFIX + random
    key = Key(
        id=numbering.take_id(connection, "key_id"),
        account_id=account.id,
        account=account.name,
        label=label,
        scopes=scopes,
        digest=digest_of(secret),
        hint=f"{_PREFIX}{random[:3]}…{random[-3:]}",
        created_ms=act.at_ms,
        revoked_ms=None,
    )
    connection.execute(
        sa.insert(KEYS),
        {
            "id": key.id,
            "account_id": key.account_id,
            "label": key.label,
            "scopes": ",".join(_ordered(scopes)),
            "digest": key.digest.hex(),
            "hint": key.hint,
            "created_ms": key.created_ms,
        },
    )
    revisions.bump(connection, "keys")
    return NewKey(secret, key)


def _revoke(connection: sa.Connection, act: Act, key: Key) -> Key:
    connection.execute(sa.update(KEYS).where(KEYS.c.id == key.id).values(revoked_ms=act.at_ms))
    revisions.bump(connection, "keys")
    return replace(key, revoked_ms=act.at_ms)


def _ordered(scopes: frozenset[Scope]) -> list[str]:
    return [str(scope) for scope in Scope if scope in scopes]


def _shown(key: Key) -> dict[str, Any]:
    """Return what the audit log has of a key: nothing from which its secret could be derived."""
    return {
        "label": key.label,
        "account": key.account,
        "scopes": _ordered(key.scopes),
        "hint": key.hint,
        "revoked": key.revoked_ms is not None,
    }


def _read(row: sa.Row[Any]) -> Key:
    return Key(
        id=row.id,
        account_id=row.account_id,
        account=row.account,
        label=row.label,
        scopes=frozenset(Scope(scope) for scope in split_list(row.scopes)),
        digest=bytes.fromhex(row.digest),
        hint=row.hint,
        created_ms=row.created_ms,
        revoked_ms=row.revoked_ms,
    )
