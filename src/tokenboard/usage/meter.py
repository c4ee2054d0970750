"""Reads along with one response and tells at its end how many tokens it took."""

from typing import Any, Final

from tokenboard.usage.abridge import Abridger
from tokenboard.usage.document import decode_abridged, decode_body, decode_event, is_document, salvage
from tokenboard.usage.encoding import (
    BodyDecoder,
    BrokenEncodingError,
    CutEncodingError,
    EncodingError,
    OversizedEncodingError,
    is_known,
    may_be_packed,
    read_label,
)
from tokenboard.usage.endings import Ending, find_ending
from tokenboard.usage.events import DONE, ERROR, EventSplitter
from tokenboard.usage.lines import LineSplitter
from tokenboard.usage.nature import Nature, is_wordless, media_type, names_lines, recognise
from tokenboard.usage.output import read_output
from tokenboard.usage.places import read_usage
from tokenboard.usage.reading import Event, Reading, merge, settle
from tokenboard.usage.record import Usage, UsageSource
from tokenboard.usage.twins import Twins
from tokenboard.usage.unread import Unread

MAX_BUFFER: Final = 1024 * 1024
MAX_EVENT: Final = 1024 * 1024
MAX_DECODED: Final = 128 * 1024 * 1024
CHARACTERS_PER_TOKEN: Final = 4

# Reading an event costs far more than unpacking it, so a stream may not unpack to any number of them: past the first
# 4 MiB only 32 times what came in. Streams that are flushed after each event stay below 20.
_FREE: Final = 4 * 1024 * 1024
_MAX_RATIO: Final = 32

_UNNAMED: Final = b"message"  # what the format calls an event without a name; it says nothing of its kind

# Plain numbers: a member of an Enum takes several times as long to look up.
_UNSEEN: Final = int(Nature.UNSEEN)
_EVENTS: Final = int(Nature.EVENTS)
_LINES: Final = int(Nature.LINES)
_DOCUMENT: Final = int(Nature.DOCUMENT)
_OTHER: Final = int(Nature.OTHER)

# Where a document's first line ended, if that is a number from zero on.
_NOT_SEEN: Final = -1
_NOT_ASKED: Final = -2


class Meter:
    """Meters one response: feed it every chunk of the body as it came, compressed or not, cut anywhere; then finish.

    `content_type` and `content_encoding` are the response's headers, or None: hints, for what the body is its first
    bytes tell. Neither `feed` nor `finish` ever raises, and no text is kept.

    `max_buffer` bounds the bytes of a body kept until its end, `max_event` those of one event of a stream: what is
    longer is read as it comes (see `Abridger`). `max_decoded` bounds what a compressed body is unpacked to; a stream
    has a tighter bound, by the bytes that came in.

    `ended`: the terminal event of a stream was in what was fed so far; what follows it is read all the same.
    `failed`: not 2xx, or an error and neither output nor usage; known after `finish`.
    `tool_calls`: the answer held at least one call of a tool or function.
    `reported`: usage was in what was fed so far.
    `unread`: why something could not be read, the first reason first; `fault` says where we were mistaken, or "".
    """

    __slots__ = (
        "_abridger",
        "_body",
        "_broken",
        "_characters",
        "_cut",
        "_decoder",
        "_erred",
        "_events",
        "_kind",
        "_label",
        "_line_end",
        "_lines",
        "_max_buffer",
        "_max_decoded",
        "_max_event",
        "_nature",
        "_start",
        "_stopped",
        "_tally",
        "_truncated",
        "_twins",
        "_usage",
        "ended",
        "failed",
        "fault",
        "reported",
        "tool_calls",
        "unread",
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
        self._max_decoded = max_decoded
        self._kind = media_type(content_type)
        self._label: tuple[str, ...] = ()
        self._decoder: BodyDecoder | None = None
        self._nature = _UNSEEN
        self._events: EventSplitter | None = None
        self._lines: LineSplitter | None = None
        self._twins = Twins()
        self._body: bytearray | None = None
        self._abridger: Abridger | None = None
        self._line_end = _NOT_ASKED
        self._start = b""
        self._stopped = False
        self._tally: Reading = {}
        self._truncated = False  # whether the body ended before its coding did
        self._characters = 0
        self._erred = False
        self._broken = False
        self._cut = False  # whether an event was no whole JSON
        self._usage: Usage | None = None
        self.ended = False
        self.failed = not 200 <= status < 300
        self.fault = ""
        self.reported = False
        self.tool_calls = False
        self.unread: tuple[Unread, ...] = ()
        if content_encoding:
            text = content_encoding if isinstance(content_encoding, str) else content_encoding.decode("latin-1")
            self._label = read_label(text)
            if self._label:
                self._decoder = BodyDecoder(self._label, max_decoded=max_decoded)

    @property
    def holds(self) -> bool:
        """Whether the body is a JSON document, or may yet turn out to be one: then its last byte may be held back."""
        return self._nature in (_DOCUMENT, _UNSEEN) and not self._stopped

    @property
    def streams(self) -> bool:
        """Whether the body is an event stream that is not compressed."""
        return self._nature == _EVENTS and self._decoder is None

    def feed(self, chunk: bytes) -> None:
        """Read the next chunk of the body."""
        if self._stopped:
            return
        try:
            if self._usage is not None:
                self._read_late(chunk)
            elif self._decoder is None:
                self._read(chunk)
            else:
                self._unpack(self._decoder, chunk, last=False)
        except EncodingError as error:
            self._stop(_reason(error))
        except Exception as fault:  # The relay goes on whatever happens here; the gateway counts and tells it.
            self._note_fault(fault)

    def finish(self, complete: bool) -> Usage:
        """Return the usage of the response; the first call decides.

        `complete` is False when the answer broke off: the upstream died or the client left. Then what was seen is
        `partial`, and where nothing was seen the relayed text gives an `estimated` completion, by four characters a
        token, rounded up. A complete answer is never estimated, unless it told of an error amid its output: without
        usage it is `unknown`. A failed request carries no tokens.
        """
        if self._usage is None:
            try:
                self._usage = self._conclude(complete)
            except Exception as error:  # As in feed.
                self._note_fault(error)
                self._usage = Usage()
        return self._usage

    # -- from bytes to events

    def _unpack(self, decoder: BodyDecoder, chunk: bytes, *, last: bool) -> None:
        for piece in decoder.decode(chunk, last=last):
            self._read(piece)
            if self._body is None and decoder.unpacked > _FREE + _MAX_RATIO * decoder.packed and not decoder.plain:
                raise OversizedEncodingError
        if decoder.plain:
            self._decoder = None

    def _read(self, data: bytes) -> None:
        if self._events is not None:
            for name, document in self._events.feed(data):
                self._read_event(document, name)
        elif self._body is not None:
            self._read_document(data)
        elif self._lines is not None:
            for line in self._lines.feed(data):
                self._read_event(line, b"")
        elif self._nature == _UNSEEN:
            self._recognise(data, last=False)

    def _recognise(self, data: bytes, *, last: bool) -> None:
        """Tell from its first bytes what the body is, then read what has come of it."""
        start = self._start + data
        if not start:
            return
        if self._decoder is None and not self._label and may_be_packed(start):
            # Nobody called it packed, its own bytes do.
            self._start = b""
            self._decoder = BodyDecoder(max_decoded=self._max_decoded)
            self._unpack(self._decoder, start, last=last)
            return
        nature, start = recognise(start, self._kind, last=last)
        if nature is Nature.UNSEEN:
            self._start = start
            return
        self._start = b""
        self._nature = int(nature)
        if nature is Nature.EVENTS:
            self._events = EventSplitter(self._max_event)
        elif nature is Nature.DOCUMENT:
            self._body = bytearray()
            self._line_end = _NOT_SEEN
        self._read(start)

    def _read_document(self, data: bytes) -> None:
        body = self._body
        if body is None:
            return
        if self._abridger is not None:
            self._read_abridged(self._abridger.feed(data))
            return
        body += data
        if self._line_end != _NOT_ASKED and self._read_first_line(body, data):
            return
        if len(body) > self._max_buffer:
            self._abridger = Abridger()
            self._body = bytearray()
            self._read_abridged(self._abridger.feed(body))

    def _read_first_line(self, body: bytearray, data: bytes) -> bool:
        """Tell, once the first line has ended, whether the body is one document a line; if so it is read as lines."""
        if self._line_end == _NOT_SEEN:
            at = data.find(b"\n")
            if at < 0:
                return False
            self._line_end = len(body) - len(data) + at
            if not is_document(bytes(body[: self._line_end])):
                self._line_end = _NOT_ASKED
                return False
        # A document may end in a line end; only what its type promises, or more of it, makes it the first of several.
        if not names_lines(self._kind) and not body[self._line_end :].strip():
            return False
        self._body = None
        self._line_end = _NOT_ASKED
        self._nature = _LINES
        self._lines = LineSplitter(self._max_event)
        self._read(bytes(body))
        return True

    def _read_abridged(self, documents: list[bytes]) -> None:
        for document in documents:
            event = decode_abridged(document)
            if event is not None:
                self._observe_document(event)

    # -- from events to counts

    def _read_event(self, document: bytes, name: bytes) -> None:
        count = self._twins.count(document, name)
        if count >= 0:  # by far the most frequent
            self._characters += count
            return
        if document == DONE:
            self.ended = True
            return
        if not document and name != ERROR:
            return
        event = decode_event(document)
        parsed = event is not None
        if event is None:
            event = self._salvage(document, name)
        if name and name != _UNNAMED and "type" not in event:
            event["type"] = name.decode("ascii", "replace")
        reading = read_usage(event)
        if reading is not None:
            merge(self._tally, reading)
            self._broken = False
            # The first event of Anthropic's streams tells of the prompt before there is an answer.
            if event.get("type") != "message_start":
                self.reported = True
        # The output is needed for three answers: was there any before an error, how much while no usage is known, and
        # does it call a tool.
        count, calls = read_output(event)
        self._characters += count
        self.tool_calls = calls or self.tool_calls
        ending = Ending.ERROR if name == ERROR else find_ending(event)
        if ending is None:
            if parsed and reading is None and not calls and not (name and "type" not in event):
                self._twins.learn(document, name, count)
            return
        if ending is not Ending.ERROR:
            self.ended = True
        if ending is not Ending.WHOLE:
            self._erred = True
            self._broken = reading is None

    def _salvage(self, document: bytes, name: bytes) -> dict[str, Any]:
        events, whole = salvage(document)
        if not whole and name != ERROR:
            self._cut = True
            self._note(Unread.MALFORMED_JSON)
        return events[-1] if events else {}

    def _observe_document(self, event: Event) -> None:
        reading = read_usage(event)
        if reading is not None:
            merge(self._tally, reading)
            self.reported = True
        count, calls = read_output(event)
        self._characters += count
        self.tool_calls = calls or self.tool_calls
        ending = find_ending(event)
        if ending is Ending.ERROR or ending is Ending.FAILED:
            self._erred = True

    # -- the end

    def _conclude(self, complete: bool) -> Usage:
        intact = self._read_rest(complete) or self.ended
        streamed = self._nature in (_EVENTS, _LINES)
        self._lines = self._body = self._abridger = None
        if self._erred and not self.reported and not self._characters:
            self.failed = True
        if self.failed:
            self.unread = ()
            return Usage()
        if self._tally:
            whole = intact and not self._broken and not self._stopped
            return settle(self._tally, UsageSource.REPORTED if whole else UsageSource.PARTIAL)
        if (complete or self.ended) and not self.unread:
            self._note(self._why_nothing())
        broken_off = self._erred or (streamed and not intact)
        if not broken_off or not self._characters:
            return Usage()
        return Usage(completion_tokens=-(-self._characters // CHARACTERS_PER_TOKEN), source=UsageSource.ESTIMATED)

    def _read_rest(self, complete: bool) -> bool:
        """Read what the end completes; return whether the answer is intact."""
        if self._stopped:
            return complete
        try:
            if self._decoder is not None:
                try:
                    self._unpack(self._decoder, b"", last=True)
                except CutEncodingError:
                    self._truncated = True
            if self._nature == _UNSEEN:
                self._recognise(b"", last=True)
        except EncodingError as error:
            self._stop(_reason(error))
            return complete
        if self._body is not None:
            return self._read_body(bytes(self._body), complete) or complete
        before, ended, self._cut = self.unread, self.ended, False
        if self._events is not None:
            for name, document in self._events.flush():
                self._read_event(document, name)
            self._events = EventSplitter(self._max_event)
        elif self._lines is not None:
            for line in self._lines.flush():
                self._read_event(line, b"")
        if self._cut:
            # What the end cut off says nothing of how the stream ended; nor is it malformed, but broken off.
            self.unread, self.ended = before, ended
            if complete and not ended:
                self._note(Unread.BROKEN_STREAM)
        return complete

    def _read_body(self, data: bytes, complete: bool) -> bool:
        """Read a body that is no stream; return whether it is intact."""
        if self._abridger is not None:
            self._read_abridged(self._abridger.close())
            whole = self._abridger.whole
        else:
            events = decode_body(data)
            whole = events is not None
            if events is None:
                events, whole = salvage(data)
            for event in events:
                self._observe_document(event)
        if complete and not whole:
            self._note(Unread.BROKEN_ENCODING if self._truncated else Unread.MALFORMED_JSON)
        return whole

    def _why_nothing(self) -> Unread:
        if self._truncated:
            return Unread.BROKEN_ENCODING
        if self._nature != _OTHER or is_wordless(self._kind):
            return Unread.NOTHING_REPORTED
        if any(is_known(name) for name in self._label):
            return Unread.BROKEN_ENCODING
        return Unread.UNKNOWN_ENCODING if self._label else Unread.UNKNOWN_FORM

    def _read_late(self, chunk: bytes) -> None:
        """Look whether usage comes after it was asked for."""
        if self._events is None or Unread.LATE in self.unread or self.failed:
            return
        pieces = [chunk] if self._decoder is None else list(self._decoder.decode(chunk))
        for piece in pieces:
            for _, document in self._events.feed(piece):
                if read_usage(decode_event(document) or {}) is not None:
                    self._note(Unread.LATE)

    def _stop(self, reason: Unread) -> None:
        self._stopped = True
        self._note(reason)

    def _note(self, reason: Unread) -> None:
        if reason not in self.unread:
            self.unread = (*self.unread, reason)

    def _note_fault(self, error: Exception) -> None:
        """Remember what kind of mistake was made, and where: its message could hold a piece of the answer."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = "" if trace is None else f" at {trace.tb_frame.f_code.co_qualname}, line {trace.tb_lineno}"
        self.fault = self.fault or f"{type(error).__name__}{where}"
        self._stop(Unread.FAULT)


def _reason(error: EncodingError) -> Unread:
    if isinstance(error, BrokenEncodingError):
        return Unread.BROKEN_ENCODING
    if isinstance(error, OversizedEncodingError):
        return Unread.OVERSIZED
    return Unread.UNKNOWN_ENCODING
