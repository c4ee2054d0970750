"""No cell of a CSV begins what a spreadsheet would compute, and what was guarded is read back as it was."""

import csv
import io
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tokenboard.tables import Column, Kind, Table, guarded, unguarded, write_csv

UNSEEN = (
    " ",
    "\u00a0",
    "\ufeff",
    "\u200b",
    "\u2028",
    "\u3000",
    "\u00ad",
    "\u202e",
    "\u2800",
    "\u3164",
    "\0",
    "\x0b",
    "\ufe0f",
)
BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "﹦")

texts = st.text(st.sampled_from([*UNSEEN, *BEGINS, *"'aé,1\" \u0338\u2260\u207a"]), max_size=8)


def cell_of(text: str) -> str:
    """Return the cell as a reader of CSV sees it."""
    table = Table((Column("name", Kind.TEXT), Column("more", Kind.LIST)), [(text, [text])])
    _, row = csv.reader(io.StringIO(write_csv(table).decode(), newline=""))
    assert row[0] == row[1]
    return row[0]


@pytest.mark.parametrize("begins", BEGINS, ids=lambda each: unicodedata.name(each, repr(each)))
@pytest.mark.parametrize("before", ["", *UNSEEN, "\u00a0\ufeff \u200b"], ids=repr)
def test_a_cell_that_would_be_computed_is_guarded_whatever_stands_unseen_before_it(before: str, begins: str) -> None:
    text = f"{before}{begins}HYPERLINK(1)"
    assert f"'{text}" == cell_of(text)
    assert text == unguarded(cell_of(text))


@pytest.mark.parametrize("text", ["Cline", "", " x", "\u00a0x", "a=b", "é=", "'tis", "\u200b", "x\t=1", "1-2", "'"])
def test_any_other_cell_is_left_as_it_is(text: str) -> None:
    assert text == cell_of(text) == unguarded(text)


@given(texts)
@example("'=1")
@example("''\u00a0=1")
@example("'plain")
def test_what_is_written_is_read_back_and_never_computed(text: str) -> None:
    cell = guarded(text)
    assert text == unguarded(cell)
    seen = next((each for each in cell if unicodedata.category(each)[0] not in "CZ" or each in "\t\r\n"), "")
    assert seen not in {*"=+-@\t\r\n"} or cell.startswith("'")
