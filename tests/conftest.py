"""What several test packages share: one board for those that only ask and feed it, run once."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.board import BoardProcess, running_board
from tests.upstream import OpenAiUpstream, Script, openai_upstream

CONFIG = """
[gateway]
max_body = 100000

[spool]
fsync = false

[attribution]
new_app_limit = 0

[[upstream]]
name = "scripted"
base_url = "{url}"
api_key_env = "SCRIPTED_KEY"
models = ["scripted/*"]
strip_prefix = true

[[upstream]]
name = "claude"
base_url = "{url}"
api_key_env = "SCRIPTED_KEY"
dialect = "anthropic"
models = ["claude/*"]
strip_prefix = true
"""


# How long an example takes is the machine's affair; a test that hangs is ended by its timeout.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

LONG_FIRST = ("tests/system/", "tests/browser/", "tests/ledger/", "tests/catalog/", "tests/web/", "tests/app/")
"""Where tests take longest: begun first, so that at the end no worker is left alone with them."""


TOGETHER = ("tests/browser/",)
"""Packages whose fixtures take longer than their tests: one worker makes them, and runs the package, which is begun
first of all."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long ones first when several workers share the tests."""
    items.sort(key=lambda item: (not item.nodeid.startswith(TOGETHER), not item.nodeid.startswith(LONG_FIRST)))


class FilesAndPackages(LoadFileScheduling):  # type: ignore[misc]
    """Give each worker whole files, and of TOGETHER whole packages."""

    def _split_scope(self, nodeid: str) -> str:
        return next((package for package in TOGETHER if nodeid.startswith(package)), super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Take over `--dist=loadfile`."""
    return FilesAndPackages(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def scripted() -> Iterator[OpenAiUpstream]:
    with openai_upstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(scripted: OpenAiUpstream) -> OpenAiUpstream:
    """Return the session's upstream, its script fresh and nothing asked yet."""
    scripted.script = Script()
    scripted.asked.clear()
    return scripted


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory, scripted: OpenAiUpstream) -> Iterator[BoardProcess]:
    """Run one board for the session, with the scripted upstream behind it."""
    folder: Path = tmp_path_factory.mktemp("board")
    config = folder / "settings.toml"
    config.write_text(CONFIG.format(url=scripted.url))
    environment = {"SCRIPTED_KEY": "sk-upstream-secret"}
    with running_board(folder / "data", config=config, environment=environment, module="tests.brisk") as running:
        yield running


@pytest.fixture(scope="session")
def key(board: BoardProcess) -> str:
    """Return a key with every scope."""
    return board.make_key()


@pytest.fixture
def client(board: BoardProcess, key: str) -> Iterator[httpx.Client]:
    """Return an HTTP client that sends the key."""
    with httpx.Client(base_url=board.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as opened:
        yield opened
