"""Drawn by Vega, finished by us: themed, harmless, small, nothing in it but what is seen."""

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.web.charts.figures import days, every_chart, ten, values
from tests.web.names import HOSTILE
from tokenboard.web.charts import SVG_POLICY, Drawing, Renderer, Series, Share, Size, shares, stacked_days, theme

SPACE = "{http://www.w3.org/2000/svg}"
SHEET = Path(theme.__file__).parents[1] / "static" / "board.css"


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    renderer = Renderer(patience=60)
    yield renderer
    renderer.close()


def drawn(renderer: Renderer, drawing: Drawing) -> ElementTree.Element:
    return ElementTree.fromstring(renderer.svg(drawing))


@pytest.mark.parametrize("size", Size)
def test_every_chart_is_themed_sized_and_legible(renderer: Renderer, size: Size) -> None:
    for drawing in every_chart(size):
        root = drawn(renderer, drawing)
        assert f"0 0 {drawing.width} {drawing.height}" == root.get("viewBox")
        assert "img" == root.get("role")
        assert drawing.title in root.get("aria-label", "")
        used = set()
        for element in root.iter():
            assert element.tag.removeprefix(SPACE) in {"svg", "style", "g", "path", "line", "rect", "text"}
            assert not set(element.attrib) & {"style", "class", "id", "href", "onload", "aria-roledescription"}
            used |= {element.get("fill"), element.get("stroke")} - {None}
            if (letters := element.get("font-size")) is not None:
                assert float(letters.removesuffix("px")) >= 11
        assert used <= {"none", *(f"var({name})" for name in theme.LIGHT)}


def test_a_month_of_ten_series_is_small_and_a_year_too(renderer: Renderer) -> None:
    assert len(renderer.svg(stacked_days(days(30), ten(30), Size.WIDE, title="Top apps"))) < 40_000
    assert len(renderer.svg(stacked_days(days(366), ten(366), Size.WIDE, title="Top apps"))) < 100_000


def test_every_part_of_every_bar_has_its_tip_to_the_digit(renderer: Renderer) -> None:
    series = [Series(name, slot, values(30, slot)) for slot, name in enumerate(HOSTILE[:9])]
    drawing = stacked_days(days(30), series, Size.PHONE, title="Top apps")
    found = [element.get("data-tip") for element in drawn(renderer, drawing).iter() if element.get("data-tip")]
    assert sorted(drawing.tips) == sorted(str(tip) for tip in found)


def test_heights_of_bars_are_in_proportion_to_their_figures(renderer: Renderer) -> None:
    series = [Series("a", 1, (2 * 10**20, 10**20)), Series("b", 2, (10**20, 3 * 10**20))]
    root = drawn(renderer, stacked_days(days(2), series, Size.WIDE, title="t"))
    heights = {}
    for element in root.iter(f"{SPACE}path"):
        box = re.fullmatch(r"M([\d.]+),([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+Z", element.get("d", ""))
        assert box is not None
        heights[element.get("data-tip", "").split(" · ")[:2][0], element.get("data-tip", "").split(" · ")[1]] = float(
            box[4]
        )
    one = heights["19 Nov", "b"]
    assert [2 * one, one, 3 * one] == pytest.approx(
        [heights["19 Nov", "a"], heights["20 Nov", "a"], heights["20 Nov", "b"]], abs=0.3
    )


def test_markup_in_names_is_text(renderer: Renderer) -> None:
    content = renderer.svg(shares([Share(name, 1, 0.1) for name in HOSTILE], Size.WIDE, title="Shares")).decode()
    assert "<script" not in content
    assert "<img" not in content
    assert "&lt;script&gt;" in content
    assert not set("\x00\x1b\u202e\ud800") & set(content)


def test_the_embedded_style_sheet_is_the_one_the_policy_allows(renderer: Renderer) -> None:
    style = drawn(renderer, shares([], Size.WIDE, title="Shares")).find(f"{SPACE}style")
    assert style is not None
    assert style.text is not None
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" == SVG_POLICY


def test_colours_are_those_of_the_style_sheet() -> None:
    light, dark = SHEET.read_text(encoding="utf-8").split("@media (prefers-color-scheme: dark)", 1)
    for expected, found in ((theme.LIGHT, light), (theme.DARK, dark.split("*,", 1)[0])):
        declared = dict(re.findall(r"(--[\w-]+):\s*(#[0-9a-f]{6})", found))
        assert dict(expected) == {name: value for name, value in declared.items() if name in expected}


def test_a_chart_as_png_is_as_large_as_it_says(renderer: Renderer) -> None:
    png = renderer.png(stacked_days(days(30), ten(30), Size.HALF, title="Top apps"))
    assert b"\x89PNG\r\n\x1a\n" == png[:8]
    assert (540, 260) == (int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big"))
