"""A demo board with odd apps, a browser, and pages that tell what went wrong on them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.board import BoardProcess, running_board, today
from tests.browser.chromium import ABSENT, arguments, find_chromium
from tests.browser.odd import MODEL, report_odd_apps

# A third of a year, thin: enough for every page to have something on it, and seeded within seconds.
SEED = ("--days", "120", "--density", "0.1")
CONFIG = """
[attribution]
new_app_limit = 0

[spool]
fsync = false
"""


@dataclass(frozen=True)
class Demo:
    """A running board with a demo of which ``today`` is the day with odd apps.

    ``first`` is the top app's id, ``odd`` are odd apps' ids and titles, ``hidden`` is the id of one that is not shown.
    """

    board: BoardProcess
    key: str
    today: date
    first: int
    odd: dict[int, str]
    hidden: int

    @property
    def url(self) -> str:
        return self.board.url

    def read(self, address: str) -> Any:
        answer = httpx.get(self.url + address, timeout=30)
        assert answer.status_code == 200, (address, answer.text[:300])
        return answer.json()


# The package's, not the session's: an open Playwright keeps this thread's event loop from everybody else.
@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder: Path = tmp_path_factory.mktemp("browser")
    config = folder / "settings.toml"
    config.write_text(CONFIG)
    board = BoardProcess(folder / "data", config=config)
    board.run("seed", *SEED)
    with running_board(folder / "data", config=config, module="tests.brisk") as running:
        key, day = running.make_key(), today()
        titles = report_odd_apps(running, key)
        listed = httpx.get(f"{running.url}/apps.json", params={"q": "strange-"}, timeout=30).json()["data"]
        odd = {row["app_id"]: titles[row["url"]] for row in listed}
        assert len(titles) == len(odd)
        first = httpx.get(f"{running.url}/rankings.json", timeout=30).json()["data"]["apps"][0]["app_id"]
        (hidden,) = _hidden(running, key)
        yield Demo(running, key, day, first, odd, hidden)


def _hidden(board: BoardProcess, key: str) -> list[int]:
    answer = httpx.get(
        f"{board.url}/api/v1/admin/apps",
        params={"visibility": "hidden"},
        headers={"Authorization": f"Bearer {key}"},
        timeout=30,
    )
    return [int(number) for number in re.findall(r'"(?:id|app_id)":\s*(\d+)', answer.text)][:1]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.skip(ABSENT)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=arguments())
        try:
            yield opened
        finally:
            opened.close()


@pytest.fixture(scope="package")
def long_model() -> str:
    """Return the name of a model that is too long for every table."""
    return MODEL
