"""A ledger of the test's own, on the embedded engine: a process may have one open at a time."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tokenboard.ledger import Ledger


@pytest.fixture
def open_ledger(tmp_path: Path) -> Iterator[Callable[..., Ledger]]:
    """Open a ledger, migrated; the one opened before is closed."""
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


@pytest.fixture
def ledger(open_ledger: Callable[..., Ledger]) -> Ledger:
    return open_ledger()
