"""Who may do what."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tokenboard.auth import Auth
from tokenboard.catalog import Catalog, CatalogUnavailable
from tokenboard.keys import Key, Scope
from tokenboard.problem import Problem

Headers = list[tuple[bytes, bytes]]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    catalog.migrate()
    yield catalog
    catalog.close()


def bearing(secret: str) -> Headers:
    return [(b"accept", b"*/*"), (b"authorization", b"Bearer " + secret.encode())]


def refusal(auth: Auth, headers: Headers, scope: Scope | None = None) -> Problem:
    with pytest.raises(Problem) as caught:
        auth.check(headers, scope)
    return caught.value


def test_a_key_is_let_in_for_its_scopes_only(catalog: Catalog) -> None:
    made = catalog.create_key("k", [Scope.INFERENCE, Scope.DATA])
    auth = Auth(catalog)
    for scope in (Scope.INFERENCE, Scope.DATA, None):
        assert made.key == auth.check(bearing(made.secret), scope)
    problem = refusal(auth, bearing(made.secret), Scope.ADMIN)
    assert (403, {"required_scope": "admin"}) == (problem.status, problem.metadata)
    assert "lacks the scope `admin` (it has: data, inference)" in problem.message


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ([], "Missing Authentication header"),
        ([(b"x-api-key", b"x")], "Invalid API key"),
        ([(b"x-api-key", b" ")], "Missing Authentication header"),
        ([(b"x-api-key", b""), (b"authorization", b"Basic eA==")], "must be `Bearer <key>`"),
        ([(b"authorization", b"Basic eA=="), (b"x-api-key", b"x")], "Invalid API key"),
        ([(b"authorization", b"")], "must be `Bearer <key>`"),
        ([(b"authorization", b"Bearer")], "must be `Bearer <key>`"),
        ([(b"authorization", b"Token x")], "must be `Bearer <key>`"),
        ([(b"authorization", b"Bearer \xff\xfe")], "Invalid API key"),
        ([(b"authorization", b"Bearer " + b"x" * 100_000)], "Invalid API key"),
    ],
)
def test_without_a_key_there_is_a_challenge(catalog: Catalog, headers: Headers, words: str) -> None:
    problem = refusal(Auth(catalog), headers)
    assert (401, {"WWW-Authenticate": "Bearer"}) == (problem.status, problem.headers)
    assert words in problem.message


def test_names_and_scheme_are_matched_without_regard_to_case(catalog: Catalog) -> None:
    made = catalog.create_key("k", ["data"])
    headers = [(b"AuthoRization", b"  bEARER   " + made.secret.encode() + b"  ")]
    assert made.key == Auth(catalog).check(headers, Scope.DATA)


def test_of_several_headers_the_first_counts(catalog: Catalog) -> None:
    made = catalog.create_key("k", ["data"])
    assert 401 == refusal(Auth(catalog), [(b"authorization", b"Bearer x"), *bearing(made.secret)]).status


def test_a_key_may_come_as_anthropics_clients_send_it(catalog: Catalog) -> None:
    made = catalog.create_key("k", ["data"])
    auth = Auth(catalog)
    plain = (b"X-Api-Key", b" " + made.secret.encode() + b" ")
    for headers in ([plain], [(b"authorization", b"Basic eA=="), plain], [(b"authorization", b""), plain]):
        assert made.key == auth.check(headers, Scope.DATA)
    assert 401 == refusal(auth, [(b"x-api-key", b"x"), plain]).status


def test_a_bearer_counts_before_the_other_wherever_they_stand(catalog: Catalog) -> None:
    first, second = (catalog.create_key(label, ["data"]) for label in ("first", "second"))
    auth = Auth(catalog)
    other = (b"x-api-key", second.secret.encode())
    assert first.key == auth.check([other, *bearing(first.secret)], Scope.DATA)
    assert 401 == refusal(auth, [other, *bearing("tb-unknown")]).status


def test_a_key_made_later_is_known_from_the_next_refresh_on(catalog: Catalog) -> None:
    auth = Auth(catalog)
    made = catalog.create_key("k", ["data"])
    assert 401 == refusal(auth, bearing(made.secret)).status
    auth.refresh()
    assert made.key == auth.check(bearing(made.secret), Scope.DATA)


def test_a_revoked_key_is_refused_from_the_next_refresh_on(catalog: Catalog) -> None:
    made = catalog.create_key("k", ["data"])
    auth = Auth(catalog)
    catalog.revoke_key(made.key.id)
    auth.refresh()
    problem = refusal(auth, bearing(made.secret))
    assert (401, True) == (problem.status, f"{made.key.hint} has been revoked" in problem.message)


def test_a_rotated_key_is_refused_and_the_new_one_let_in(catalog: Catalog) -> None:
    made = catalog.create_key("k", ["data"])
    auth = Auth(catalog)
    new = catalog.rotate_key(made.key.id)
    auth.refresh()
    assert new.key == auth.check(bearing(new.secret), Scope.DATA)
    assert 401 == refusal(auth, bearing(made.secret)).status


def test_no_refusal_tells_a_secret(catalog: Catalog) -> None:
    made = catalog.create_key("k", ["data"])
    auth = Auth(catalog)
    assert made.secret not in refusal(auth, bearing(made.secret), Scope.ADMIN).message
    catalog.revoke_key(made.key.id)
    auth.refresh()
    for secret in (made.secret, "tb-guessed"):
        assert secret not in refusal(auth, bearing(secret)).message


def test_the_keys_are_read_only_when_they_have_changed(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = Auth(catalog)
    read = []
    keys = catalog.keys

    def counted() -> tuple[Key, ...]:
        read.append(1)
        return keys()

    monkeypatch.setattr(catalog, "keys", counted)
    for _ in range(5):
        refusal(auth, bearing("tb-unknown"))
    assert [] == read
    catalog.create_key("k", ["data"])
    auth.refresh()
    auth.refresh()
    assert [1] == read


def test_known_keys_stay_in_force_while_the_catalog_is_away(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    made = catalog.create_key("k", ["data"])
    auth = Auth(catalog)

    def away() -> int:
        raise CatalogUnavailable("it is locked")

    monkeypatch.setattr(catalog, "keys_revision", away)
    with pytest.raises(CatalogUnavailable):
        auth.refresh()
    assert made.key == auth.check(bearing(made.secret), Scope.DATA)
    assert 401 == refusal(auth, bearing("tb-unknown")).status


def test_it_may_be_asked_from_any_thread_while_keys_are_read_anew(catalog: Catalog) -> None:
    made = catalog.create_key("first", ["data"])
    auth = Auth(catalog)
    found: list[bool] = []

    def ask() -> None:
        found.extend(
            made.key == auth.check(bearing(made.secret), Scope.DATA)
            and refusal(auth, bearing("tb-unknown")).status == 401
            for _ in range(50)
        )

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    others = []
    for number in range(10):
        others.append(catalog.create_key(f"k{number}", ["data"]))
        auth.refresh()
    for thread in threads:
        thread.join()
    assert [True] * 200 == found
    assert [new.key for new in others] == [auth.check(bearing(new.secret), Scope.DATA) for new in others]
