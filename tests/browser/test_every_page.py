"""Every page, in light and dark, on a phone and a desktop, without scripts and with them."""

from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Demo
from tests.browser.visit import Visit, visiting

WIDTHS = (360, 1280)

# Titles that run out of the page, and figures of every kind: the odd apps are the top of the day.
ADDRESSES: dict[str, Callable[[Demo, str], str]] = {
    "start": lambda demo, model: "/",
    "start, today's odd apps": lambda demo, model: "/?start_date={today}&end_date={today}",
    "rankings": lambda demo, model: "/rankings",
    "rankings of today": lambda demo, model: "/rankings?start_date={today}&end_date={today}",
    "rankings, narrowed": lambda demo, model: "/rankings?sort=trending&metric=requests&subcategory=cli-agent",
    "marketplace": lambda demo, model: "/apps",
    "marketplace, searched": lambda demo, model: "/apps?q=strange-&sort=name",
    "marketplace, nothing found": lambda demo, model: "/apps?q=" + "nothing" * 20,
    "an unknown URL": lambda demo, model: "/apps?url=https://nobody.example/" + "unbroken" * 20,
    "an app": lambda demo, model: f"/apps/{demo.first}",
    "an odd app": lambda demo, model: f"/apps/{next(iter(demo.odd))}?start_date={{today}}&end_date={{today}}",
    "a hidden app": lambda demo, model: f"/apps/{demo.hidden}",
    "models": lambda demo, model: "/models?period=month",
    "a model": lambda demo, model: "/models/" + quote(model),
    "a model's apps": lambda demo, model: "/models/" + quote(model) + "?tab=apps&start_date={today}&end_date={today}",
    "docs": lambda demo, model: "/docs",
    "attribution": lambda demo, model: "/docs/attribution",
    "attribution, tried": lambda demo, model: (
        "/docs/attribution?url=https://" + "a" * 60 + ".example&title=" + "x" * 100 + "&categories=cli-agent,nonsense"
    ),
    "API": lambda demo, model: "/docs/api",
    "Inference API": lambda demo, model: "/docs/api/inference",
    "Admin API": lambda demo, model: "/docs/api/admin",
    "API, tried": lambda demo, model: "/docs/api/try",
    "nothing there": lambda demo, model: "/nothing/there",
}
ABSENT = {"an unknown URL", "a hidden app", "nothing there"}
FOREIGN_MADE = "API, tried"
"""Swagger UI's page: its own markup is not ours to mend."""

# Contrast is judged in either theme, everything else on either width: what is left out repeats what is in.
_ALL, _SHAPE = "{}", "{rules: {'color-contrast': {enabled: false}}}"
JUDGED = {(1280, "light"): _ALL, (360, "dark"): _ALL}


@cache
def axe() -> str:
    """Return the checker's script, as its package brings it."""
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def tabs(chromium: Browser) -> Iterator[dict[bool, Page]]:
    """Return a tab without scripts and one with them."""
    # Without motion: a colour on its way from one theme to the other has no contrast to speak of.
    contexts = {
        scripts: chromium.new_context(java_script_enabled=scripts, reduced_motion="reduce") for scripts in (False, True)
    }
    for context in contexts.values():
        context.set_default_timeout(20_000)
    yield {scripts: context.new_page() for scripts, context in contexts.items()}
    for context in contexts.values():
        context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ADDRESSES)
def test_a_page_is_whole_with_scripts(
    tabs: dict[bool, Page], demo: Demo, long_model: str, name: str, width: int
) -> None:
    with visiting(tabs[True], demo.url, 404 if name in ABSENT else 200) as visit:
        visit.page.set_viewport_size({"width": width, "height": 900})
        visit.go(demo.url + ADDRESSES[name](demo, long_model).format(today=demo.today))
        if name == FOREIGN_MADE:
            visit.page.wait_for_selector(".opblock")
        visit.show_all(scripts=True)
        for scheme in themes(visit):
            assert [] == visit.overflow(), scheme
            if (width, scheme) in JUDGED and name != FOREIGN_MADE:
                assert [] == violations(visit, JUDGED[width, scheme]), scheme
        assert ([], []) == (visit.faults, visit.foreign)
        assert visit.page.evaluate("window.broken === undefined")


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_page_is_whole_without_scripts(tabs: dict[bool, Page], demo: Demo, long_model: str, name: str) -> None:
    with visiting(tabs[False], demo.url, 404 if name in ABSENT else 200) as visit:
        visit.go(demo.url + ADDRESSES[name](demo, long_model).format(today=demo.today))
        # Nothing but the style sheet knows the width.
        for width in WIDTHS:
            visit.page.set_viewport_size({"width": width, "height": 900})
            visit.show_all(scripts=False)
            for scheme in themes(visit):
                assert [] == visit.overflow(), (width, scheme)
        assert ([], []) == (visit.faults, visit.foreign)


def themes(visit: Visit) -> Iterator[str]:
    """Put the page into one theme after the other."""
    visit.page.emulate_media(color_scheme="light")
    yield "light"
    visit.page.emulate_media(color_scheme="dark")
    yield "dark"


@pytest.mark.parametrize("name", ["rankings", "an app", "models", "attribution"])
def test_what_scripts_change_is_accessible_as_it_is_served(
    tabs: dict[bool, Page], demo: Demo, long_model: str, name: str
) -> None:
    with visiting(tabs[True], demo.url) as visit:
        visit.page.set_viewport_size({"width": 360, "height": 900})
        # The checker needs scripts: only the page's own is kept away.
        visit.page.route("**/static/*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        visit.go(demo.url + ADDRESSES[name](demo, long_model).format(today=demo.today))
        assert [] == violations(visit, _SHAPE)


def violations(visit: Visit, options: str) -> list[str]:
    """Return what axe-core finds; its script is brought in by the debugger, past the page's policy."""
    visit.page.evaluate(axe())
    found = visit.page.evaluate(
        f"axe.run(document, {{resultTypes: ['violations'], ...{options}}}).then((result) => result.violations.map("
        "(one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html.slice(0, 160)).slice(0, 3).join()}`))"
    )
    return [str(one) for one in found]
