"""Titles of every script, length and malice stay text in every form: HTML, SVG, PNG, Atom, CSV, JSON, Parquet."""

import csv
import io
import re
from html import escape
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pyarrow.parquet as pq
import pytest

from tests.analytics.rig import Rig, Use, days_before
from tests.web.names import HOSTILE, ODD_TITLES
from tests.web.rig import SmallBoard
from tokenboard.web.charts import Renderer
from tokenboard.web.pages.share_images import app_picture, ranking_picture
from tokenboard.web.request import PageRequest

# Some that no client can send, as intake cleans them: what shows them need not trust it. SQLite takes no surrogates.
TITLES = {
    **ODD_TITLES,
    **{f"hostile-{number}": title.replace("\ud800", "") for number, title in enumerate(HOSTILE) if title},
    "bell": "bell\x07 tab\t line\nbreak \x9f",
    "minus": "-2+3",
    "at": "@SUM(A1)",
    "tab": "\t=1+1",
}
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
LISTS = ("/apps.csv", "/apps.json", "/apps.parquet")


@pytest.fixture(scope="module")
def odd(rig: Rig, renderer: Renderer) -> SmallBoard:
    """Return a board of odd apps which take turns at the top, so that each moves in the feed."""
    rig.use(
        *(
            Use(url(kind), days_before(back), prompt=1_000 + 50 * ((place * 7 + back // 5) % 19), title=title)
            for back in range(1, 61)
            for place, (kind, title) in enumerate(TITLES.items())
        )
    )
    return SmallBoard(rig, renderer)


def url(kind: str) -> str:
    return f"https://{kind}.example"


class Markup(HTMLParser):
    """Collects what a browser would run or fetch, and the text that it would show."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        odd = tag in {"b", "iframe", "object"} or (tag == "script" and not str(given.get("src")).startswith("/static/"))
        if odd or any(name.startswith("on") or name == "style" for name in given) or given.get("src") == "x":
            self.bad.append(f"{tag} {given}")

    def handle_data(self, data: str) -> None:
        self.told.append(data)


@pytest.mark.parametrize("address", ["/", "/rankings", "/apps", "/models/openai/gpt-4o?tab=apps", "/apps?q=e"])
def test_lists_show_titles_as_text(odd: SmallBoard, address: str) -> None:
    page = Markup()
    html = odd.html(address)
    page.feed(html)
    assert [] == page.bad
    assert "49" not in re.findall(r"\{\{.*?\}\}|>49<", html)
    shown = [
        title
        for title in TITLES.values()
        if escape(title).replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in html
    ]
    assert len(shown) >= (5 if address == "/" else 15)


@pytest.mark.parametrize("kind", TITLES)
def test_an_apps_page_shows_its_title_as_text(odd: SmallBoard, kind: str) -> None:
    page = Markup()
    page.feed(odd.html(f"/apps/{odd.ids[url(kind)]}"))
    assert [] == page.bad
    assert TITLES[kind] in page.told
    # Direction is the title's own affair: every element that holds it says so.
    assert '<h1 dir="auto">' in odd.html(f"/apps/{odd.ids[url(kind)]}")


@pytest.mark.parametrize("kind", TITLES)
def test_drawings_of_an_app_are_well_formed_and_nothing_in_them_runs(odd: SmallBoard, kind: str) -> None:
    number = odd.ids[url(kind)]
    for path in (
        f"/charts/apps/{number}/models.svg",
        f"/charts/apps/{number}/ranks.svg?size=phone",
        f"/badge/apps/{number}.svg",
    ):
        answer = odd.web.get(path)
        assert 200 == answer.status_code
        harmless(answer.content)


def test_charts_of_many_apps_are_well_formed_and_nothing_in_them_runs(odd: SmallBoard) -> None:
    for size in ("wide", "half", "phone"):
        harmless(odd.web.get(f"/charts/rankings.svg?size={size}").content)


def harmless(svg: bytes) -> None:
    for node in ET.fromstring(svg).iter():
        tag = str(node.tag).rpartition("}")[2]
        assert tag not in {"script", "foreignObject", "image", "a", "b", "img", "iframe"}
        assert [] == [name for name in node.attrib if name.startswith("on") or name.endswith("href")]


@pytest.mark.parametrize("kind", TITLES)
def test_a_share_image_is_drawn_for_every_title(odd: SmallBoard, kind: str) -> None:
    number = str(odd.ids[url(kind)])
    picture = app_picture(odd.services(), PageRequest("/", {"app_id": number}, ()))
    harmless(picture.svg.encode())
    assert picture.texts
    if kind in {"arabic", "cjk", "family", "unbroken", "markup", "override"}:
        answer = odd.web.get(f"/share/apps/{number}.png")
        assert (200, b"\x89PNG") == (answer.status_code, answer.content[:4])


def test_the_share_image_of_the_ranking_takes_them_all(odd: SmallBoard) -> None:
    for period in ("day", "week", "month"):
        harmless(ranking_picture(odd.services(), PageRequest("/", {}, (("period", period),))).svg.encode())


def test_feeds_are_well_formed_and_hold_titles_as_text(odd: SmallBoard) -> None:
    atom = "{http://www.w3.org/2005/Atom}"
    told = ""
    for path in ("/feeds/apps.atom", *(f"/feeds/apps/{odd.ids[url(kind)]}.atom" for kind in TITLES)):
        answer = odd.web.get(path)
        assert 200 == answer.status_code, path
        feed = ET.fromstring(answer.content)
        assert not any(node.attrib.get("type") in {"html", "xhtml"} for node in feed.iter())
        told += "\n".join(node.text or "" for node in feed.iter(f"{atom}title"))
    assert ODD_TITLES["markup"] in told
    assert ODD_TITLES["entity"] in told


def test_spreadsheets_get_no_formula_and_every_title_whole(odd: SmallBoard) -> None:
    rows = list(csv.DictReader(io.StringIO(odd.web.get("/apps.csv").text, newline="")))
    names = {row["url"]: row["name"] for row in rows}
    assert len(TITLES) == len(names)
    for kind, title in TITLES.items():
        cell = names[url(kind)]
        assert ("'" + title if title.startswith(FORMULAS) else title) == cell
    for address in ("/index.csv", "/rankings.csv", "/models/openai/gpt-4o.csv?tab=apps", "/apps.csv?sort=name"):
        cells = [cell for row in csv.reader(io.StringIO(odd.web.get(address).text, newline="")) for cell in row]
        assert [] == [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "-2"))]


def test_json_and_parquet_hold_every_title_to_the_letter(odd: SmallBoard) -> None:
    expected = {url(kind): title for kind, title in TITLES.items()}
    assert expected == {row["url"]: row["name"] for row in odd.twin("/apps.json")["data"]}
    table = pq.read_table(io.BytesIO(odd.web.get("/apps.parquet").content)).to_pylist()
    assert expected == {row["url"]: row["name"] for row in table}
    for kind, title in TITLES.items():
        assert title == odd.twin(f"/apps/{odd.ids[url(kind)]}.json")["data"]["name"]


@pytest.mark.parametrize("kind", ODD_TITLES)
def test_a_title_searched_for_is_found_and_stays_text(odd: SmallBoard, kind: str) -> None:
    answer = odd.web.get("/apps", params={"q": ODD_TITLES[kind], "sort": "name"})
    page = Markup()
    page.feed(answer.text)
    assert (200, []) == (answer.status_code, page.bad)
    assert f'href="/apps/{odd.ids[url(kind)]}"' in answer.text


def test_headers_of_answers_hold_no_title(odd: SmallBoard) -> None:
    for kind, title in TITLES.items():
        headers = str(odd.web.get(f"/apps/{odd.ids[url(kind)]}").headers)
        assert title not in headers
