"""Small boards under the pages, in this process, for tests that only look: ``stage`` and ``small``."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.analytics.rig import Rig, open_catalog
from tests.web.rig import SmallBoard, fill
from tests.web.stage import Stage, set_stage
from tokenboard.ledger import Ledger
from tokenboard.web.charts import Renderer


@pytest.fixture(scope="session")
def renderer() -> Iterator[Renderer]:
    opened = Renderer()
    opened.start()
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Return stores with nothing in them; a module fills them in one way."""
    folder = tmp_path_factory.mktemp("web")
    ledger = Ledger(f"chdb://{folder / 'ledger'}")
    ledger.migrate()
    catalog = open_catalog(folder)
    try:
        yield Rig(ledger, catalog)
    finally:
        catalog.close()
        ledger.close()


@pytest.fixture(scope="module")
def stage(rig: Rig, renderer: Renderer) -> Stage:
    """Return a quarter of steady, rising and fading apps; see `set_stage`."""
    return set_stage(rig, renderer)


@pytest.fixture(scope="module")
def browser(stage: Stage) -> TestClient:
    """Return a browser of the stage's pages, which are public."""
    return stage.open()


@pytest.fixture(scope="module")
def small(rig: Rig, renderer: Renderer) -> SmallBoard:
    """Return a board with shown, merged, hidden and private apps, and figures past 10¹²; see `fill`."""
    fill(rig)
    return SmallBoard(rig, renderer)
