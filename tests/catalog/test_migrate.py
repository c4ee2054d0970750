"""Bringing a database to the program's schema."""

import multiprocessing
import threading
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from tokenboard.catalog import Catalog, SchemaOutdated, SchemaState, SchemaUnknown, migrations, schema

HEAD = "0003"


def test_an_empty_database_is_migrated_once(empty_url: str) -> None:
    catalog = Catalog.open(empty_url)
    assert catalog.schema() == SchemaState(None, HEAD)
    assert not catalog.schema().up_to_date
    assert catalog.migrate() == ["0001", "0002", "0003"]
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


def test_a_database_of_a_newer_program_is_left_alone(catalog: Catalog) -> None:
    with catalog._database.migrating() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaUnknown, match="9999"):
        catalog.migrate()
    assert catalog.schema() == SchemaState("9999", HEAD)


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
    assert catalog.migrate() == ["0001", "0002", "0003"]
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
    assert sorted(applied.get() for _ in processes) == [[], [], ["0001", "0002", "0003"]]
    applied.close()


def test_threads_migrate_one_after_another(empty_url: str) -> None:
    catalog = Catalog.open(empty_url)
    applied: list[list[str]] = []
    threads = [threading.Thread(target=lambda: applied.append(catalog.migrate())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(applied) == [[], [], [], ["0001", "0002", "0003"]]
    catalog.close()


def test_the_migrations_are_in_the_package() -> None:
    folder = Path(next(iter(migrations.__path__)))
    assert (folder / "env.py").is_file()
    files = sorted(path.name for path in (folder / "versions").glob("*.py"))
    assert files == ["0001_catalog.py", "0002_folds.py", "0003_marks.py"]
