"""Cells that a spreadsheet would take for a formula, and the mark against it (OWASP, CSV Injection)."""

import unicodedata

from tokenboard.attribution import can_be_seen

MARK = "'"
"""What is put before such a text; spreadsheets show it as text."""

_BEGINS = frozenset("=+-@")  # also in the wide and small forms, which are the same by NFKC
_BREAKS = frozenset("\t\r\n")


def guarded(text: str) -> str:
    """Return a text as a cell that no spreadsheet takes for a formula; `unguarded` gives the text back."""
    return MARK + text if _looks_like_a_formula(text.lstrip(MARK)) else text


def unguarded(cell: str) -> str:
    """Return the text of a cell that `guarded` has made, and any other as it is."""
    return cell[1:] if cell.startswith(MARK) and _looks_like_a_formula(cell.lstrip(MARK)) else cell


def _looks_like_a_formula(text: str) -> bool:
    """Whether a formula begins the text, or a tab or line break, after whatever is not seen before it."""
    for character in text:
        if character in _BREAKS:
            return True
        if unicodedata.category(character)[0] not in "CZ" and can_be_seen(character):
            return unicodedata.normalize("NFKC", character)[:1] in _BEGINS
    return False
