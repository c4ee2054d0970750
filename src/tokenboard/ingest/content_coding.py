"""Compressed request bodies: Content-Encoding undone, bounded, and only when they are whole."""

import zlib
from collections.abc import Callable, Sequence
from typing import Protocol

import zstandard

from tokenboard.problem import Problem

MAX_BYTES = 16 * 1024 * 1024
"""Bytes of one body at most, decompressed (data-api: POST /usage)."""

_MAX_PARTS = 10_000  # gzip members or zstd frames: each costs the time to set up a decoder
# Input is fed in slices, because what one slice unpacks to comes at once: 4 bytes of zstd may be 128 KiB (RFC 8878),
# a byte of deflate about 1 KiB.
_GZIP_SLICE, _ZSTD_SLICE = 4096, 256
_ZSTD_WINDOW = 8 * 1024 * 1024  # what a decoder for HTTP has to support, and need not exceed (RFC 9659)


class _Part(Protocol):
    """A decoder of one gzip member or zstd frame."""

    @property
    def eof(self) -> bool:
        """Whether the part has come to its end."""

    @property
    def unused_data(self) -> bytes:
        """What was given beyond the end."""

    def decompress(self, data: bytes, /) -> bytes:
        """Return what these bytes unpack to."""


def decode_body(body: bytes, codings: Sequence[str]) -> bytes:
    """Return the body without its coding, gzip or zstd in lower case, or none; parts in a row are joined.

    Raises:
        Problem: 400 when it is damaged or cut short, 413 past `MAX_BYTES`, 415 for another coding, or several.

    """
    if len(codings) > 1:
        raise Problem(415, "The body has several codings in Content-Encoding: send it with one, gzip or zstd, or none.")
    encoding = codings[0] if codings else ""
    if not encoding:
        if len(body) > MAX_BYTES:
            raise _too_large()
        return body
    try:
        if encoding == "gzip":
            return _join(body, lambda: zlib.decompressobj(wbits=31), _GZIP_SLICE)
        if encoding == "zstd":
            decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
            return _join(body, decompressor.decompressobj, _ZSTD_SLICE)
    except (zlib.error, zstandard.ZstdError) as error:
        raise Problem(400, f"The body is not valid {encoding}: {error}.") from error
    raise Problem(415, f"Content-Encoding {encoding[:40]!r} is not taken here: send gzip, zstd or none.")


def _join(body: bytes, begin: Callable[[], _Part], step: int) -> bytes:
    plain = bytearray()
    at = 0
    for _ in range(_MAX_PARTS):
        part = begin()
        while not part.eof:
            piece = body[at : at + step]
            if not piece:
                raise Problem(400, "The compressed body is cut short.")
            plain += part.decompress(piece)
            if len(plain) > MAX_BYTES:
                raise _too_large()
            at += len(piece) - len(part.unused_data)
        if at == len(body):
            return bytes(plain)
    raise Problem(400, f"The compressed body has more than {_MAX_PARTS:,} members or frames: send fewer.")


def _too_large() -> Problem:
    return Problem(413, f"The body is larger than {MAX_BYTES:,} bytes decompressed: send several smaller ones.")
