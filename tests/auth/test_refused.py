"""What an operator sees of keys that were refused: counts by reason, a log line now and then, never a secret."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tokenboard.auth import Auth
from tokenboard.catalog import Catalog
from tokenboard.keys import Scope
from tokenboard.observability import Counters
from tokenboard.problem import Problem

PEER = ("192.0.2.7", 40_000)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    catalog.migrate()
    yield catalog
    catalog.close()


def refuse(auth: Auth, secret: bytes, scope: Scope = Scope.INFERENCE) -> None:
    with pytest.raises(Problem):
        auth.check([(b"authorization", b"Bearer " + secret)], scope, PEER)


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    names = ("reason", "client", "key_length", "looks_like_ours", "key_id")
    return [{name: vars(line)[name] for name in names if name in vars(line)} for line in caplog.records]


def test_the_log_names_the_client_and_the_form_of_the_key_but_no_letter_of_it(
    catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    auth = Auth(catalog, Counters())
    narrow = catalog.create_key("narrow", ["data"])
    auth.refresh()
    refuse(auth, b"tb-SECRETSECRET")
    refuse(auth, narrow.secret.encode())
    assert [
        {"reason": "unknown", "client": "192.0.2.7", "key_length": 15, "looks_like_ours": True},
        {"reason": "scope", "client": "192.0.2.7", "key_id": narrow.key.id},
    ] == told(caplog)
    everything = json.dumps([vars(line) for line in caplog.records], default=str)
    assert ("SECRET" in everything, narrow.secret[3:9] in everything) == (False, False)


def test_a_hundred_thousand_unknown_keys_are_counted_logged_once_and_write_nothing(
    catalog: Catalog, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = Counters()
    auth = Auth(catalog, counters)
    # What the catalog would answer each time; asking SQLite so often is what makes the test slow, not what it shows.
    revision = catalog.keys_revision()
    monkeypatch.setattr(catalog, "keys_revision", lambda: revision)
    before = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    with caplog.at_level(logging.INFO):
        for number in range(100_000):
            refuse(auth, b"tb-%d" % number)
    assert {"refused_keys.unknown": 100_000} == counters.read()
    assert 1 == len(caplog.records)
    assert before == {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
