"""The stores that the gateways of all these tests share: opening them costs more than most tests."""

from collections.abc import Iterator

import pytest

from tests.gateway.rig import Stores
from tokenboard.catalog import Catalog
from tokenboard.keys import Scope


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    folder = tmp_path_factory.mktemp("gateway")
    catalog = Catalog.open(f"sqlite:///{folder / 'catalog.sqlite'}")
    catalog.migrate()
    made = {scope: catalog.create_key(f"{scope} key", [scope], "tests") for scope in (Scope.INFERENCE, Scope.DATA)}
    yield Stores(catalog, {str(scope): new.secret for scope, new in made.items()})
    catalog.close()
