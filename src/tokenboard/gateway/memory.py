"""A bounded cache of what follows from header fields that clients send again and again."""

from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

MAX_ENTRIES = 1_024
MAX_ENTRY_BYTES = 8_192
MAX_BYTES = 2 * 1024 * 1024
"""Bounds of one memory's keys; what follows from a key takes about as much as the key."""

FIELD_BYTES = 150
"""Memory of a header field beside its characters, in bytes: three objects."""


class Memory(Generic[_Key, _Value]):
    """A cache keyed by header fields, bounded in entries and bytes; the oldest entry is evicted first.

    A key holds only what its value depends on: a field that a proxy sets anew for each request would make every key
    unique. Not for secrets.
    """

    __slots__ = ("_kept", "_weights", "bytes", "recall")

    def __init__(self) -> None:
        self._kept: dict[_Key, _Value] = {}
        self._weights: dict[_Key, int] = {}
        self.bytes = 0
        """The size of all keys, in bytes."""
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
