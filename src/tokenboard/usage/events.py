"""The event stream format, cut at any byte (WHATWG HTML, 9.2.5 and 9.2.6), for reading along, not for relaying."""

from typing import Final

from tokenboard.usage.lines import ClippedBuffer, LineSplitter

DONE: Final = b"[DONE]"
"""The data of the last event of the OpenAI family. Clients that read by lines stop at it without awaiting the blank
line that completes the event, so it is handed over as soon as its line is complete."""

_BOM: Final = b"\xef\xbb\xbf"

Frame = tuple[bytes, bytes]
"""Name and data of one event; the name is empty where the stream gives none."""


class EventSplitter:
    """Splits bytes into events. Data longer than `max_event` bytes is clipped, see `ClippedBuffer`.

    Where the standard drops an event that the end of the stream cuts off, `flush` hands it over.
    """

    __slots__ = ("_at_start", "_data", "_lines", "_max_event", "_more", "_name")

    def __init__(self, max_event: int) -> None:
        self._max_event = max_event
        self._lines = LineSplitter(max_event)
        self._at_start = True
        self._name = b""
        self._data: bytes | None = None
        self._more: ClippedBuffer | None = None

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the events that are complete now."""
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
            if self._data is not None:
                if self._more is not None:
                    self._data, self._more = self._more.take(), None
                frames.append((self._name, self._data))
                self._data = None
            self._name = b""
            return
        field, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            if value == DONE and self._data is None:
                frames.append((self._name, value))
            elif self._data is None:
                self._data = value
            else:
                if self._more is None:
                    self._more = ClippedBuffer(self._max_event)
                    self._more.append(self._data)
                self._more.append(b"\n" + value)
        elif field == b"event":
            self._name = value[:64]
