"""JSON of any length, cut anywhere and perhaps broken, brought to a short document in bounded memory.

    bytes ─▶ tokens ─▶ kept or skipped, by where they stand ─▶ one short document per object

What usage, an ending or an error may stand in is kept whole, wherever in the document it comes; of the rest the start,
with long strings cut. The path decides, not the text: a usage object that a model wrote, into a string or into the
arguments of a call, is in no place where servers tell of usage. What follows the document is read too: objects in an
array, or one after the other, come out as documents of their own.
"""

import re
from typing import Final

from tokenboard.usage import endings, output, places

# Places of which the beginning is enough: they hold what a model wrote.
_WORDS: Final = output.KEYS - places.INNER
_ALL_WORDS: Final = _WORDS | places.INNER
_VITAL_KEYS: Final = (places.KEYS | endings.KEYS) - _ALL_WORDS
_VITAL_INNER: Final = frozenset({"usage", "type", "object", "status", "error"})

_MAX_DEPTH: Final = 24
_MAX_WORDS: Final = 64 * 1024
_MAX_VITAL: Final = 64 * 1024
_MAX_VITAL_STRING: Final = 256
_MAX_WORD: Final = 64
_MAX_SCALAR: Final = 64


def _skipping(depth: int) -> bytes:
    """Return a pattern of what a skipped value may hold, with whole containers nested this deep: no step for each."""
    inner = rb'[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"'
    pattern = rb"(?:" + inner + rb")*+"
    for _ in range(depth):
        pattern = rb"(?:" + inner + rb"|[{\[]" + pattern + rb"[}\]])*+"
    return pattern


# Possessive: nothing is tried twice, and no memory is needed for going back.
_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SPACE: Final = re.compile(rb"[\s,:]*+")
_SCALAR: Final = re.compile(rb'[^\s"{}\[\]:,]++')
_UNTIL_STRUCTURE: Final = re.compile(_skipping(3), re.DOTALL)
_LITERAL: Final = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity")

_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_OPENERS: Final = frozenset(b"{[")

# What a container is for.
_LIST: Final = 0
"""An array at the top: its objects are documents."""
_DOCUMENT: Final = 1
_INNER: Final = 2
"""An object one level deeper in which usage may stand."""
_CHOICES: Final = 3
_WORDY: Final = 4
_VITAL: Final = 5


class _Frame:
    """A container that is open: what it is for, and what was written of it."""

    __slots__ = ("empty", "is_object", "key", "kind", "start")

    def __init__(self, kind: int, start: int, *, is_object: bool) -> None:
        self.kind = kind
        self.is_object = is_object
        self.start = start
        self.key: bytes | None = None
        self.empty = True


class Abridger:
    """Feed it JSON piece by piece; it gives short documents, as JSON objects, as soon as each is complete.

    ``whole``: everything so far was JSON, as far as it was looked at. Holds at most some 200 KiB.
    """

    __slots__ = ("_carry", "_frames", "_out", "_rest", "_skipped", "_string", "_vital", "whole")

    def __init__(self) -> None:
        self._carry = b""
        self._frames: list[_Frame] = []
        self._out = bytearray()
        self._skipped = 0  # containers open inside a value that is not kept
        self._rest = False  # whether the last of them is a frame, whose rest is not kept
        self._string: bytearray | None = None  # the start of a string whose end has not come
        self._vital = 0
        self.whole = True

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """Return the documents that are complete now."""
        if self._carry:
            data = self._carry + data
            self._carry = b""
        found: list[bytes] = []
        at = 0
        end = len(data)
        while at < end:
            if self._string is not None:
                at = self._read_string(data, at)
                if self._carry:
                    break
            elif self._skipped:
                at = _UNTIL_STRUCTURE.match(data, at).end()  # type: ignore[union-attr]
                if at < end:
                    self._skip(data[at], found)
                    at += 1
            else:
                at = _SPACE.match(data, at).end()  # type: ignore[union-attr]
                if at < end:
                    at = self._read_token(data, at, found)
        return found

    def close(self) -> list[bytes]:
        """Return the document that the end cuts off, made whole again; usage that was cut itself is left out."""
        if self._frames or self._string is not None or self._skipped:
            self.whole = False
        elif self._carry:
            self.whole = self.whole and _LITERAL.fullmatch(self._carry) is not None
        for at, frame in enumerate(self._frames):
            if frame.kind == _VITAL and not self._out.endswith(b'"error":', 0, frame.start):
                del self._out[frame.start :], self._frames[at:]
                self._out += b"null"
                break
        found: list[bytes] = []
        while self._frames:
            self._pop(found)
        self._carry, self._string, self._skipped, self._rest = b"", None, 0, False
        return found

    # -- tokens

    def _read_token(self, data: bytes | bytearray, at: int, found: list[bytes]) -> int:
        byte = data[at]
        if byte == _QUOTE:
            self._string = bytearray()
            return at + 1
        if byte in _OPENERS:
            self._open(byte)
            return at + 1
        if byte in b"}]":
            if not self._frames or self._frames[-1].is_object != (byte == 0x7D):
                self.whole = False
            if self._frames:
                self._pop(found)
            return at + 1
        end = _SCALAR.match(data, at).end()  # type: ignore[union-attr]
        if end == len(data) and end - at <= _MAX_SCALAR:
            self._carry = bytes(data[at:end])
            return end
        self._take_scalar(bytes(data[at : min(end, at + _MAX_SCALAR + 1)]))
        return end

    def _read_string(self, data: bytes | bytearray, at: int) -> int:
        string = self._string
        end = _STRING.match(data, at).end()  # type: ignore[union-attr]
        if string is not None and len(string) <= _MAX_VITAL_STRING:
            string += data[at : min(end, at + _MAX_VITAL_STRING + 1)]
        if end == len(data):
            return end
        if data[end] == _BACKSLASH:
            self._carry = b"\\"
            return end + 1
        self._string = None
        if not self._skipped and string is not None:
            self._take_string(bytes(string))
        return end + 1

    def _skip(self, byte: int, found: list[bytes]) -> None:
        if byte == _QUOTE:
            self._string = bytearray()
        elif byte in _OPENERS:
            self._skipped += 1
        else:
            self._skipped -= 1
            if not self._skipped and self._rest:
                self._rest = False
                self._pop(found)

    def _leave_out(self, frame: _Frame, containers: int) -> None:
        """Leave out a value that opens so many containers; and all that follows in a frame without room for more."""
        frame.key = None
        self._skipped = containers
        if frame.kind in (_CHOICES, _WORDY, _VITAL):
            self._skipped += 1
            self._rest = True

    # -- values

    def _take_string(self, string: bytes) -> None:
        frame = self._frames[-1] if self._frames else None
        if frame is None:
            return
        if frame.is_object and frame.key is None:
            frame.key = string
            return
        kind = self._kind_of_value(frame)
        if kind is None:
            self._leave_out(frame, 0)
            return
        self._write(frame, b'"%b"' % _cut(string, _MAX_VITAL_STRING if kind == _VITAL else _MAX_WORD), kind)

    def _take_scalar(self, scalar: bytes) -> None:
        literal = _LITERAL.fullmatch(scalar) is not None
        if not literal:
            self.whole = False
        frame = self._frames[-1] if self._frames else None
        if frame is None:
            return
        if frame.is_object and frame.key is None:
            self.whole = False
            return
        kind = self._kind_of_value(frame)
        if kind is None:
            self._leave_out(frame, 0)
            return
        self._write(frame, scalar if literal else b"null", kind)

    def _open(self, byte: int) -> None:
        is_object = byte == 0x7B
        frame = self._frames[-1] if self._frames else None
        if frame is None or frame.kind == _LIST:
            if is_object:
                self._vital = 0
                self._out = bytearray(b"{")
                self._frames.append(_Frame(_DOCUMENT, 0, is_object=True))
            elif frame is None:
                self._frames.append(_Frame(_LIST, 0, is_object=False))
            else:
                self._skipped = 1
            return
        if frame.is_object and frame.key is None:
            self.whole = False
            self._skipped = 1
            return
        kind = self._kind_of_value(frame)
        if kind is None:
            self._leave_out(frame, 1)
            return
        if len(self._frames) >= _MAX_DEPTH:
            frame.key = None
            self._skipped = 1
            return
        self._write(frame, b"{" if is_object else b"[", kind)
        self._frames.append(_Frame(kind, len(self._out) - 1, is_object=is_object))

    def _pop(self, found: list[bytes]) -> None:
        frame = self._frames.pop()
        if frame.kind == _LIST:
            return
        if frame.is_object and frame.key is not None:
            self.whole = False
        self._out += b"}" if frame.is_object else b"]"
        if frame.kind == _DOCUMENT:
            if not frame.empty:
                found.append(bytes(self._out))
            self._out = bytearray()

    def _kind_of_value(self, frame: _Frame) -> int | None:
        """Tell what the value that begins now is for; None if it is not kept."""
        kind: int = frame.kind
        if kind == _DOCUMENT:
            key = _name(frame.key)
            if key in _VITAL_KEYS:
                kind = _VITAL
            elif key == "choices":
                kind = _CHOICES
            elif key in places.INNER:
                kind = _INNER
            elif key in _WORDS:
                kind = _WORDY
            else:
                return None
        elif kind == _CHOICES:
            kind = _INNER
        elif kind == _INNER:
            kind = _VITAL if _name(frame.key) in _VITAL_INNER else _WORDY
        elif kind == _LIST:
            return None
        if kind == _VITAL:
            return kind if self._vital < _MAX_VITAL else None
        # Objects in which usage may stand are opened when there is no more room for words, though not without end.
        room = 2 * _MAX_WORDS if kind == _INNER else _MAX_WORDS
        return kind if len(self._out) - self._vital < room else None

    def _write(self, frame: _Frame, value: bytes, kind: int) -> None:
        before = len(self._out)
        if not frame.empty:
            self._out += b","
        frame.empty = False
        if frame.key is not None:
            self._out += b'"%b":' % _cut(frame.key, _MAX_VITAL_STRING)
            frame.key = None
        self._out += value
        if kind == _VITAL:
            self._vital += len(self._out) - before


def _name(key: bytes | None) -> str:
    return "" if key is None else key.decode("ascii", "replace")


def _cut(string: bytes, longest: int) -> bytes:
    """Return the start of what stands between two quotes, not cut inside an escape."""
    if len(string) <= longest:
        return string
    return string[:longest].partition(b"\\")[0] if b"\\" in string[longest - 12 : longest] else string[:longest]
