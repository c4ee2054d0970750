"""Bytes cut anywhere, put together again to lines, in bounded memory."""

from typing import Final

_CR: Final = 0x0D
_LF: Final = 0x0A
_HEAD: Final = 4 * 1024
_TAIL: Final = 64 * 1024

SEAM: Final = b"\x00"
"""Stands where bytes were left out. No JSON document holds it, so clipped JSON cannot pass for whole."""


class ClippedBuffer:
    """Bytes collected up to `limit` (at least 4 KiB).

    Past it only the first 4 KiB and the last 64 KiB are kept, with a seam between.
    """

    __slots__ = ("_head", "_kept", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = max(limit, _HEAD)
        self._kept = bytearray()
        self._head: bytes | None = None

    def __bool__(self) -> bool:
        return bool(self._kept) or self._head is not None

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        if self._head is None and len(self._kept) + len(data) > self._limit:
            # Of what overflows only the two ends matter, so the middle is never copied.
            self._head = bytes(self._kept[:_HEAD]) + data[: max(0, _HEAD - len(self._kept))]
            del self._kept[:-_TAIL]
        if self._head is None:
            self._kept += data
            return
        self._kept += data[-_TAIL:]
        if len(self._kept) > 2 * _TAIL:
            del self._kept[:-_TAIL]

    def take(self) -> bytes:
        """Return what was collected and start anew."""
        head, kept = self._head, self._kept
        self._head, self._kept = None, bytearray()
        return bytes(kept) if head is None else head + SEAM + bytes(kept[-_TAIL:])


class LineSplitter:
    r"""Splits bytes into lines ended by LF, CR or CRLF, as the event stream format does (WHATWG HTML, 9.2.5).

    A line longer than `max_line` bytes comes out clipped, see `ClippedBuffer`; those after it are not harmed.
    """

    __slots__ = ("_after_cr", "_carry", "_max_line")

    def __init__(self, max_line: int) -> None:
        self._max_line = max(max_line, _HEAD)
        self._carry: ClippedBuffer | None = None
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines, without their ends, that are complete now."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[0] == _LF:
                chunk = chunk[1:]
        if not chunk:
            return []
        if len(chunk) > self._max_line:
            # Whether a line is clipped must not depend on how it was cut into chunks.
            starts = range(0, len(chunk), self._max_line)
            return [line for start in starts for line in self.feed(chunk[start : start + self._max_line])]
        lines = chunk.splitlines()
        last = chunk[-1]
        rest: bytes | None = None
        if last == _CR:
            self._after_cr = True
        elif last != _LF:
            rest = lines.pop()
        if self._carry is not None and lines:
            self._carry.append(lines[0])
            lines[0] = self._carry.take()
            self._carry = None
        if rest is not None:
            if self._carry is None:
                self._carry = ClippedBuffer(self._max_line)
            self._carry.append(rest)
        return lines

    def flush(self) -> list[bytes]:
        """Return the last line if it has no end."""
        carry, self._carry = self._carry, None
        return [] if carry is None else [carry.take()]
