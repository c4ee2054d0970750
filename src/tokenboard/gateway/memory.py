"""What follows from things that clients send again and again, kept in mind."""

from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

MAX_ENTRIES = 1_024
MAX_ENTRY_BYTES = 8_192
MAX_BYTES = 2 * 1024 * 1024
"""Bounds of one memory's keys; what follows from a key takes about as much as the key."""

FIELD_BYTES = 150
"""What a header field takes beside its letters: three objects."""


class Memory(Generic[_Key, _Value]):
    """Values by keys made of header fields, within bounds of number and of weight; the one kept longest goes first.

    A key is made of what its value follows from and of nothing else, or a field that a proxy gives anew to each request
    would make each key the only one of its kind. Not for secrets.
    """

    __slots__ = ("_kept", "_weights", "bytes", "recall")

    def __init__(self) -> None:
        self._kept: dict[_Key, _Value] = {}
        self._weights: dict[_Key, int] = {}
        self.bytes = 0
        """What all keys weigh."""
        self.recall = self._kept.get
        """Return what is kept under a key, or None."""

    def keep(self, key: _Key, value: _Value, weight: int) -> None:
        """Keep a value whose key weighs so many bytes, unless that is more than `MAX_ENTRY_BYTES`."""
        if weight > MAX_ENTRY_BYTES or key in self._kept:
            return
        while self._kept and (len(self._kept) >= MAX_ENTRIES or self.bytes + weight > MAX_BYTES):
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            self.bytes -= self._weights.pop(oldest)
        self._kept[key], self._weights[key] = value, weight
        self.bytes += weight
