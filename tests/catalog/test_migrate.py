"""Bringing a database to the program's schema."""

import multiprocessing
import threading
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import get_args

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from tokenboard.catalog import Catalog, Phase, SchemaOutdated, SchemaState, SchemaUnknown, migrate, migrations, schema

HEAD = "0004"
ALL = ["0001", "0002", "0003", "0004"]


def test_an_empty_database_is_migrated_once(empty_url: str) -> None:
    catalog = Catalog.open(empty_url)
    assert catalog.schema() == SchemaState(None, HEAD)
    assert not catalog.schema().up_to_date
    assert catalog.migrate() == ALL
    assert catalog.migrate() == []
    assert catalog.schema() == SchemaState(HEAD, HEAD)
    assert catalog.schema().up_to_date
    catalog.close()


def test_the_migrated_schema_is_the_one_the_program_uses(catalog: Catalog) -> None:
    with catalog._database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.METADATA) == []
        inspector = sa.inspect(connection)
        for table in schema.METADATA.sorted_tables:
            checks = [one for one in table.constraints if isinstance(one, sa.CheckConstraint)]
            named = {str(check.name) for check in checks}
            assert named == {check["name"] for check in inspector.get_check_constraints(table.name)}


def test_before_migrating_everything_says_what_to_do(empty_url: str) -> None:
    catalog = Catalog.open(empty_url)
    for ask in (catalog.revision, catalog.keys_revision, catalog.keys, catalog.apps, catalog.log):
        with pytest.raises(SchemaOutdated) as caught:
            ask()
        assert "migrate" in caught.value.hint
    with pytest.raises(SchemaOutdated):
        catalog.hide(1, "ops")
    catalog.close()


def _put_at(catalog: Catalog, *steps: str) -> None:
    with catalog._database.migrating() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
        for step in steps:
            connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{step}')")


def test_beside_a_newer_programs_first_phase_this_one_works_on_and_changes_nothing(catalog: Catalog) -> None:
    _put_at(catalog, "9999")
    assert [] == catalog.migrate("all")
    assert SchemaState("9999", HEAD, newer=True) == catalog.schema()
    assert (True, False) == (catalog.schema().up_to_date, catalog.schema().post_waits)


@pytest.mark.parametrize("steps", [("9999", "post_9999"), (HEAD, "post_9999"), ("abcd",), ("0000",)])
def test_a_database_that_a_newer_program_has_cleared_up_is_left_alone(catalog: Catalog, steps: tuple[str, ...]) -> None:
    _put_at(catalog, *steps)
    for phase in get_args(Phase):
        with pytest.raises(SchemaUnknown, match=steps[-1]):
            catalog.migrate(phase)
    assert steps[-1] == catalog.schema().foreign
    assert not catalog.schema().up_to_date


@pytest.fixture
def with_post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a step of each phase: a column comes, and once no older program is left another goes."""
    for name, after, body in (
        ("0005", f'"{HEAD}"', 'op.add_column("board", sa.Column("name", sa.Text()))'),
        ("post_0001", "None", 'op.drop_table("duties")'),
    ):
        (tmp_path / f"{name}_test.py").write_text(
            f'import sqlalchemy as sa\nfrom alembic import op\nrevision = "{name}"\ndown_revision = {after}\n'
            f"branch_labels = None\ndepends_on = None\ndef upgrade():\n    {body}\n"
        )
    monkeypatch.setattr(migrate, "LOCATIONS", (*migrate.LOCATIONS, str(tmp_path)))


def test_phases_are_migrated_one_by_one_or_together(catalog: Catalog, with_post: None) -> None:
    assert ["0005"] == catalog.migrate("pre")
    assert SchemaState("0005", "0005", None, "post_0001") == catalog.schema()
    assert (True, True) == (catalog.schema().up_to_date, catalog.schema().post_waits)
    assert [] == catalog.migrate("pre")
    assert ["post_0001"] == catalog.migrate("post")
    assert SchemaState("0005", "0005", "post_0001", "post_0001") == catalog.schema()
    assert (True, False) == (catalog.schema().up_to_date, catalog.schema().post_waits)
    assert [] == catalog.migrate("all")


def test_a_start_leaves_the_second_phase_of_a_shared_database_to_its_operator(
    catalog: Catalog, engine: str, with_post: None
) -> None:
    assert (["0005"] if engine == "postgresql" else ["0005", "post_0001"]) == catalog.migrate()


def test_an_empty_database_gets_both_phases(empty_url: str, with_post: None) -> None:
    catalog = Catalog.open(empty_url)
    assert [*ALL, "0005", "post_0001"] == catalog.migrate()
    catalog.close()


def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    catalog = Catalog.open(empty_url)

    def fail() -> None:
        with catalog._database.migrating() as connection:
            connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")
            raise OSError("power cut")

    with pytest.raises(OSError, match="power cut"):
        fail()
    with catalog._database.reading() as connection:
        assert sa.inspect(connection).get_table_names() == []
    assert catalog.migrate() == ALL
    catalog.close()


def _migrate(url: str, start: Barrier, applied: "multiprocessing.SimpleQueue[list[str]]") -> None:
    catalog = Catalog.open(url)
    start.wait()
    applied.put(catalog.migrate())
    catalog.close()


def test_of_processes_that_migrate_at_once_one_does_it(empty_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(3)
    applied = spawn.SimpleQueue()
    processes = [spawn.Process(target=_migrate, args=(empty_url, start, applied)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert sorted(applied.get() for _ in processes) == [[], [], ALL]
    applied.close()


def test_threads_migrate_one_after_another(empty_url: str) -> None:
    catalog = Catalog.open(empty_url)
    applied: list[list[str]] = []
    threads = [threading.Thread(target=lambda: applied.append(catalog.migrate())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(applied) == [[], [], [], ALL]
    catalog.close()


def test_the_migrations_are_in_the_package() -> None:
    folder = Path(next(iter(migrations.__path__)))
    assert (folder / "env.py").is_file()
    files = sorted(path.name for path in (folder / "versions").glob("*.py"))
    assert files == ["0001_catalog.py", "0002_folds.py", "0003_marks.py", "0004_duties.py"]
