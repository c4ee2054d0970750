"""Seed the demo in a folder of its own, serve it, and take ``docs/screenshots/*.png`` in a headless Chromium."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.sync_api import Browser, sync_playwright

from tests.board import BoardProcess, running_board
from tests.browser.chromium import ABSENT, arguments, find_chromium

FOLDER = Path(__file__).parent.parent.parent / "docs" / "screenshots"
SEED_WITHIN_S = 300
MOST_BYTES = 150_000
"""Largest screenshot that the docs hold."""


@dataclass(frozen=True)
class Screen:
    """One picture: a page at a width and height in CSS pixels, in a theme."""

    name: str
    path: str
    width: int = 1_180
    height: int = 900
    theme: str = "light"


def screens(app_id: int) -> tuple[Screen, ...]:
    """Return what to take; ``app_id`` is the first of the rankings."""
    return (
        Screen("rankings-light", "/rankings"),
        Screen("rankings-dark", "/rankings", theme="dark"),
        Screen("app", f"/apps/{app_id}", height=1_200),
        Screen("models", "/models"),
        Screen("marketplace-phone", "/apps", width=390, height=844),
    )


def take(browser: Browser, base_url: str, screen: Screen) -> int:
    """Take one picture, charts drawn and all; return its size in bytes."""
    page = browser.new_page(
        viewport={"width": screen.width, "height": screen.height},
        color_scheme="dark" if screen.theme == "dark" else "light",
        reduced_motion="reduce",
    )
    page.goto(base_url + screen.path, wait_until="networkidle")
    file = FOLDER / f"{screen.name}.png"
    page.screenshot(path=file)
    page.close()
    return file.stat().st_size


def main() -> int:
    """Take all; 1 when one is larger than the docs should hold."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    chromium = find_chromium()
    if chromium is None:
        sys.stderr.write(f"screenshots: {ABSENT}\n")
        return 1
    too_large = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "demo"
        subprocess.run(BoardProcess(data).command("seed"), check=True, timeout=SEED_WITHIN_S)
        with running_board(data) as board, sync_playwright() as playwright:
            board.wait_until_counted()
            (app, *_) = httpx.get(f"{board.url}/rankings.json", timeout=30).json()["data"]["apps"]
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments())
            for screen in screens(app["app_id"]):
                size = take(browser, board.url, screen)
                sys.stdout.write(f"{screen.name}.png\t{size:,} bytes\n")
                too_large += [screen.name] if size > MOST_BYTES else []
            browser.close()
    if too_large:
        sys.stderr.write(f"larger than {MOST_BYTES:,} bytes: {', '.join(too_large)}\n")
    return 1 if too_large else 0


if __name__ == "__main__":
    sys.exit(main())
