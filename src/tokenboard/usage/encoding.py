"""Content codings undone piece by piece, for reading along (RFC 9110, 8.4; RFC 8878; RFC 7932).

Bytes outrank labels (usage: rule 8): gzip and zstd are told by their first bytes, with or without a header, and a body
that begins as text is text, whatever its header says. Only deflate and brotli, which begin with any byte, are taken on
the header's word, and then only when the body does not begin as text.

Every piece is at most a few MiB whatever the input, and all of them together are bounded, so a small body that unpacks
to gigabytes costs a bounded time and no memory.
"""

import re
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Protocol

import brotli
import zstandard


class EncodingError(Exception):
    """The body cannot be unpacked any further; it can still be relayed as it is."""


class UnknownEncodingError(EncodingError):
    """More codings are stacked than any server does."""


class BrokenEncodingError(EncodingError):
    """The bytes are not what they began as, or what the header says."""


class CutEncodingError(BrokenEncodingError):
    """The bytes end before what they are packed in does."""


class OversizedEncodingError(EncodingError):
    """The body unpacks to more bytes than are read."""


class _Codec(Protocol):
    @property
    def whole(self) -> bool:
        """Whether nothing need follow; True where the library does not tell."""

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Yield what these bytes unpack to. Raises the library's own errors."""


_STEP: Final = 64 * 1024
_MAX_STACK: Final = 4
_GZIP_START: Final = 0x1F

# A zstd block of 4 bytes may unpack to 128 KiB and the library cannot be told to stop, so the input is cut small: 256
# bytes are 8 MiB at the very worst.
_ZSTD_SLICE: Final = 256
# The window a decoder for HTTP has to support, and need not exceed (RFC 9659).
_ZSTD_WINDOW: Final = 8 * 1024 * 1024


class _Plain:
    """No coding."""

    whole = True

    def decode(self, data: bytes) -> Iterator[bytes]:
        yield data


class _Gzip:
    """Members in a row; padding and garbage after the last one are common and mean nothing."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._done = False

    @property
    def whole(self) -> bool:
        return self._done or self._stream.eof

    def decode(self, data: bytes) -> Iterator[bytes]:
        while not self._done:
            if self._stream.eof:
                if not data:
                    return
                if data[0] != _GZIP_START:
                    self._done = True
                    return
                self._stream = zlib.decompressobj(wbits=31)
            piece = self._stream.decompress(data, _STEP)
            if piece:
                yield piece
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if not data and len(piece) < _STEP:
                return


class _Deflate:
    """The zlib format, or the bare deflate data that some servers send instead."""

    def __init__(self, start: bytes) -> None:
        self._stream = zlib.decompressobj(wbits=15 if _is_zlib(start) else -15)

    @property
    def whole(self) -> bool:
        return self._stream.eof

    def decode(self, data: bytes) -> Iterator[bytes]:
        while not self._stream.eof:
            piece = self._stream.decompress(data, _STEP)
            if piece:
                yield piece
            data = self._stream.unconsumed_tail
            if not data and len(piece) < _STEP:
                return


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def whole(self) -> bool:
        return bool(self._stream.is_finished())

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._stream.is_finished():
            return
        yield self._stream.process(data, output_buffer_limit=_STEP)
        while not self._stream.can_accept_more_data():
            yield self._stream.process(b"", output_buffer_limit=_STEP)


class _Zstd:
    whole = True

    def __init__(self) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._stream = decompressor.decompressobj(read_across_frames=True)

    def decode(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_SLICE):
            yield self._stream.decompress(data[start : start + _ZSTD_SLICE])


_LIBRARY_ERRORS: Final = (zlib.error, brotli.error, zstandard.ZstdError)
_PLAIN: Final = _Plain()

_GZIP_MAGIC: Final = b"\x1f\x8b\x08"
# A frame, or one of those that hold no data and are skipped (RFC 8878, 3.1).
_ZSTD_MAGICS: Final = (b"\x28\xb5\x2f\xfd", *(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60)))
_MAGICS: Final = (_GZIP_MAGIC, *_ZSTD_MAGICS)
_MAGIC_START: Final = re.compile(rb"\x1f(?:\x8b|\Z)|\x28(?:\xb5|\Z)|[\x50-\x5f](?:\x2a|\Z)")
_TEXT: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*(?:[{\[:]|data|event|id|retry|error|\Z)")
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# So many bytes of packed data do not look like the start of a text by chance.
_ENOUGH: Final = 16
_KNOWN: Final = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd"})
_HINTS: Final = frozenset({"deflate", "br"})


@lru_cache(maxsize=256)
def read_label(content_encoding: str) -> tuple[str, ...]:
    """Return the codings that a header names, lower case, the last applied first; what means none is left out."""
    names = (name.strip().lower() for name in reversed(content_encoding.split(",")))
    return tuple(name for name in names if name not in {"", "identity"})


def is_known(name: str) -> bool:
    """Tell whether a coding of this name can be undone."""
    return name in _KNOWN


def may_be_packed(start: bytes) -> bool:
    """Tell whether a body that nobody called packed begins as gzip or zstd do, as far as it has come."""
    return _MAGIC_START.match(start) is not None


def _is_zlib(start: bytes) -> bool:
    return len(start) > 1 and start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0


def _is_text(start: bytes) -> bool:
    if _TEXT.match(start) is None or _CONTROLS.search(start) is not None:
        return False
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return True


class _Layer:
    """One coding: the start of its bytes until they tell which it is, and how much came out of it."""

    __slots__ = ("codec", "size", "start")

    def __init__(self) -> None:
        self.start = b""
        self.codec: _Codec | None = None
        self.size = 0


class BodyDecoder:
    """Undoes the codings of one response, whatever its header calls them.

    ``label`` is what `read_label` gave. `max_decoded` bounds the bytes any one coding may unpack to, in total. `packed`
    and `unpacked` are the bytes that went in and came out so far.
    """

    __slots__ = ("_hints", "_layers", "_max_decoded", "packed", "unpacked")

    def __init__(self, label: tuple[str, ...] = (), *, max_decoded: int) -> None:
        self._hints = [name for name in label[:_MAX_STACK] if name in _HINTS]
        self._layers = [_Layer()]
        self._max_decoded = max_decoded
        self.packed = 0
        self.unpacked = 0

    @property
    def plain(self) -> bool:
        """Whether the body turned out to be in no coding at all."""
        return self._layers[0].codec is _PLAIN

    def decode(self, data: bytes, *, last: bool = False) -> Iterator[bytes]:
        """Yield what these bytes unpack to; with ``last`` nothing further comes.

        Raises `BrokenEncodingError`, with ``last`` also its `CutEncodingError`, `OversizedEncodingError` and
        `UnknownEncodingError`.
        """
        self.packed += len(data)
        for piece in self._through(0, data, last=last):
            self.unpacked += len(piece)
            yield piece

    def _through(self, at: int, data: bytes, *, last: bool) -> Iterator[bytes]:
        layer = self._layers[at]
        codec = layer.codec
        if codec is None:
            layer.start += data
            codec = layer.codec = self._choose(layer.start, last=last)
            if codec is None:
                return
            data, layer.start = layer.start, b""
        if codec is _PLAIN:
            if data:
                yield data
            return
        if at + 1 == len(self._layers):
            if at + 1 == _MAX_STACK + 1:
                raise UnknownEncodingError
            self._layers.append(_Layer())
        try:
            for piece in codec.decode(data):
                layer.size += len(piece)
                if layer.size > self._max_decoded:
                    raise OversizedEncodingError
                if piece:
                    yield from self._through(at + 1, piece, last=False)
        except _LIBRARY_ERRORS as error:
            raise BrokenEncodingError from error
        if last:
            yield from self._through(at + 1, b"", last=True)
            if not codec.whole:
                raise CutEncodingError

    def _choose(self, start: bytes, *, last: bool) -> _Codec | None:
        """Return the codec of bytes that begin like this, None while that is not known."""
        if not start:
            return None
        if start.startswith(_GZIP_MAGIC):
            return _Gzip()
        if start.startswith(_ZSTD_MAGICS):
            return _Zstd()
        if not last and any(magic.startswith(start) for magic in _MAGICS):
            return None
        if not self._hints:
            return _PLAIN
        if len(start) < _ENOUGH and not last:
            return None
        if _is_text(start[:_ENOUGH]):
            return _PLAIN
        return _Brotli() if self._hints.pop(0) == "br" else _Deflate(start)
