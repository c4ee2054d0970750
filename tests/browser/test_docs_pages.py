"""The pages of the documentation on a phone, and the page to try the API in the reader's theme."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Demo
from tests.browser.visit import visiting

PAGES = ("/docs", "/docs/attribution", "/docs/attribution?url=nobody", "/docs/api", "/docs/api/admin", "/docs/api/try")
# The variables of the pages' style sheet, as the browser computes them.
PAGE_COLOURS = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}
TEXT_COLOURS = {"light": "rgb(20, 23, 28)", "dark": "rgb(236, 238, 241)"}


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    opened = chromium.new_page(viewport={"width": 360, "height": 800}, reduced_motion="reduce")
    yield opened
    opened.close()


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_of_the_documentation_scrolls_sideways(page: Page, demo: Demo, address: str, theme: str) -> None:
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    with visiting(page, demo.url) as visit:
        visit.go(demo.url + address)
        if address.endswith("/try"):
            page.locator(".opblock").first.wait_for()
        # Whose letters are larger than those of the tests' font scrolls no more.
        for size in ("100%", "125%"):
            page.evaluate("(size) => { document.documentElement.style.fontSize = size }", size)
            assert [] == visit.overflow(), size
        assert [] == visit.faults + visit.foreign


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_to_try_the_api_has_the_board_s_colours_in_either_theme(page: Page, demo: Demo, theme: str) -> None:
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page.goto(f"{demo.url}/docs/api/try")
    page.locator(".opblock").first.wait_for()
    assert PAGE_COLOURS[theme] == colour(page, "body", "backgroundColor")
    assert PAGE_COLOURS[theme] == colour(page, ".opblock", "backgroundColor")
    for text in (".opblock-tag", ".opblock-summary-path", ".info p", "h1"):
        assert TEXT_COLOURS[theme] == colour(page, text, "color"), text
    page.emulate_media(color_scheme="light" if theme == "dark" else "dark")
    other = "light" if theme == "dark" else "dark"
    page.wait_for_function(
        "(dark) => document.documentElement.classList.contains('dark-mode') === dark", arg=other == "dark"
    )
    assert TEXT_COLOURS[other] == colour(page, ".opblock-summary-path", "color")


def test_an_operation_can_be_tried_under_the_content_policy(page: Page, demo: Demo) -> None:
    with visiting(page, demo.url) as visit:
        visit.go(f"{demo.url}/docs/api/try")
        page.locator(".btn.authorize").click()
        page.locator(".modal-ux input").fill(demo.key)
        page.locator(".modal-ux .btn.authorize").click()
        page.locator(".btn-done").click()
        page.locator(".opblock", has_text="/datasets/app-rankings").locator(".opblock-summary-control").click()
        page.locator(".try-out__btn").click()
        page.locator(".btn.execute").click()
        answer = page.locator(".live-responses-table .response-col_status").last
        answer.wait_for()
        assert (answer.text_content() or "").startswith("200")
        assert [] == visit.overflow()
        assert [] == visit.faults + visit.foreign


def test_every_page_of_a_demo_says_that_its_data_is_invented(page: Page, demo: Demo) -> None:
    for address in ("/", "/rankings", "/apps", f"/apps/{demo.first}", "/models", "/nothing/there", *PAGES):
        page.goto(demo.url + address)
        assert page.get_by_text("the apps, models and figures on this board are invented").is_visible(), address
    assert demo.read("/rankings.json")["meta"]["demo"] is True
    assert demo.read(f"/badge/apps/{demo.first}.json")["label"] == "tokenboard (demo)"


def colour(page: Page, selector: str, name: str) -> str:
    return str(page.locator(selector).first.evaluate("(node, name) => getComputedStyle(node)[name]", name))
