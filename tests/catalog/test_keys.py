"""Keys and accounts."""

import hashlib
import json

import pytest
import sqlalchemy as sa

from tests.catalog.conftest import Clock
from tokenboard.catalog import Account, Catalog, InvalidValue, KeyRevoked, LimitReached, UnknownKey, keys, schema
from tokenboard.keys import Key, Scope, digest_of


def test_a_key_is_made_with_its_account(catalog: Catalog, clock: Clock) -> None:
    made = catalog.create_key(" laptop ", ["data", Scope.INFERENCE], actor="ops")
    expected = Key(
        id=1,
        account_id=1,
        account="default",
        label="laptop",
        scopes=frozenset({Scope.DATA, Scope.INFERENCE}),
        digest=hashlib.sha256(made.secret.encode()).digest(),
        hint=f"{made.secret[:6]}…{made.secret[-3:]}",
        created_ms=clock.now,
        revoked_ms=None,
    )
    assert expected == made.key
    assert catalog.keys() == (expected,)
    assert catalog.accounts() == (Account(1, "default", clock.now),)


def test_a_secret_has_256_random_bits_and_is_easy_to_copy(catalog: Catalog) -> None:
    secrets = {catalog.create_key("k", ["data"]).secret for _ in range(20)}
    assert len(secrets) == 20
    for secret in secrets:
        assert secret.startswith("tb-")
        assert len(secret) == len("tb-") + 43
        assert secret.removeprefix("tb-").isalnum()
        assert secret.isascii()


def test_the_secret_is_stored_and_shown_nowhere(catalog: Catalog) -> None:
    made = [catalog.create_key("k", ["admin"])]
    made.append(catalog.rotate_key(1))
    catalog.revoke_key(2)
    with catalog._database.reading() as connection:
        stored = "".join(
            str(tuple(row)) for table in schema.METADATA.sorted_tables for row in connection.execute(sa.select(table))
        )
    for one in made:
        assert one.secret not in stored
        assert one.secret[3:13] not in stored
        assert one.secret not in repr(one)
    assert made[0].key.digest.hex() not in json.dumps(
        [[dict(entry.before), dict(entry.after)] for entry in catalog.log()]
    )


def test_a_digest_is_the_sha256_of_the_secret() -> None:
    assert digest_of("tb-x") == digest_of(b"tb-x") == hashlib.sha256(b"tb-x").digest()
    assert len(digest_of("\ud800")) == 32


def test_keys_of_one_account_share_it(catalog: Catalog) -> None:
    first, second, third = (catalog.create_key("k", ["data"], account) for account in ("team", "other", "team"))
    assert (first.key.account_id, second.key.account_id, third.key.account_id) == (1, 2, 1)


@pytest.mark.parametrize("label", ["", " ", "x" * 101])
def test_a_label_or_account_without_one_to_a_hundred_characters_is_refused(catalog: Catalog, label: str) -> None:
    with pytest.raises(InvalidValue, match="label"):
        catalog.create_key(label, ["data"])
    with pytest.raises(InvalidValue, match="account"):
        catalog.create_key("k", ["data"], label)
    assert (catalog.keys(), catalog.accounts(), catalog.keys_revision()) == ((), (), 0)


@pytest.mark.parametrize("scopes", [[], ["data", "root"], ["DATA"]])
def test_a_key_needs_known_scopes(catalog: Catalog, scopes: list[str]) -> None:
    with pytest.raises(InvalidValue, match="scope") as caught:
        catalog.create_key("k", scopes)
    assert "ingest" in caught.value.hint


def test_a_revoked_key_stays_revoked(catalog: Catalog, clock: Clock) -> None:
    catalog.create_key("k", ["data"])
    clock.now += 5
    revoked = catalog.revoke_key(1)
    assert revoked.revoked_ms == clock.now
    revision = catalog.keys_revision()
    clock.now += 5
    assert catalog.revoke_key(1) == revoked == catalog.keys()[0]
    assert (catalog.keys_revision(), len(catalog.log())) == (revision, 2)


def test_rotating_makes_a_new_key_alike_and_revokes_the_old(catalog: Catalog, clock: Clock) -> None:
    old = catalog.create_key("k", ["data", "admin"], "team").key
    clock.now += 5
    new = catalog.rotate_key(1).key
    assert (2, old.label, old.scopes, old.account_id, "team", clock.now, None) == (
        new.id,
        new.label,
        new.scopes,
        new.account_id,
        new.account,
        new.created_ms,
        new.revoked_ms,
    )
    assert new.digest != old.digest
    first, second = catalog.keys()
    assert (first.revoked_ms, second.revoked_ms) == (clock.now, None)
    with pytest.raises(KeyRevoked):
        catalog.rotate_key(1)


def test_unknown_keys_are_refused(catalog: Catalog) -> None:
    for key_id in (0, 1, -1, 2**40):
        with pytest.raises(UnknownKey):
            catalog.revoke_key(key_id)
        with pytest.raises(UnknownKey):
            catalog.rotate_key(key_id)


def test_what_happens_to_keys_is_logged(catalog: Catalog) -> None:
    catalog.create_key("k", ["data"], actor="ann")
    catalog.rotate_key(1, actor="bob")
    catalog.revoke_key(2, actor="cy")
    assert [(entry.action, entry.actor, entry.key_id, entry.app_id) for entry in reversed(catalog.log())] == [
        ("create_key", "ann", 1, None),
        ("rotate_key", "bob", 1, None),
        ("create_key", "bob", 2, None),
        ("revoke_key", "cy", 2, None),
    ]


def test_every_change_of_keys_moves_their_revision_and_not_that_of_apps(catalog: Catalog) -> None:
    revisions = [catalog.keys_revision()]
    catalog.create_key("k", ["data"])
    revisions.append(catalog.keys_revision())
    catalog.rotate_key(1)
    revisions.append(catalog.keys_revision())
    catalog.revoke_key(2)
    revisions.append(catalog.keys_revision())
    assert sorted(set(revisions)) == revisions
    assert catalog.revision() == 0


def test_keys_in_force_are_limited(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "KEYS_LIMIT", 1)
    catalog.create_key("k", ["data"])
    with pytest.raises(LimitReached):
        catalog.create_key("k", ["data"])
    catalog.rotate_key(1)
    catalog.revoke_key(2)
    catalog.create_key("k", ["data"])


def test_accounts_are_limited(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "ACCOUNTS_LIMIT", 1)
    catalog.create_key("k", ["data"])
    with pytest.raises(LimitReached):
        catalog.create_key("k", ["data"], "another")
    assert len(catalog.keys()) == 1
