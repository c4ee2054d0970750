"""An app's display name, as clean text."""

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from tokenboard.attribution.placeholder import is_placeholder
from tokenboard.attribution.url import decoded

MAX_TITLE_LENGTH = 100
"""Characters of a clean title."""

# No client writes that much; it keeps the cleaning of a hostile header short.
_MAX_READ = 4096

# What no font draws: Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties), the blank of Braille, white space.
_UNSEEN = re.compile(
    "[\\s\u2800\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)

_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_BREAKS = dict.fromkeys(map(ord, "\t\n\v\f\r\x85\u2028\u2029"), " ")


def first_title(values: Iterable[bytes]) -> str | None:
    """Return the first usable title of these header values, or None."""
    for value in values:
        if title := clean_title(value):
            return title
    return None


def clean_title(value: bytes | str) -> str | None:
    """Return a title as NFC text of 1 to 100 characters, or None when nothing to be seen, or a placeholder, is left.

    Tabs and line breaks become spaces, every other character of Unicode category C (controls, bidirectional marks,
    joiners, private use) is removed, runs of white space collapse. Clients whose HTTP library takes ASCII only
    percent-encode their title, so an ASCII value with `%XX` that gives valid UTF-8 is decoded, once.
    """
    text = value if isinstance(value, str) else decoded(value)
    text = _percent_decoded(text)[:_MAX_READ]
    if not text.isprintable():  # "printable" has no character of category C, and of the separators only the space
        text = "".join(char for char in text.translate(_BREAKS) if unicodedata.category(char)[0] != "C")
    # After the removal: what stood between two characters may have kept them from composing.
    text = unicodedata.normalize("NFC", text)
    text = " ".join(text.split())[:MAX_TITLE_LENGTH].rstrip()
    return text if can_be_seen(text) and not is_placeholder(text) else None


def searchable(text: str) -> str:
    """Return a text as searches compare it: composed (NFC), whatever the case.

    One writes ``é`` as one character, a Mac's file names and some keyboards as two: names are kept composed, and what
    is looked for in them is composed first.
    """
    return unicodedata.normalize("NFC", text).casefold()


def can_be_seen(text: str) -> bool:
    """Whether anything of the text is drawn: a name of fillers and joiners alone is as good as none."""
    return bool(text) and _UNSEEN.fullmatch(text) is None


def _percent_decoded(text: str) -> str:
    if "%" not in text or not text.isascii() or _ENCODED.search(text) is None:
        return text
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        return text  # a plain per cent sign: "100%ab"
