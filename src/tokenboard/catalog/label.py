"""Short texts an operator types: names of apps, labels of keys, accounts, actors."""

import unicodedata

from tokenboard.attribution import can_be_seen
from tokenboard.catalog.errors import InvalidValue

LABEL_LIMIT = 100
"""Longest name or label, in characters, inclusive: the same as a title's."""

_RAW_LIMIT = 10 * LABEL_LIMIT


def clean_label(value: str, what: str) -> str:
    """Return the text in NFC, white space collapsed to single spaces, characters of Unicode category C removed.

    Raises:
        InvalidValue: nothing that can be seen is left, or over ``LABEL_LIMIT`` characters; ``what`` names the value.

    """
    if len(value) > _RAW_LIMIT:
        raise InvalidValue(f"{what} has {len(value)} characters; at most {LABEL_LIMIT} are allowed")
    spaced = "".join(" " if char.isspace() else char for char in value)
    printable = "".join(char for char in spaced if not unicodedata.category(char).startswith("C"))
    label = " ".join(unicodedata.normalize("NFC", printable).split())
    if not can_be_seen(label):
        raise InvalidValue(f"{what} has no character that can be seen")
    if len(label) > LABEL_LIMIT:
        raise InvalidValue(f"{what} has {len(label)} characters; at most {LABEL_LIMIT} are allowed")
    return label
