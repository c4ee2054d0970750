"""A spool, a catalog on SQLite and a ledger in memory, with a drain between them that can be begun anew."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.drain.fakes import FakeLedger
from tests.events import NOON
from tokenboard.catalog import Catalog
from tokenboard.drain import Drain
from tokenboard.ledger import Ledger
from tokenboard.observability import Counters
from tokenboard.spool import Spool


@pytest.fixture(scope="session")
def empty_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("catalog") / "empty.db"
    catalog = Catalog.open(f"sqlite:///{path}")
    catalog.migrate()
    catalog.close()
    return path


class Rig:
    """All that a drain works with; `restart` opens everything but the ledger anew, as a new process would."""

    def __init__(self, folder: Path, ledger: Any) -> None:
        self.folder = folder
        self.ledger = ledger
        self.told = 0
        self.counters = Counters()
        self.drain: Drain | None = None
        self._opened = False
        self.restart()

    def restart(self, *, new_app_limit: int = 0) -> Drain:
        self.close()
        self._opened = True
        self.spool = Spool(self.folder, "test", max_bytes=10**9, fsync=False, clock_ms=lambda: NOON)
        self.catalog = Catalog.open(f"sqlite:///{self.folder / 'catalog.db'}", new_app_limit=new_app_limit)
        self.drain = Drain(
            self.spool,
            self.catalog,
            cast(Ledger, self.ledger),
            delivered=lambda: self.delivered(),  # noqa: PLW0108 - a test may replace it
            counters=self.counters,
            clock_ms=lambda: NOON,
        )
        return self.drain

    def delivered(self) -> None:
        self.told += 1

    def put(self, *bodies: bytes, events: int = 1) -> None:
        for body in bodies:
            self.spool.append_new(lambda _, body=body: body, self._names(events)).result()  # type: ignore[misc]

    def deliver_all(self) -> int:
        assert self.drain is not None
        batches = 0
        while self.drain.deliver():
            batches += 1
        return batches

    def restart_and_deliver(self) -> int:
        self.restart()
        return self.deliver_all()

    def close(self) -> None:
        if self._opened:
            self.spool.close()
            self.catalog.close()

    def _names(self, events: int, made: list[int] = []) -> list[bytes]:  # noqa: B006 - counts across calls
        made.append(0)
        return [f"{len(made)}-{number}".encode() for number in range(events)]


@pytest.fixture
def rig(tmp_path: Path, empty_catalog: Path) -> Iterator[Rig]:
    shutil.copy(empty_catalog, tmp_path / "catalog.db")
    rig = Rig(tmp_path, FakeLedger())
    yield rig
    rig.close()
