"""What follows from things that clients send again and again, kept in mind."""

from collections.abc import Iterable
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

MAX_ENTRIES = 1_024
MAX_ENTRY_BYTES = 8_192
"""Bounds of one memory: 8 MiB of keys, and as much of what follows from them."""

_FIELD_BYTES = 150
"""What a header field takes beside its letters: three objects."""


class Memory(Generic[_Key, _Value]):
    """At most `MAX_ENTRIES` values by keys made of header fields; the one kept longest goes first. Not for secrets."""

    __slots__ = ("_kept", "recall")

    def __init__(self) -> None:
        self._kept: dict[_Key, _Value] = {}
        self.recall = self._kept.get
        """Return what is kept under a key, or None."""

    def keep(self, key: _Key, value: _Value, fields: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep a value, unless the header fields in its key take more than `MAX_ENTRY_BYTES`."""
        if sum([len(name) + len(text) + _FIELD_BYTES for name, text in fields]) <= MAX_ENTRY_BYTES:
            if len(self._kept) >= MAX_ENTRIES:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = value
