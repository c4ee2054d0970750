"""docs/design.md tells the palette as the style sheet has it, with figures that are computed here."""

import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.colours import SLOTS, VISIONS, closest, contrast, neighbours, themes

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "design.md").read_text("utf-8")
MOST_BYTES = 150_000

TEXTS = (
    ("text", "page", 7.0),
    ("text", "raised", 7.0),
    ("muted", "page", 4.5),
    ("muted", "raised", 4.5),
    ("accent", "page", 4.5),
    ("accent", "accent-soft", 4.5),
    ("on-accent", "accent", 4.5),
    ("up", "page", 4.5),
    ("down", "page", 4.5),
    ("c-other", "page", 3.0),
)
"""What is written or drawn on what, and the least contrast it must have."""


def chart_rows() -> list[str]:
    light, dark = themes().values()
    return [
        f"| {slot} | `{light[f'c{slot}']}` | {contrast(light[f'c{slot}'], light['page']):.2f} "
        f"| `{dark[f'c{slot}']}` | {contrast(dark[f'c{slot}'], dark['page']):.2f} |"
        for slot in SLOTS
    ]


def vision_rows() -> list[str]:
    rows = []
    for vision in VISIONS:
        cells = []
        for colours in themes().values():
            least, one, other = closest(colours, vision)
            cells.append(f"{least:.3f} (c{one}, c{other}) | {neighbours(colours, vision):.3f}")
        rows.append(f"| {vision} | {' | '.join(cells)} |")
    return rows


def text_rows() -> list[str]:
    light, dark = themes().values()
    return [
        f"| `{ink}` on `{ground}` | {contrast(light[ink], light[ground]):.2f} "
        f"| {contrast(dark[ink], dark[ground]):.2f} | {least:g} |"
        for ink, ground, least in TEXTS
    ]


@pytest.mark.parametrize("rows", [chart_rows, vision_rows, text_rows])
def test_the_tables_of_the_page_are_those_that_the_style_sheet_gives(rows: Callable[[], list[str]]) -> None:
    assert "\n".join(rows()) in PAGE


@pytest.mark.parametrize("theme", themes())
def test_every_chart_colour_stands_out_from_the_page_by_three_to_one(theme: str) -> None:
    colours = themes()[theme]
    assert 3 <= min(contrast(colours[f"c{slot}"], colours["page"]) for slot in SLOTS)


@pytest.mark.parametrize("theme", themes())
@pytest.mark.parametrize("vision", VISIONS)
def test_no_two_chart_colours_look_alike_in_any_vision(theme: str, vision: str) -> None:
    assert closest(themes()[theme], vision)[0] >= 0.11
    assert neighbours(themes()[theme], vision) >= 0.15


@pytest.mark.parametrize(("ink", "ground", "least"), TEXTS)
def test_what_is_written_can_be_read(ink: str, ground: str, least: float) -> None:
    for colours in themes().values():
        assert contrast(colours[ink], colours[ground]) >= least


def test_the_sizes_and_spaces_of_the_page_are_those_of_the_style_sheet() -> None:
    told = dict(re.findall(r"^\| `--([\w-]+)` \| ([\d.]+)rem", PAGE, re.MULTILINE))
    style = (DOCS.parent / "src" / "tokenboard" / "web" / "static" / "board.css").read_text("utf-8")
    assert dict(re.findall(r"--((?:t|s)-?[\w]+): ([\d.]+)rem;", style)) == told


def test_every_screenshot_is_shown_and_is_of_a_modest_size() -> None:
    shown = re.findall(r"\((screenshots/[\w-]+\.png)\)", PAGE)
    assert sorted(str(file.relative_to(DOCS)) for file in (DOCS / "screenshots").iterdir()) == sorted(set(shown))
    for name in shown:
        content = (DOCS / name).read_bytes()
        width, height = struct.unpack(">II", content[16:24])
        assert content.startswith(b"\x89PNG")
        assert (len(content) < MOST_BYTES, width <= 1_280, height <= 1_800) == (True, True, True)
