"""Reads along with one response and tells at its end how many tokens it took."""

from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from tokenboard.usage.dialects import count_text, find_ending, read_usage
from tokenboard.usage.document import decode_body, decode_event
from tokenboard.usage.encoding import (
    BodyDecoder,
    BrokenEncodingError,
    EncodingError,
    OversizedEncodingError,
    UnknownEncodingError,
)
from tokenboard.usage.events import DONE, EventSplitter
from tokenboard.usage.lines import ClippedBuffer, LineSplitter
from tokenboard.usage.reading import Ending, Event, Reading, settle
from tokenboard.usage.record import Usage, UsageSource
from tokenboard.usage.tools import calls_tool

MAX_BUFFER: Final = 32 * 1024 * 1024
MAX_EVENT: Final = 1024 * 1024
MAX_DECODED: Final = 128 * 1024 * 1024
MAX_NAME: Final = 200
CHARACTERS_PER_TOKEN: Final = 4

# Reading an event costs far more than unpacking it, so a stream may not unpack to any number of them: past the first
# 4 MiB only 32 times what came in. Streams that are flushed after each event stay below 20.
_FREE: Final = 4 * 1024 * 1024
_MAX_RATIO: Final = 32

_NDJSON_TYPES: Final = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/jsonlines",
        "application/json-lines",
        "application/x-json-stream",
    }
)
_EVENT_STREAM: Final = "text/event-stream"
_WORDLESS: Final = ("audio/", "image/", "video/", "font/", "application/pdf", "application/zip", "text/html")
_UNNAMED: Final = b"message"  # what the format calls an event without a name; it says nothing of its kind
_BOM: Final = b"\xef\xbb\xbf"
_WHITESPACE: Final = b" \t\r\n"

# What a body turns out to be. Plain numbers: a member of an Enum takes several times as long to look up.
_UNSEEN: Final = 0
_EVENTS: Final = 1
_LINES: Final = 2
_BODY: Final = 3
_OTHER: Final = 4


class Blindness(StrEnum):
    """Why a meter stopped reading before the end of the response."""

    UNKNOWN_ENCODING = "unknown_encoding"
    BROKEN_ENCODING = "broken_encoding"
    OVERSIZED = "oversized"
    FAULT = "fault"
    """A mistake of ours; the response is relayed all the same."""


class Meter:
    """Meters one response: feed it every chunk of the body as it came, compressed or not, cut anywhere; then finish.

    `content_type` and `content_encoding` are the response's headers, or None; what the body is, is told by its first
    byte, the type decides only where that does not. Neither `feed` nor `finish` ever raises, and no text is kept.

    `max_buffer` bounds the bytes of a body kept until its end, `max_event` those of one event of a stream: beyond them
    only the first 4 KiB and the last 64 KiB are searched for a usage object. `max_decoded` bounds what a compressed
    body is unpacked to; a stream has a tighter bound, by the bytes that came in.

    `ended`: the terminal event of a stream was in what was fed so far; nothing after it is read.
    `failed`: not 2xx, or an error before any output; for a body that is no stream it is known after `finish`.
    `response_id`, `response_model`: the names the body gives itself, at most 200 characters.
    `tool_calls`: the answer held at least one call of a tool or function.
    `blind`: why reading stopped early, or None.
    """

    __slots__ = (
        "_body",
        "_broken",
        "_characters",
        "_decoder",
        "_events",
        "_form",
        "_lines",
        "_max_buffer",
        "_max_event",
        "_media_type",
        "_start",
        "_tally",
        "_usage",
        "blind",
        "ended",
        "failed",
        "response_id",
        "response_model",
        "tool_calls",
    )

    def __init__(
        self,
        content_type: str | bytes | None,
        content_encoding: str | bytes | None,
        status: int,
        *,
        max_buffer: int = MAX_BUFFER,
        max_event: int = MAX_EVENT,
        max_decoded: int = MAX_DECODED,
    ) -> None:
        self._max_buffer = max_buffer
        self._max_event = max_event
        self._media_type, self._form = _read_type(content_type)
        self._decoder: BodyDecoder | None = None
        self._events: EventSplitter | None = None
        self._lines: LineSplitter | None = None
        self._body: ClippedBuffer | None = None
        self._start = b""
        self._tally: Reading = {}
        self._characters = 0
        self._broken = False
        self._usage: Usage | None = None
        self.blind: Blindness | None = None
        self.ended = False
        self.failed = not 200 <= status < 300
        self.response_id: str | None = None
        self.response_model: str | None = None
        self.tool_calls = False
        if content_encoding:
            try:
                self._decoder = BodyDecoder(_text(content_encoding), max_decoded=max_decoded) or None
            except UnknownEncodingError:
                self.blind = Blindness.UNKNOWN_ENCODING

    def feed(self, chunk: bytes) -> None:
        """Read the next chunk of the body."""
        if self.ended or self.failed or self.blind is not None or self._usage is not None:
            return
        try:
            if self._decoder is None:
                self._read(chunk)
            else:
                for piece in self._decoder.decode(chunk):
                    self._read(piece)
                    if self._body is None and self._decoder.unpacked > _FREE + _MAX_RATIO * self._decoder.packed:
                        raise OversizedEncodingError
        except EncodingError as error:
            self.blind = _blindness(error)
        except Exception:  # The relay goes on whatever happens here; the gateway counts `blind`.
            self.blind = Blindness.FAULT

    def finish(self, complete: bool, *, prompt_chars: int | None = None) -> Usage:
        """Return the usage of the response; the first call decides.

        `complete` is False when the answer broke off: the upstream died or the client left. Then what was seen is
        `partial`, and where nothing was seen the relayed text gives an `estimated` completion, together with a prompt
        of `prompt_chars` characters if that is given, both by four characters a token, rounded up. A complete answer
        is never estimated: without usage it is `unknown`. A failed request carries no tokens.
        """
        if self._usage is None:
            try:
                self._usage = self._conclude(complete, prompt_chars)
            except Exception:  # As in feed.
                self.blind = Blindness.FAULT
                self._usage = Usage()
        return self._usage

    def _read(self, data: bytes) -> None:
        if self._events is not None:
            for name, document in self._events.feed(data):
                self._read_event(document, name)
        elif self._lines is not None:
            for line in self._lines.feed(data):
                self._read_event(line, b"")
        elif self._body is not None:
            self._body.append(data)
        elif self._form is _UNSEEN:
            self._recognise(data)

    def _recognise(self, data: bytes) -> None:
        """Tell from the first byte that is no white space what the body is, then read what has come of it."""
        start = self._start + data
        if _BOM.startswith(start[:3]):
            self._start = start[:3]
            start = start[3:]
        start = start.lstrip(_WHITESPACE)
        if not start:
            return
        self._start = b""
        if start[:1] in (b"{", b"["):
            self._form = _LINES if self._media_type in _NDJSON_TYPES else _BODY
        elif self._media_type == _EVENT_STREAM or start[:1] in (b"d", b"e", b"i", b"r", b":"):
            self._form = _EVENTS
        else:
            self._form = _OTHER
        if self._form is _EVENTS:
            self._events = EventSplitter(self._max_event)
        elif self._form is _LINES:
            self._lines = LineSplitter(self._max_event)
        elif self._form is _BODY:
            self._body = ClippedBuffer(self._max_buffer)
        self._read(start)

    def _read_event(self, document: bytes, name: bytes) -> None:
        if self.ended or not document:
            return
        if document == DONE:
            self.ended = True
            return
        event = decode_event(document)
        if event is None:
            event = {}
        if name and name != _UNNAMED and "type" not in event:
            event["type"] = name.decode("ascii", "replace")
        reading = self._observe(event)
        # The text is needed for two answers: was there output before an error, and how much while no usage is known.
        if not self._tally or not self._characters:
            self._characters += count_text(event)
        ending = Ending.ERROR if name == b"error" else find_ending(event)
        if ending is None:
            return
        self.ended = True
        if ending is Ending.ERROR:
            if self._characters == 0:
                self.failed = True
            elif reading is None:
                self._broken = True

    def _observe(self, event: Event) -> Reading | None:
        if self.response_model is None or self.response_id is None:
            self._identify(event)
        if not self.tool_calls and calls_tool(event):
            self.tool_calls = True
        reading = read_usage(event)
        if reading is not None:
            self._tally.update(reading)
        return reading

    def _identify(self, event: Event) -> None:
        for part in (event, event.get("message"), event.get("response")):
            if isinstance(part, dict):
                self.response_id = self.response_id or _name(part.get("id")) or _name(part.get("responseId"))
                self.response_model = self.response_model or _name(part.get("model")) or _name(part.get("modelVersion"))
                if self.response_id is not None and self.response_model is not None:
                    return

    def _conclude(self, complete: bool, prompt_chars: int | None) -> Usage:
        intact = complete
        if self.blind is None and not self.failed:
            if self._events is not None:
                for name, document in self._events.flush():
                    self._read_event(document, name)
            elif self._lines is not None:
                for line in self._lines.flush():
                    self._read_event(line, b"")
            elif self._body is not None:
                intact = self._read_body(self._body.take()) or complete
        self._events = self._lines = self._body = self._decoder = None
        if self.failed:
            return Usage()
        intact = (intact or self.ended) and not self._broken
        if self._tally:
            whole = intact and self.blind is None
            return settle(self._tally, UsageSource.REPORTED if whole else UsageSource.PARTIAL)
        if intact or self._characters == 0:
            return Usage()
        return Usage(
            prompt_tokens=None if prompt_chars is None or prompt_chars < 0 else _estimate(prompt_chars),
            completion_tokens=_estimate(self._characters),
            source=UsageSource.ESTIMATED,
        )

    def _read_body(self, data: bytes) -> bool:
        """Read a body that is no stream; return whether it is intact."""
        events, intact = decode_body(data)
        produced = False
        error = False
        for event in events:
            reading = self._observe(event) or {}
            produced = produced or bool(reading.get("completion") or reading.get("answer") or count_text(event))
            error = error or find_ending(event) is Ending.ERROR
        self.failed = error and not produced
        return intact


def _estimate(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)


def _name(value: Any) -> str | None:
    return value[:MAX_NAME] if isinstance(value, str) and value else None


@lru_cache(maxsize=256)
def _read_type(content_type: str | bytes | None) -> tuple[str, int]:
    """Return the media type in lower case, and what it alone says of the body."""
    media_type = _text(content_type).partition(";")[0].strip().lower()
    return media_type, _OTHER if media_type.startswith(_WORDLESS) else _UNSEEN


def _text(header: str | bytes | None) -> str:
    if header is None:
        return ""
    return header if isinstance(header, str) else header.decode("latin-1")


def _blindness(error: EncodingError) -> Blindness:
    if isinstance(error, BrokenEncodingError):
        return Blindness.BROKEN_ENCODING
    if isinstance(error, OversizedEncodingError):
        return Blindness.OVERSIZED
    return Blindness.UNKNOWN_ENCODING
