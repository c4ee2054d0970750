"""Bytes cut anywhere, put together again to lines, in bounded memory."""

import re
from typing import Final

from tokenboard.usage.abridge import Abridger

_CR: Final = 0x0D
_LF: Final = 0x0A
_HEAD: Final = 4 * 1024
_JSON_START: Final = re.compile(rb"[{\[]")


class Gatherer:
    """Bytes collected up to `limit` (at least 4 KiB).

    Past it they are taken for JSON, and brought to a short document as they come, see `Abridger`. What stands before
    the JSON, the name of a field, is kept; of what holds no JSON the first 4 KiB are.
    """

    __slots__ = ("_abridger", "_kept", "_limit", "_short")

    def __init__(self, limit: int) -> None:
        self._limit = max(limit, _HEAD)
        self._kept = bytearray()
        self._abridger: Abridger | None = None
        self._short: list[bytes] = []

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        if self._abridger is None:
            self._kept += data
            if len(self._kept) <= self._limit:
                return
            data, start = bytes(self._kept), _JSON_START.search(self._kept, 0, _HEAD)
            del self._kept[_HEAD if start is None else start.start() :]
            self._abridger = Abridger()
            data = data[len(self._kept) :]
        self._short = self._abridger.feed(data)[-1:] or self._short

    def take(self) -> bytes:
        """Return what was collected and start anew; of several documents past the limit, the last."""
        kept, abridger, short = self._kept, self._abridger, self._short
        self._kept, self._abridger, self._short = bytearray(), None, []
        if abridger is not None:
            kept += b"".join(abridger.close()[-1:] or short)
        return bytes(kept)


class LineSplitter:
    r"""Splits bytes into lines ended by LF, CR or CRLF, as the event stream format does (WHATWG HTML, 9.2.5).

    A line longer than `max_line` bytes comes out short, see `Gatherer`; those after it are not harmed.
    """

    __slots__ = ("_after_cr", "_carry", "_max_line")

    def __init__(self, max_line: int) -> None:
        self._max_line = max(max_line, _HEAD)
        self._carry: Gatherer | None = None
        self._after_cr = False

    @property
    def at_line_start(self) -> bool:
        """Whether the next byte surely begins a line."""
        return self._carry is None and not self._after_cr

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines, without their ends, that are complete now."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[0] == _LF:
                chunk = chunk[1:]
        if not chunk:
            return []
        if len(chunk) > self._max_line:
            # Whether a line is shortened must not depend on how it was cut into chunks.
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
                self._carry = Gatherer(self._max_line)
            self._carry.append(rest)
        return lines

    def flush(self) -> list[bytes]:
        """Return the last line if it has no end."""
        carry, self._carry = self._carry, None
        return [] if carry is None else [carry.take()]
