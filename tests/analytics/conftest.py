"""A rig on a ledger that the module opens once: the embedded engine takes a while to start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.analytics.rig import Rig, empty, open_catalog
from tokenboard.ledger import Ledger


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    opened = Ledger(f"chdb://{tmp_path_factory.mktemp('ledger') / 'ledger'}")
    opened.migrate()
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def rig(tmp_path: Path, ledger: Ledger) -> Iterator[Rig]:
    catalog = open_catalog(tmp_path)
    empty(ledger)
    made = Rig(ledger, catalog)
    try:
        yield made
    finally:
        made.close()
        catalog.close()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, ledger: Ledger) -> Iterator[Rig]:
    """A rig on which nothing happens, for questions that are refused."""
    catalog = open_catalog(tmp_path_factory.mktemp("quiet"))
    made = Rig(ledger, catalog)
    try:
        yield made
    finally:
        made.close()
        catalog.close()
