"""Compressed bodies, undone for reading along in bounded memory."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tokenboard.usage import Meter, Unread, Usage
from tokenboard.usage.encoding import (
    BodyDecoder,
    BrokenEncodingError,
    OversizedEncodingError,
    UnknownEncodingError,
    read_label,
)

MIB = 1024 * 1024


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=20)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        for size in sizes:
            found.append(data[at : at + size])
            at += size
    return found


def unpacked(coding: str, chunks: list[bytes], max_decoded: int = MIB) -> bytes:
    decoder = BodyDecoder(read_label(coding), max_decoded=max_decoded)
    found = [piece for chunk in chunks for piece in decoder.decode(chunk)]
    return b"".join([*found, *decoder.decode(b"", last=True)])


# What begins like something packed is taken for that: a label may be wrong by one layer.
PLAIN = st.binary(max_size=400).filter(lambda data: not data.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")))


@given(data=PLAIN, sizes=CUTS, coding=st.sampled_from(sorted(PACKERS)))
def test_what_was_packed_comes_out_whatever_the_cuts(data: bytes, sizes: list[int], coding: str) -> None:
    assert data == unpacked(coding, pieces(PACKERS[coding](data), sizes))


@given(data=PLAIN, sizes=CUTS)
def test_deflate_without_its_wrapper_is_understood(data: bytes, sizes: list[int]) -> None:
    assert data == unpacked("deflate", pieces(bare_deflate(data), sizes))


@given(data=PLAIN, codings=st.lists(st.sampled_from(sorted(PACKERS)), min_size=2, max_size=4))
def test_stacked_codings_are_undone_in_reverse(data: bytes, codings: list[str]) -> None:
    packed = data
    for coding in codings:
        packed = PACKERS[coding](packed)
    assert data == unpacked(", ".join(codings).upper() + ",identity", pieces(packed, [7]))


@given(data=st.binary(max_size=200), coding=st.sampled_from(sorted({*PACKERS, "identity"})))
def test_bytes_that_are_not_packed_raise_nothing_but_a_broken_encoding(data: bytes, coding: str) -> None:
    with suppress(BrokenEncodingError):
        unpacked(coding, [data])


def test_members_and_frames_after_the_first_are_read() -> None:
    assert unpacked("gzip", pieces(gzip.compress(b"one") + gzip.compress(b"two"), [1])) == b"onetwo"
    frame = PACKERS["zstd"]
    assert unpacked("zstd", pieces(frame(b"one") + frame(b"two"), [1])) == b"onetwo"


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate"])
def test_bytes_after_the_end_are_ignored(coding: str) -> None:
    text = bytes(range(32, 127))
    assert unpacked(coding, [PACKERS[coding](text), b"\x00\x00", b"more"]) == text


@pytest.mark.parametrize("coding", ["compress", "gzip, snappy", "gzip;q=1"])
def test_a_coding_that_is_not_known_is_told_as_such(coding: str) -> None:
    meter = Meter("application/json", coding, 200)
    meter.feed(b"\x9c\x01\xff\x00 opaque")
    expected = Unread.BROKEN_ENCODING if coding.startswith("gzip,") else Unread.UNKNOWN_ENCODING
    assert (Usage(), (expected,)) == (meter.finish(True), meter.unread)


def test_more_codings_than_any_server_stacks_are_not_undone() -> None:
    packed = b"{}"
    for _ in range(5):
        packed = gzip.compress(packed)
    with pytest.raises(UnknownEncodingError):
        unpacked("gzip", [packed])


@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream"])
def test_a_bomb_is_given_up_at_the_bound_in_bounded_memory(coding: str, content_type: str) -> None:
    bomb = PACKERS[coding](b'{"data":"' + bytes(16 * MIB))
    meter = Meter(content_type, coding, 200, max_buffer=MIB, max_decoded=4 * MIB)
    tracemalloc.start()
    try:
        for start in range(0, len(bomb), 65536):
            meter.feed(bomb[start : start + 65536])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert meter.unread == (Unread.OVERSIZED,)
    assert Usage() == meter.finish(True)
    assert peak < 40 * MIB


def test_a_stream_may_not_unpack_to_any_number_of_events() -> None:
    bomb = gzip.compress((b"data: {" + b" " * 200 + b"}\n\n") * 50_000)
    meter = Meter("text/event-stream", "gzip", 200)
    meter.feed(bomb)
    assert meter.unread == (Unread.OVERSIZED,)


def test_a_body_that_packs_well_is_read() -> None:
    usage = b'"usage":{"prompt_tokens":5,"completion_tokens":7}}'
    meter = Meter("application/json", "gzip", 200)
    meter.feed(gzip.compress(b'{"data":"' + b"x" * (20 * MIB) + b'",' + usage))
    assert meter.finish(True).total_tokens == 12


def test_a_bomb_inside_a_bomb_is_given_up() -> None:
    with pytest.raises(OversizedEncodingError):
        unpacked("gzip, gzip", [gzip.compress(gzip.compress(bytes(16 * MIB)))])


def test_usage_seen_before_the_compression_broke_is_partial() -> None:
    packer = zlib.compressobj(wbits=31)
    start = b'data: {"usage":{"prompt_tokens":5,"completion_tokens":1}}\n\n'
    meter = Meter("text/event-stream", "gzip", 200)
    meter.feed(packer.compress(start) + packer.flush(zlib.Z_SYNC_FLUSH))
    meter.feed(b"\xff" * 50)
    usage = meter.finish(True)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.source) == (5, 1, "partial")
    assert meter.unread == (Unread.BROKEN_ENCODING,)
