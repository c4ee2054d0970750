"""The event stream format, cut at any byte (WHATWG HTML, 9.2.5 and 9.2.6), for reading along, not for relaying."""

from typing import Final

from tokenboard.usage.document import is_document
from tokenboard.usage.lines import Gatherer, LineSplitter

DONE: Final = b"[DONE]"
"""The data of the last event of the OpenAI family. Clients that read by lines stop at it without awaiting the blank
line that completes the event, so it is handed over as soon as its line is complete."""

ERROR: Final = b"error"
"""The name of an event that tells of an error."""

_NOTHING: Final = (b"", b"null", b"{}", b'""')
_BOM: Final = b"\xef\xbb\xbf"

Frame = tuple[bytes, bytes]
"""Name and data of one event; the name is empty where the stream gives none."""


class EventSplitter:
    """Splits bytes into events. Data longer than `max_event` bytes comes out short, see `Gatherer`.

    A field `error`, which some servers write in place of `event` and `data`, is an event of that name.
    Where the standard drops an event that the end of the stream cuts off, `flush` hands it over. Where it takes events
    without a blank line between them for one, each is one.
    """

    __slots__ = ("_at_start", "_data", "_lines", "_max_event", "_more", "_name")

    def __init__(self, max_event: int) -> None:
        self._max_event = max_event
        self._lines = LineSplitter(max_event)
        self._at_start = True
        self._name = b""
        self._data: bytes | None = None
        self._more: Gatherer | None = None

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the events that are complete now."""
        if (
            self._data is None
            and chunk.startswith(b"data: ")
            and chunk.endswith(b"\n\n")
            and not self._at_start
            and not self._name
            and self._lines.at_line_start
            and chunk.count(b"\n") == 2
            and b"\r" not in chunk
            and len(chunk) <= self._max_event
        ):
            return [(b"", chunk[6:-2])]  # by far the most frequent: one event, and no more
        frames: list[Frame] = []
        for line in self._lines.feed(chunk):
            if self._at_start:
                self._at_start = False
                self._take(line.removeprefix(_BOM), frames)
            elif self._data is None and line.startswith(b"data: ") and line != b"data: [DONE]":
                # By far the most frequent line, in line.
                self._data = line[6:]
            else:
                self._take(line, frames)
        return frames

    def flush(self) -> list[Frame]:
        """Return the event the end of the stream cut off, if any."""
        frames: list[Frame] = []
        for line in self._lines.flush():
            self._take(line.removeprefix(_BOM) if self._at_start else line, frames)
        self._take(b"", frames)
        return frames

    def _take(self, line: bytes, frames: list[Frame]) -> None:
        if not line:
            self._complete(frames)
            self._name = b""
            return
        field, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            if self._data is not None and self._begins_next(value):
                self._complete(frames)
            if value == DONE and self._data is None:
                frames.append((self._name, value))
            elif self._data is None:
                self._data = value
            else:
                if self._more is None:
                    self._more = Gatherer(self._max_event)
                    self._more.append(self._data)
                self._more.append(b"\n" + value)
        elif field == b"event":
            if self._name:
                self._complete(frames)
            self._name = value[:64]
        elif field == ERROR and value not in _NOTHING:
            frames.append((ERROR, value))

    def _complete(self, frames: list[Frame]) -> None:
        if self._data is not None:
            if self._more is not None:
                self._data, self._more = self._more.take(), None
            frames.append((self._name, self._data))
            self._data = None

    def _begins_next(self, value: bytes) -> bool:
        """Tell whether a second line of data is an event of its own, of a server that sends no blank lines."""
        if value == DONE:
            return True
        data = self._data
        return value[:1] == b"{" and self._more is None and data is not None and data[-1:] == b"}" and is_document(data)
