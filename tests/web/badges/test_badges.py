"""Badges say where an app stands, to eyes, to screen readers and to shields.io."""

import json
from xml.etree import ElementTree

import pytest

from tests.web.names import HOSTILE
from tokenboard.web.badges import Badge, BadgeFigure, Colour, Style, app_badge, no_badge
from tokenboard.web.text_metrics import Face, clean, isolated, width

SPACE = "{http://www.w3.org/2000/svg}"


def contrast_with_white(colour: str) -> float:
    """WCAG 2.2's contrast ratio."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


@pytest.mark.parametrize(
    ("shows", "period", "rank", "figure", "group", "expected"),
    [
        (BadgeFigure.TOKENS, "week", 3, 1_200_000_000, "coding", "#3 in coding · 1.2B/week"),
        (BadgeFigure.TOKENS, "day", 1, 999, "", "#1 · 999/day"),
        (BadgeFigure.REQUESTS, "month", 1_234, 45_678, "roleplay", "#1,234 in roleplay · 45.7K requests/month"),
        (BadgeFigure.REQUESTS, "day", 2, 1, "", "#2 · 1 request/day"),
        (BadgeFigure.RANK, "week", 3, 5, "coding", "#3 in coding this week"),
        (BadgeFigure.RANK, "day", 3, 5, "", "#3 yesterday"),
        (BadgeFigure.TOKENS, "week", None, 0, "", "no tokens this week"),
        (BadgeFigure.REQUESTS, "day", None, 0, "coding", "no requests in coding yesterday"),
    ],
)
def test_a_badge_tells_place_group_figure_and_period(
    shows: BadgeFigure, period: str, rank: int | None, figure: int, group: str, expected: str
) -> None:
    badge = app_badge(label="tokenboard", shows=shows, period=period, rank=rank, figure=figure, group=group)
    assert ("tokenboard", expected) == (badge.label, badge.message)
    assert (Colour.ACCENT if rank else Colour.QUIET) is badge.colour


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("text", HOSTILE)
def test_a_badge_is_titled_escaped_and_as_wide_as_its_texts(text: str, style: Style) -> None:
    root = ElementTree.fromstring(Badge(text, text).svg(style))
    words = f"{isolated(text)}: {isolated(text)}" if clean(text) else ""
    assert ("img", words) == (root.get("role"), root.get("aria-label"))
    assert words == (root.findtext(f"{SPACE}title") or "")
    assert {"svg", "title", "rect", "path", "g", "text"} >= {one.tag.removeprefix(SPACE) for one in root.iter()}
    drawn = list(root.iter(f"{SPACE}text"))
    assert len(drawn) == (2 if clean(text) else 0)
    lengths = [round(width(element.text or "", Face.VERDANA) * 11) for element in drawn]
    assert lengths == [int(element.get("textLength", "")) for element in drawn]
    assert sum(lengths) + 12 * len(lengths) == int(root.get("width", ""))
    assert int(root.get("width", "")) < 750


def test_styles_differ_in_their_corners_alone() -> None:
    badge = Badge("tokenboard", "#1")
    flat, square = badge.svg(Style.FLAT), badge.svg(Style.FLAT_SQUARE)
    assert b'rx="3"' in flat
    assert b'rx="0"' in square
    assert ElementTree.fromstring(flat).get("width") == ElementTree.fromstring(square).get("width")


@pytest.mark.parametrize("text", HOSTILE)
def test_the_endpoint_form_is_what_shields_reads(text: str) -> None:
    found = json.loads(Badge("tokenboard", text).endpoint())
    assert {"schemaVersion": 1, "label": "tokenboard", "message": clean(text), "color": "3d4fc4"} == found


def test_white_text_stands_out_from_every_colour() -> None:
    assert [] == [colour for colour in (*Colour, "3b424b") if contrast_with_white(colour) < 4.5]


def test_an_app_that_is_not_shown_has_the_same_badge_whatever_the_reason() -> None:
    assert Badge("tokenboard", "not listed", Colour.QUIET) == no_badge("tokenboard")
