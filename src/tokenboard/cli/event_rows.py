"""One row of a file, as a usage event of ``POST /usage``: what means the same in another type is taken, nothing else.

Writers differ: a column with holes makes 5 a 5.0, a sum makes it a decimal or a double, an id may be an integer, a text
may be bytes, a list stands for its items. A value that has no meaning where it stands is refused by the column's name.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

MEMBERS = (
    "id", "ts", "referer", "title", "categories", "model", "provider", "prompt_tokens", "completion_tokens",
    "cached_tokens", "reasoning_tokens", "cost", "status", "latency_ms", "tool_calls",
)  # fmt: skip
"""What is read of a row."""

REQUIRED = ("id", "ts", "model", "prompt_tokens", "completion_tokens")
"""What no event can do without."""

_NUMBER = re.compile(r"[+-]?\d{1,40}(?:\.\d{0,40})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_UNIX = re.compile(r"\d{1,20}(?:\.\d{0,20})?", re.ASCII)
# ISO 8601 as databases and tables write it: `2026-05-11 23:59`, `… 23:59:59.5+00`, `…T23:59:59+0100`, `… 23:59:59 UTC`.
_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)? ?(?:[Zz]|UTC|([+-]\d{2})(?::?(\d{2}))?)?", re.ASCII
)
_TRUTHS = {"true": True, "false": False}
_MAX_SHOWN = 40
_LARGEST = 10**40


class RowFault(ValueError):
    """A column of one row holds what has no meaning there."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}")


def event_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event of a row: its members by name, as JSON has them; empty cells and NaN are absent.

    Raises:
        RowFault: a value has no meaning in its column.

    """
    event = {}
    for name, read in _READ.items():
        value = row.get(name)
        if value is None or value == "" or (isinstance(value, float | Decimal) and math.isnan(value)):
            continue
        event[name] = read(name, value)
    return event


def zoned(text: str) -> str:
    """Return a time as ``POST /usage`` takes it; one without a zone is UTC, and what is no time stays as it is."""
    found = _TIME.fullmatch(text)
    if found is None:
        return text
    day, minute, second, hours, minutes = found.groups()
    return f"{day}T{minute}{second or ':00'}" + (f"{hours}:{minutes or '00'}" if hours else "Z")


def missing_columns(names: list[str]) -> list[str]:
    """Return the required columns that are not there."""
    return [name for name in REQUIRED if name not in names]


def _text(column: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise RowFault(column, "bytes that are not UTF-8 text") from error
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, bool) and isinstance(value, int | float | Decimal) and _is_whole(value):
        return str(int(value))
    raise RowFault(column, f"{_shown(value)} is not text")


def _list(column: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(_text(column, item) for item in value if item is not None)
    return _text(column, value)


def _count(column: str, value: Any) -> int:
    number = _number(column, value)
    if not _is_whole(number):
        raise RowFault(column, f"{_shown(value)} is not a whole number")
    return int(number)


def _number(column: str, value: Any) -> int | float | Decimal:
    """Return a finite number."""
    if isinstance(value, str) and _NUMBER.fullmatch(value) is not None:
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        raise RowFault(column, f"{_shown(value)} is not a number")
    return value


def _amount(column: str, value: Any) -> str:
    number = _number(column, value)
    # By their shortest spelling: the binary fraction behind it was never a price.
    return repr(number) if isinstance(number, float) else str(number)


def _duration(column: str, value: Any) -> float:
    return float(_number(column, value))


def _calls(column: str, value: Any) -> bool | int:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUTHS:
        return _TRUTHS[value.lower()]
    return _count(column, value)


def _time(column: str, value: Any) -> str | int | float:
    """Return a time as ``POST /usage`` takes it; one without a zone is UTC, as tables mostly mean it."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, str | bytes):
        text = _text(column, value)
        if _UNIX.fullmatch(text) is None:
            return zoned(text)
        value = text
    number = _number(column, value)
    return int(number) if _is_whole(number) else float(number)


def _is_whole(number: float | Decimal) -> bool:
    if isinstance(number, int):
        return True
    # Bounds before int(): it would spell out an exponent of thousands of digits.
    return math.isfinite(number) and -_LARGEST < number < _LARGEST and number == int(number)


def _shown(value: Any) -> str:
    text = f"`{value}`" if isinstance(value, str) else f"a {type(value).__name__}"
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        text = str(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


_READ: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(MEMBERS, _text),
    **dict.fromkeys(("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "status"), _count),
    "ts": _time,
    "categories": _list,
    "cost": _amount,
    "latency_ms": _duration,
    "tool_calls": _calls,
}
