"""Content codings undone piece by piece, for reading along (RFC 9110, 8.4; RFC 8878; RFC 7932).

Every piece is at most a few MiB whatever the input, and all of them together are bounded, so a small body that unpacks
to gigabytes costs a bounded time and no memory.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import brotli
import zstandard


class EncodingError(Exception):
    """The body cannot be unpacked any further; it can still be relayed as it is."""


class UnknownEncodingError(EncodingError):
    """The header names a coding that is not known here, or more codings than any server stacks."""


class BrokenEncodingError(EncodingError):
    """The bytes are not what the header says."""


class OversizedEncodingError(EncodingError):
    """The body unpacks to more bytes than are read."""


class _Codec(Protocol):
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


class _Gzip:
    """Members in a row; padding and garbage after the last one are common and mean nothing."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._done = False

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

    def __init__(self) -> None:
        self._start = b""
        self._stream: zlib._Decompress | None = None

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            data = self._start + data
            if len(data) < 2:
                self._start = data
                return
            wrapped = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._stream = zlib.decompressobj(wbits=15 if wrapped else -15)
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

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._stream.is_finished():
            return
        yield self._stream.process(data, output_buffer_limit=_STEP)
        while not self._stream.can_accept_more_data():
            yield self._stream.process(b"", output_buffer_limit=_STEP)


class _Zstd:
    def __init__(self) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._stream = decompressor.decompressobj(read_across_frames=True)

    def decode(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_SLICE):
            yield self._stream.decompress(data[start : start + _ZSTD_SLICE])


_CODECS: Final[dict[str, type[_Codec]]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
_LIBRARY_ERRORS: Final = (zlib.error, brotli.error, zstandard.ZstdError)


class BodyDecoder:
    """Undoes the codings of one response, in the reverse of the order the header names them.

    Raises `UnknownEncodingError` when made for a coding that is not known. `max_decoded` bounds the bytes any one
    coding may unpack to, in total. `packed` and `unpacked` are the bytes that went in and came out so far.
    """

    __slots__ = ("_codecs", "_max_decoded", "_sizes", "packed", "unpacked")

    def __init__(self, content_encoding: str, *, max_decoded: int) -> None:
        names = [name.strip().lower() for name in content_encoding.split(",", _MAX_STACK)]
        codings = [name for name in names if name not in ("", "identity")]
        if len(codings) > _MAX_STACK or any(name not in _CODECS for name in codings):
            raise UnknownEncodingError
        self._codecs = [_CODECS[name]() for name in reversed(codings)]
        self._sizes = [0] * len(codings)
        self._max_decoded = max_decoded
        self.packed = 0
        self.unpacked = 0

    def __bool__(self) -> bool:
        return bool(self._codecs)

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Yield what these bytes unpack to. Raises `BrokenEncodingError` and `OversizedEncodingError`."""
        self.packed += len(data)
        pieces: Iterable[bytes] = (data,)
        for layer in range(len(self._codecs)):
            pieces = self._unpack(layer, pieces)
        for piece in pieces:
            self.unpacked += len(piece)
            yield piece

    def _unpack(self, layer: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
        codec = self._codecs[layer]
        for packed in pieces:
            try:
                for piece in codec.decode(packed):
                    self._sizes[layer] += len(piece)
                    if self._sizes[layer] > self._max_decoded:
                        raise OversizedEncodingError
                    if piece:
                        yield piece
            except _LIBRARY_ERRORS as error:
                raise BrokenEncodingError from error
