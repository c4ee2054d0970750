"""A migrated catalog, on SQLite and on PostgreSQL: the one TOKENBOARD_TEST_POSTGRES names, else one of our own."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.postgres import running_postgres
from tokenboard.catalog import Catalog

_numbers = itertools.count()


@dataclass
class Clock:
    """A clock that stands still until it is told otherwise."""

    now: int = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("catalog") / "template.db"
    catalog = Catalog.open(f"sqlite:///{path}")
    catalog.migrate()
    catalog.close()
    return path


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server's URL; its user may make databases."""
    given = os.environ.get("TOKENBOARD_TEST_POSTGRES")
    if given:
        yield given
        return
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> str:
    """The name of a PostgreSQL database with the tables and nothing in them, to be copied."""
    name = f"catalog_template_{os.getpid()}"
    with _server(postgres_url) as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    catalog = Catalog.open(_named(postgres_url, name))
    catalog.migrate()
    catalog.close()
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """The kind of database."""
    return str(request.param)


@pytest.fixture
def empty_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'catalog.db'}"
    else:
        with _database(request.getfixturevalue("postgres_url"), "template0") as url:
            yield url


@pytest.fixture
def url(engine: str, request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path) -> Iterator[str]:
    """The URL of a migrated database with nothing in it."""
    if engine == "sqlite":
        shutil.copy(migrated_file, tmp_path / "catalog.db")
        yield f"sqlite:///{tmp_path / 'catalog.db'}"
    else:
        template = request.getfixturevalue("migrated_postgres")
        with _database(request.getfixturevalue("postgres_url"), template) as url:
            yield url


@contextmanager
def _database(server: str, template: str) -> Iterator[str]:
    name = f"catalog_test_{os.getpid()}_{next(_numbers)}"
    with _server(server) as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    yield _named(server, name)
    with _server(server) as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _server(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _named(url: str, name: str) -> str:
    return sa.make_url(url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def open_catalog(url: str, clock: Clock) -> Iterator[Callable[..., Catalog]]:
    """Open the catalog, as often as wanted; all are closed at the end."""
    opened = []

    def open_one(**settings: object) -> Catalog:
        opened.append(Catalog.open(url, clock=clock, **settings))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for catalog in opened:
        catalog.close()


@pytest.fixture
def catalog(open_catalog: Callable[..., Catalog]) -> Catalog:
    return open_catalog()
