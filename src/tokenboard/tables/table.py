"""A table: named, typed columns, and rows of plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a column holds; any cell may also be None.

    ``TEXT`` str, ``COUNT`` int within 64 bits, ``BIG`` int of up to 38 digits, ``RATIO`` float, ``DAY`` date,
    ``TIME`` datetime with a time zone, ``MONEY`` Decimal of up to 12 decimal places, ``LIST`` a sequence of str.
    """

    TEXT = "text"
    COUNT = "count"
    BIG = "big"
    RATIO = "ratio"
    DAY = "day"
    TIME = "time"
    MONEY = "money"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as sequences in the order of the columns. ``meta`` says what the figures are of: window, time, left out."""

    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Any]]
    meta: Mapping[str, str] = field(default_factory=dict)
