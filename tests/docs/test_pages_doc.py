import re
from pathlib import Path

from tokenboard.web.badges import BadgeFigure, Style
from tokenboard.web.pages import PAGES, RESOURCES

DOC = (Path(__file__).parent.parent.parent / "docs" / "pages.md").read_text()
PATHS = [*(page.path for page in PAGES), *(drawing.path for drawing in RESOURCES)]
TWINS = [f"{'/index' if page.path == '/' else page.path}.{form}" for page in PAGES for form in page.forms]


def plain(path: str) -> str:
    """Return a route's path as the page writes it: without the kinds of its parameters."""
    return re.sub(r":\w+}", "}", path)


def test_every_address_of_the_pages_is_documented() -> None:
    for path in PATHS:
        assert f"`{plain(path)}`" in DOC, path


def test_no_address_is_documented_that_is_not_there() -> None:
    known = set(map(plain, [*PATHS, *TWINS]))
    told = set(re.findall(r"`(/[^`?]*\.(?:svg|png|atom|json))`", DOC))
    assert told <= known


def test_what_a_badge_takes_is_documented() -> None:
    for value in (*BadgeFigure, *Style):
        assert f"`{value}`" in DOC
