"""The policy of pages holds in a real browser: whatever markup got into one, nothing of it runs or is fetched."""

import html
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.browser.conftest import Demo
from tests.web.names import ODD_TITLES

TITLE = ODD_TITLES["markup"]
BROKEN_IN = {
    "a script": "<script>window.broken=1</script>",
    "a handler": "<img src=x onerror=window.broken=1>",
    "another host's script": "<script src=http://other.example/x.js></script>",
    "a style": "<style>body{display:none}</style>",
    "a style attribute": "<p style='position:fixed;inset:0'>",
    "a frame": "<iframe srcdoc='<script>parent.broken=1</script>'></iframe>",
    "another host's image": "<img src=http://other.example/x.png>",
    "an object": "<object data=/static/none></object>",
    "a base": "<base href=http://other.example/>",
}


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    """Return a tab whose pages note, in ``told``, which directive of the policy was about to be broken."""
    context = chromium.new_context()
    context.set_default_timeout(20_000)
    context.add_init_script(
        "addEventListener('securitypolicyviolation', (event) => top.told = event.effectiveDirective)"
    )
    yield context.new_page()
    context.close()


def app_of(demo: Demo, title: str) -> int:
    return next(number for number, given in demo.odd.items() if given == title)


def test_a_title_that_is_a_script_is_text(page: Page, demo: Demo) -> None:
    for address in (
        f"/apps/{app_of(demo, TITLE)}",
        f"/rankings?start_date={demo.today}&end_date={demo.today}",
        "/apps?q=strange-",
    ):
        page.goto(demo.url + address)
        assert TITLE in page.locator("main").text_content()  # type: ignore[operator]
        assert page.evaluate("window.broken === undefined")
    page.goto(f"{demo.url}/apps/{app_of(demo, TITLE)}")
    assert TITLE == page.locator("h1").text_content()


@pytest.mark.parametrize("markup", BROKEN_IN.values(), ids=BROKEN_IN)
def test_markup_that_was_not_escaped_would_do_nothing(page: Page, demo: Demo, markup: str) -> None:
    """The page is changed on its way to the browser as a missing escape would change it; its headers stay."""

    def unescape(route: Route) -> None:
        answer = route.fetch()
        body = answer.text()
        title = html.escape(TITLE).replace("&quot;", "&#34;")
        assert title in body
        route.fulfill(response=answer, body=body.replace(f">{title}</h1>", f">{markup}</h1>", 1))

    address = f"{demo.url}/apps/{app_of(demo, TITLE)}"
    page.route(address, unescape)
    page.goto(address)
    page.unroute_all()
    assert page.evaluate("typeof window.told === 'string'"), "the policy let it through"
    assert page.evaluate("window.broken === undefined")
    assert "block" == page.evaluate("getComputedStyle(document.body).display")
    assert "block" == page.evaluate("getComputedStyle(document.querySelector('h1')).display")
    assert page.evaluate(
        "[...document.querySelectorAll('h1 *')].every((p) => getComputedStyle(p).position === 'static')"
    )
    assert demo.url in page.evaluate("document.querySelector('.brand').href")
