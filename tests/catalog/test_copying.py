"""A catalog copied to another database: the same rows, the same ids, and work goes on there."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.catalog.seen import make, seen
from tokenboard.catalog import Catalog, CatalogFault, NotEmpty, copying, schema

HOSTILE = "Ünïcødé \U0001f9a4 %_\\'\"; DROP TABLE apps; --"


def fill(catalog: Catalog) -> None:
    """Leave something of every kind: aliases of later apps, folds, pinned names, undone entries, revoked keys."""
    make(catalog, "https://a.dev", "https://b.dev", "https://c.dev/x", "https://c.dev/y", "https://zz.dev")
    catalog.observe([seen("https://a.dev", HOSTILE, "cloud-agent", at=5)])
    catalog.merge(1, 5, "ops")
    catalog.fold("c.dev", "ops")
    catalog.undo(catalog.rename(2, HOSTILE, "ops").id, "ops")
    catalog.hide(4, "ops")
    catalog.revoke_key(catalog.create_key(HOSTILE, ["data"], HOSTILE).key.id)
    catalog.create_key("k", ["data", "admin"])
    catalog.join_board("board-1", instead_of=None)


def rows(catalog: Catalog) -> dict[str, set[str]]:
    with catalog._database.reading() as connection:
        return {
            table.name: {repr(tuple(row)) for row in connection.execute(sa.select(table))}
            for table in schema.METADATA.sorted_tables
        }


@pytest.fixture
def other(tmp_path: Path) -> Catalog:
    return Catalog.open(f"sqlite:///{tmp_path / 'other.db'}", new_app_limit=0)


def test_a_copy_there_and_back_has_every_row_and_work_goes_on(catalog: Catalog, other: Catalog, tmp_path: Path) -> None:
    other.migrate()
    fill(other)
    counts = other.copy_to(catalog)
    assert rows(other) == rows(catalog)
    assert {"apps": 5, "keys": 2, "board": 1, "folds": 1} == {
        name: counts[name] for name in ("apps", "keys", "board", "folds")
    }
    assert [6] == make(catalog, "https://new.dev")
    assert 3 == catalog.create_key("next", ["data"]).key.id
    assert catalog.root_of(1) == 5
    back = Catalog.open(f"sqlite:///{tmp_path / 'back.db'}")
    catalog.copy_to(back)
    assert rows(catalog) == rows(back)
    back.close()
    other.close()


def test_a_database_in_use_is_not_copied_to(catalog: Catalog, other: Catalog) -> None:
    other.migrate()
    fill(other)
    make(catalog, "https://mine.dev")
    before = rows(catalog)
    with pytest.raises(NotEmpty, match="apps"):
        other.copy_to(catalog)
    assert before == rows(catalog)
    other.close()


def test_a_copy_that_differs_is_not_kept(catalog: Catalog, other: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    other.migrate()
    fill(other)
    empty = rows(catalog)
    real: Callable[..., int] = copying._copy

    def lose_the_titles(source: sa.Connection, target: sa.Connection, table: sa.Table) -> int:
        return 0 if table.name == "app_titles" else real(source, target, table)

    monkeypatch.setattr(copying, "_copy", lose_the_titles)
    with pytest.raises(CatalogFault, match="app_titles"):
        other.copy_to(catalog)
    assert empty == rows(catalog)
    other.close()
