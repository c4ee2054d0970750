"""How much memory a value takes, so that what is kept is bounded in bytes, its keys included."""

from dataclasses import fields, is_dataclass
from sys import getsizeof
from typing import Any

_SAMPLED = 64  # items of one collection that are looked at; the others are taken to be like them
_SHARED = (bool, type(None), type)


def weight(value: Any) -> int:
    """Return about how many bytes a value and all it is made of take; parts shared with others count in full.

    Of a long collection some items stand for all, so that to weigh takes microseconds whatever the size.
    """
    if isinstance(value, _SHARED):
        return 8
    own = getsizeof(value)
    if isinstance(value, (str, bytes)):
        return own
    if isinstance(value, (tuple, list)):
        return own + _all(value)
    if isinstance(value, (set, frozenset)):
        return own + _all(list(value))
    if isinstance(value, dict):
        return own + _all(list(value)) + _all(list(value.values()))
    if is_dataclass(value):
        return own + sum(weight(getattr(value, each.name)) for each in fields(value))
    return own


def _all(items: "tuple[Any, ...] | list[Any]") -> int:
    if len(items) <= _SAMPLED:
        return sum(map(weight, items))
    looked_at = items[:: len(items) // _SAMPLED]
    return sum(map(weight, looked_at)) * len(items) // len(looked_at)
