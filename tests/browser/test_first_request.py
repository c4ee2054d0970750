"""A page that somebody has open on a new board, while its first request is sent."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.board import BoardProcess, running_board

REQUEST = {"model": "tokenboard/echo", "messages": [{"role": "user", "content": "Hello, board!"}]}
HEADERS = {"HTTP-Referer": "https://nightowl.example", "X-OpenRouter-Title": "Night Owl"}


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[BoardProcess]:
    with running_board(tmp_path / "data") as board:
        yield board


def test_an_open_page_without_usage_shows_the_first_request_by_itself(chromium: Browser, fresh: BoardProcess) -> None:
    pages = {path: chromium.new_page() for path in ("/", "/rankings", "/apps")}
    try:
        for path, page in pages.items():
            page.goto(fresh.url + path)
            assert page.locator("[data-waits]").is_visible()
        headers = HEADERS | {"Authorization": f"Bearer {fresh.make_key()}"}
        asked = httpx.post(f"{fresh.url}/api/v1/chat/completions", json=REQUEST, headers=headers, timeout=30)
        assert 200 == asked.status_code
        for page in pages.values():
            page.get_by_role("link", name="Night Owl").first.wait_for(timeout=30_000)
            assert 0 == page.locator("[data-waits]").count()
    finally:
        for page in pages.values():
            page.close()
