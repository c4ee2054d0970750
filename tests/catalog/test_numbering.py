"""Ids are given out once, also by a catalog that was set back, on either engine."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tokenboard.catalog import Catalog, CatalogFault, CatalogUnavailable, Marks
from tokenboard.keys import Scope

Open = Callable[..., Catalog]


def key_id(catalog: Catalog, account: str = "default") -> int:
    return catalog.create_key("x", [Scope.DATA], account).key.id


def set_back(catalog: Catalog) -> None:
    """Make the catalog what it was before it gave out any id, as restoring a backup does."""
    with catalog._database.writing() as connection:
        for table in ("audit", "keys", "accounts"):
            connection.execute(sa.text(f"DELETE FROM {table}"))
        connection.execute(sa.text("UPDATE revisions SET value = 0 WHERE name LIKE '%\\_id' ESCAPE '\\'"))


def test_a_catalog_set_back_numbers_above_the_marks_beside_it(open_catalog: Open, tmp_path: Path) -> None:
    catalog = open_catalog(marks=tmp_path / "ids.json")
    assert [1, 2] == [key_id(catalog), key_id(catalog, "second")]
    set_back(open_catalog())
    assert 3 == key_id(catalog)
    assert [3] == [account.id for account in catalog.accounts()]
    assert Marks(0, 3, 3) == Marks(**json.loads((tmp_path / "ids.json").read_text()))


def test_a_board_notes_what_another_has_given_out(open_catalog: Open, tmp_path: Path) -> None:
    one, two = (open_catalog(marks=tmp_path / name) for name in ("one.json", "two.json"))
    assert [1, 2, 3] == [key_id(one), key_id(two), key_id(one)]
    two.join_board("board", instead_of=None)
    set_back(open_catalog())
    assert 4 == key_id(two), "though the third was the other board's"


def test_without_marks_beside_it_a_catalog_is_told_what_others_hold(open_catalog: Open, tmp_path: Path) -> None:
    catalog = open_catalog(marks=tmp_path / "ids.json")
    catalog.number_above(Marks(7, 8, 9))
    catalog.number_above(Marks(1, 1, 1))
    assert Marks(7, 8, 9) == catalog.marks()
    assert (9, 10) == (key_id(catalog), catalog.accounts()[0].id)


def test_an_id_whose_mark_cannot_be_written_is_not_given_out_and_leaves_no_gap(
    open_catalog: Open, tmp_path: Path
) -> None:
    catalog = open_catalog(marks=tmp_path / "away" / "ids.json")
    for _ in range(3):
        with pytest.raises(CatalogUnavailable, match="no id can be given out"):
            key_id(catalog)
    assert () == catalog.keys()
    (tmp_path / "away").mkdir()
    assert 1 == key_id(catalog)


def test_a_commit_that_fails_again_and_again_uses_up_no_ids(
    open_catalog: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = open_catalog(marks=tmp_path / "ids.json")
    engine = catalog._database._engine

    def fail(_: object) -> None:
        raise sa.exc.OperationalError("COMMIT", None, engine.dialect.loaded_dbapi.OperationalError("disk is full"))

    sa.event.listen(engine, "commit", fail)
    for _ in range(3):
        with pytest.raises(CatalogUnavailable):
            key_id(catalog)
    sa.event.remove(engine, "commit", fail)
    assert 1 == key_id(catalog)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"app_id": "x", "key_id": 1, "account_id": 1}'])
def test_marks_that_cannot_be_read_give_out_nothing(text: str, open_catalog: Open, tmp_path: Path) -> None:
    catalog = open_catalog(marks=tmp_path / "ids.json")
    (tmp_path / "ids.json").write_text(text)
    with pytest.raises(CatalogFault, match=r"ids\.json, which says up to which number"):
        key_id(catalog)
    assert () == catalog.keys()
