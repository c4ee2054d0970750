"""Pages by keyboard alone: every control is reached, seen when it is reached, and the short ways work."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Demo

PAGES = (
    (1280, "/"),
    (360, "/rankings?offset=30"),
    (1280, "/rankings?offset=30"),
    (360, "/apps?q=strange-"),
    (1280, "/apps/{first}"),
    (1280, "/models"),
    (360, "/docs/attribution?title=x"),
    (1280, "/docs/api/admin"),
)
"""Widths and addresses; narrow ones have fewer columns, and the same controls."""

# Every control that is shown, numbered; what is inside of closed details is not.
_NUMBER = """() => {
  const controls = [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")].filter(
    (node) => node.checkVisibility({visibilityProperty: true}));
  controls.forEach((node, number) => { node.dataset.number = number; });
  window.reached = {};
  document.addEventListener("focusin", (event) => {
    const node = event.target, style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.width > 0
      && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    window.reached[node.dataset.number ?? node.outerHTML.slice(0, 100)] = seen;
  });
  return controls.map((node) => node.outerHTML.slice(0, 120));
}"""


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize(("width", "address"), PAGES)
def test_every_control_is_reached_in_order_and_seen(page: Page, demo: Demo, address: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(demo.url + address.format(first=demo.first))
    controls = page.evaluate(_NUMBER)
    assert len(controls) > 10
    # A field for a date is a few stops in itself.
    for _ in range(len(controls) + 12):
        page.keyboard.press("Tab")
    reached = page.evaluate("window.reached")
    assert [] == [html for number, html in enumerate(controls) if str(number) not in reached]
    assert [] == [controls[int(number)] if number.isdigit() else number for number, seen in reached.items() if not seen]


def test_the_first_stop_skips_to_the_content(page: Page, demo: Demo) -> None:
    page.goto(demo.url)
    page.keyboard.press("Tab")
    assert "Skip to the content" == page.evaluate("document.activeElement.textContent")
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_slash_goes_to_the_search_and_leaves_a_slash_in_a_field_alone(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/rankings")
    page.keyboard.press("/")
    assert "search" == page.evaluate("document.activeElement.id")
    page.keyboard.type("a/d")
    assert "a/d" == page.input_value("#search")
    page.keyboard.press("Enter")
    page.wait_for_url("**/apps?q=a%2Fd")


@pytest.mark.parametrize("address", ["/", "/rankings", "/apps/{first}"])
def test_t_d_w_and_m_go_to_the_period(page: Page, demo: Demo, address: str) -> None:
    page.goto(demo.url + address.format(first=demo.first))
    for key, label in (("d", "Yesterday"), ("t", "Today"), ("m", "30 days"), ("w", "7 days")):
        chosen = page.locator(f"a[aria-keyshortcuts={key}]")
        aim = demo.url + str(chosen.get_attribute("href"))
        page.keyboard.press(key)
        page.wait_for_url(aim)
        now = page.locator("nav[aria-label=Period] a[aria-current]")
        assert (label, 1) == (now.text_content(), now.count())


def test_keys_with_a_modifier_and_other_keys_do_nothing(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/rankings")
    for key in ("Control+m", "Alt+d", "x", '"', "]"):
        page.keyboard.press(key)
    assert ("/rankings", "BODY") == (
        page.evaluate("location.pathname"),
        page.evaluate("document.activeElement.tagName"),
    )
    assert "" == page.evaluate("location.search")
