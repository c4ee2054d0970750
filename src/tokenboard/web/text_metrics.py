"""Text in drawings: made harmless, measured, cut to fit.

No font is opened: widths of ASCII are those of two common families, in thousandths of the type size, and those of
other characters are judged by their kind. A line that fits by these figures fits, nearly always; drawings clip as well.
"""

import unicodedata
from enum import Enum
from typing import Final
from xml.sax.saxutils import escape

# Printable ASCII, from space to tilde: Liberation Sans, which has Arial's and Helvetica's widths, plain and bold;
# DejaVu Sans, which has about Verdana's.
# fmt: off
_SANS: Final = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667,
    556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556,
    556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722,
    500, 500, 500, 334, 260, 334, 584,
)
_SANS_BOLD: Final = (
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722,
    611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556, 333, 556,
    611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778,
    556, 556, 500, 389, 280, 389, 584,
)
_VERA: Final = (
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636,
    636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656,
    557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500, 500, 613,
    635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818,
    592, 592, 525, 636, 337, 636, 838,
)
# fmt: on


class Face(Enum):
    """A family and weight that drawings use, with the widths of its ASCII."""

    SANS = _SANS
    SANS_BOLD = _SANS_BOLD
    VERDANA = _VERA


_DIRECTIONS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_JOINERS: Final = frozenset("\u200c\u200d")
_LEFTWARD: Final = frozenset({"R", "AL", "AN"})
_ISOLATE: Final = "\u2068"
_END: Final = "\u2069"
_WIDE_FROM: Final = 0x1F000  # pictographs: squares, wider than an em in most fonts
_LIGATED: Final = (0x0590, 0x08FF)  # Hebrew to Arabic: narrow letters, most of them joined
_MARKS: Final = {"…": 1000, "—": 1000, "▲": 990, "▼": 990, "·": 318, "’": 318, "“": 518, "”": 518}
_ASCII_END: Final = 0x7F


def clean(text: str, *, worded: bool = False) -> str:
    """Return ``text`` on one line: white space collapsed, no control characters, no marks that change direction.

    Joiners stay: Persian words and composed emoji are spelt with them. Lone surrogates become U+FFFD. With ``worded``
    the marks of `isolated` names among our own words stay too, if each has its end.
    """
    kept = []
    marks = {_ISOLATE, _END} if worded and text.count(_ISOLATE) == text.count(_END) else set()
    for char in text:
        if char.isspace():
            kept.append(" ")
        elif char in _JOINERS or char in marks:
            kept.append(char)
        elif char not in _DIRECTIONS:
            category = unicodedata.category(char)
            if category == "Cs" or char in "\ufffe\uffff":
                kept.append("\ufffd")
            elif category != "Cc" and (category != "Cf" or ord(char) >= 0xE0020):  # flags are spelt with tags
                kept.append(char)
    return " ".join("".join(kept).split())


def isolated(text: str) -> str:
    """Return a cleaned ``text``, between marks that keep its direction to itself if it may run right to left.

    The marks are FSI and PDI of UAX #9; text without such characters needs none among our own words.
    """
    text = clean(text)
    if any(unicodedata.bidirectional(char) in _LEFTWARD for char in text):
        return f"{_ISOLATE}{text}{_END}"
    return text


def xml(text: str) -> str:
    """Return ``text`` escaped for an element or a double-quoted attribute."""
    return escape(text, {'"': "&quot;"})


def width(text: str, face: Face) -> float:
    """Return about how wide ``text`` is, in ems: multiply by the type size."""
    return sum(_thousandths(char, face) for char in text) / 1000


def fitted(text: str, face: Face, room: float) -> str:
    """Return ``text``, cleaned, cut to ``room`` ems and ended by an ellipsis if it is wider.

    It is cut between characters as readers see them: no accent, joiner or half of a flag is left alone.
    """
    text = clean(text)
    if width(text, face) <= room:
        return text
    room -= _MARKS["…"] / 1000
    used = 0.0
    kept = 0
    for start, end in _clusters(text):
        used += width(text[start:end], face)
        if used > room:
            break
        kept = end
    return f"{text[:kept].rstrip()}…"


def _thousandths(char: str, face: Face) -> int:
    code = ord(char)
    if code < _ASCII_END:
        return face.value[code - 0x20] if code >= 0x20 else 0
    if char in _MARKS:
        return _MARKS[char]
    if unicodedata.combining(char) or char in _JOINERS or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    if code >= _WIDE_FROM:
        return 1300
    if unicodedata.east_asian_width(char) in {"W", "F"}:
        return 1000
    base = unicodedata.normalize("NFD", char)[0]
    if ord(base) < _ASCII_END:
        return face.value[ord(base) - 0x20]
    if _LIGATED[0] <= code <= _LIGATED[1]:
        return 560
    return 900 if unicodedata.category(char) == "Lu" else 750


def _clusters(text: str) -> list[tuple[int, int]]:
    """Return where the characters, as readers see them, begin and end: simpler than UAX #29, for all common cases."""
    found: list[tuple[int, int]] = []
    flags = 0
    for index, char in enumerate(text):
        flag = 0x1F1E6 <= ord(char) <= 0x1F1FF
        flags = flags + 1 if flag else 0
        extends = (
            unicodedata.category(char) in {"Mn", "Me", "Mc", "Cf"}
            or 0x1F3FB <= ord(char) <= 0x1F3FF
            or (index > 0 and text[index - 1] == "\u200d")
            or (flag and flags % 2 == 0)
        )
        if extends and found:
            found[-1] = (found[-1][0], index + 1)
        else:
            found.append((index, index + 1))
    return found
