"""Text in drawings is harmless, on one line, and fits."""

import unicodedata
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.names import HOSTILE
from tokenboard.web.text_metrics import Face, clean, fitted, isolated, width, xml

TEXTS = st.one_of(st.text(), st.text(alphabet=st.characters(codec=None)), st.sampled_from(HOSTILE))
FACES = st.sampled_from(Face)


@given(TEXTS)
def test_cleaned_text_is_one_line_without_control_characters_and_cleaning_it_again_changes_nothing(text: str) -> None:
    found = clean(text)
    assert not [char for char in found if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}]
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c") & set(found)
    assert found == clean(found) == found.strip()


@given(TEXTS)
def test_cleaned_text_is_well_formed_xml_once_escaped(text: str) -> None:
    found = ElementTree.fromstring(f'<t a="{xml(clean(text))}">{xml(clean(text))}</t>')
    assert (clean(text), clean(text)) == (found.get("a"), found.text or "")


@given(TEXTS, FACES, st.floats(2, 60))
def test_fitted_text_has_room_and_is_the_beginning_of_what_it_was(text: str, face: Face, room: float) -> None:
    found = fitted(text, face, room)
    assert width(found, face) <= room
    assert found == clean(text) or clean(text).startswith(found.removesuffix("…"))


@pytest.mark.parametrize("text", ["👩\u200d👩\u200d👧\u200d👦", "🇪🇺", "e\u0301", "👍🏽", "☝️"])
def test_a_character_of_several_code_points_is_cut_off_whole_or_not_at_all(text: str) -> None:
    for room in range(1, 80):
        shown = fitted(text * 20, Face.SANS, room / 2).removesuffix("…")
        assert "" == shown.replace(text, "")


def test_only_text_that_may_run_leftward_is_isolated() -> None:
    assert "Zed · 1" == isolated("Zed · 1")
    assert "日本" == isolated("日本")
    assert "\u2068محرر\u2069" == isolated("محرر")


def test_ascii_has_the_widths_of_its_font() -> None:
    assert 5.003 == pytest.approx(width("tokenboard", Face.SANS))
    assert width("i" * 10, Face.SANS) < width("m" * 10, Face.SANS)
    assert width("token", Face.SANS) < width("token", Face.VERDANA)
