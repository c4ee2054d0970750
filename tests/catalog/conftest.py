"""A migrated catalog, on SQLite always and on PostgreSQL when TOKENBOARD_TEST_POSTGRES gives a URL of one to use."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

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


POSTGRES = os.environ.get("TOKENBOARD_TEST_POSTGRES")


@pytest.fixture(params=["sqlite", "postgresql"] if POSTGRES else ["sqlite"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'catalog.db'}"
        return
    given = sa.make_url(str(POSTGRES))
    server = sa.create_engine(given, isolation_level="AUTOCOMMIT")
    name = f"catalog_test_{os.getpid()}_{next(_numbers)}"
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield given.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    server.dispose()


@pytest.fixture
def url(empty_url: str, migrated_file: Path) -> str:
    """The URL of a migrated database with nothing in it."""
    if empty_url.startswith("sqlite"):
        shutil.copy(migrated_file, empty_url.removeprefix("sqlite:///"))
    else:
        catalog = Catalog.open(empty_url)
        catalog.migrate()
        catalog.close()
    return empty_url


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
