"""Ledgers of a test's own: on the embedded engine, of which a process may have one open at a time, and on a server."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.clickhouse.running import ClickHouse, running_clickhouse
from tests.ledger.oracle import ask
from tokenboard.ledger import ROLLUPS, Ledger
from tokenboard.ledger.engines import SINGLE_NODE, Engines

TABLES = ("usage", *ROLLUPS)
SMALL = ("day_changes", "raw_dropped", "rollups_filled", "rebuilds", "board", "schema_files")


@pytest.fixture
def open_ledger(tmp_path: Path) -> Iterator[Callable[..., Ledger]]:
    """Open an embedded ledger, migrated; the one opened before is closed."""
    opened: list[Ledger] = []

    def open_one(name: str = "ledger", *, migrated: bool = True) -> Ledger:
        while opened:
            opened.pop().close()
        opened.append(Ledger(f"chdb://{tmp_path / name}"))
        if migrated:
            opened[0].migrate()
        return opened[0]

    yield open_one
    for ledger in opened:
        ledger.close()


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """Run one server for the session."""
    with running_clickhouse(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@contextmanager
def served(clickhouse: ClickHouse, engines: Engines = SINGLE_NODE) -> Iterator[Ledger]:
    """Open a ledger on the server, migrated and empty; nothing goes wrong, nothing is waited for between attempts."""
    clickhouse.fail()
    with closing(Ledger(clickhouse.dsn, engines=engines, settled_s=0.0, grace_s=0.0)) as ledger:
        tables = dict(ask(ledger, "SELECT name, engine FROM system.tables WHERE database = 'default'"))
        known = "schema_files" in tables and not ask(ledger, "SELECT name FROM schema_files WHERE name >= '9'")
        if (
            known
            and set(tables) == {*TABLES, *SMALL, *(f"{rollup}_view" for rollup in ROLLUPS)}
            and engines is SINGLE_NODE
        ):
            # Sooner than to drop and make them: tokens go with the rows.
            for table in (*TABLES, *SMALL):
                if table != "schema_files":
                    ask(ledger, f"TRUNCATE TABLE {table}")
        else:
            for table in sorted(tables, key=lambda name: tables[name] != "MaterializedView"):
                ask(ledger, f"DROP TABLE IF EXISTS {table} SYNC")
        ledger.migrate()
        yield ledger


@pytest.fixture
def on_server(clickhouse: ClickHouse) -> Iterator[Ledger]:
    """Return a ledger on the server, by clickhouse-connect's HTTP client."""
    with served(clickhouse) as ledger:
        yield ledger


@pytest.fixture(params=["embedded", "server"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """Return a ledger: the contract is the same whatever the engine runs in."""
    if request.param == "embedded":
        return request.getfixturevalue("open_ledger")()  # type: ignore[no-any-return]
    return request.getfixturevalue("on_server")  # type: ignore[no-any-return]
