import contextlib
import gzip
import random
import time
import zlib
from collections.abc import Callable

import pytest
import zstandard

from tokenboard.http_fields import content_codings
from tokenboard.ingest.content_coding import MAX_BYTES, decode_body
from tokenboard.problem import Problem

Pack = Callable[[bytes], bytes]


def zstd_streamed(plain: bytes) -> bytes:
    """Return a frame that does not say how long it is, in many blocks."""
    packer = zstandard.ZstdCompressor().compressobj()
    pieces = [
        packer.compress(plain[at : at + 1000]) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        for at in range(0, len(plain), 1000)
    ]
    return b"".join(pieces) + packer.flush()


PACKERS = [
    pytest.param("gzip", gzip.compress, id="gzip"),
    pytest.param("X-GZip", gzip.compress, id="x-gzip"),
    pytest.param("identity, gzip,", gzip.compress, id="gzip in a list"),
    pytest.param("zstd", zstandard.ZstdCompressor().compress, id="zstd"),
    pytest.param("zstd", zstandard.ZstdCompressor(level=19, write_checksum=True).compress, id="zstd with checksum"),
    pytest.param("zstd", zstd_streamed, id="zstd streamed"),
]
packed = pytest.mark.parametrize(("encoding", "pack"), PACKERS)
PLAIN = b'{"id": "one"}\n' * 5_000 + random.Random(1).randbytes(50_000)


def unpacked(body: bytes, field: str) -> bytes:
    """Return what a body unpacks to that is sent with this Content-Encoding."""
    return decode_body(body, content_codings([field]))


def status(body: bytes, encoding: str) -> int:
    with pytest.raises(Problem) as caught:
        unpacked(body, encoding)
    assert caught.value.message
    return caught.value.status


@packed
def test_a_packed_body_is_unpacked_exactly(encoding: str, pack: Pack) -> None:
    for plain in (PLAIN, b"x", b""):
        assert plain == unpacked(pack(plain), encoding)


@pytest.mark.parametrize("encoding", ["", "identity", " Identity, "])
def test_a_plain_body_is_left_as_it_is(encoding: str) -> None:
    assert PLAIN == unpacked(PLAIN, encoding)
    assert b"" == unpacked(b"", encoding)
    assert MAX_BYTES == len(unpacked(b"x" * MAX_BYTES, encoding))
    assert 413 == status(b"x" * (MAX_BYTES + 1), encoding)


@packed
def test_parts_in_a_row_are_joined_so_that_nothing_is_dropped_in_silence(encoding: str, pack: Pack) -> None:
    assert b"onetwo" + PLAIN == unpacked(pack(b"one") + pack(b"") + pack(b"two") + pack(PLAIN), encoding)


@packed
def test_a_body_cut_short_anywhere_is_refused_and_never_half_taken(encoding: str, pack: Pack) -> None:
    whole = pack(b"".join(b'{"id": %d}\n' % number for number in range(3_000)))
    for cut in [*range(min(len(whole), 300)), *range(300, len(whole), 97), len(whole) - 1]:
        assert 400 == status(whole[:cut], encoding)


@packed
@pytest.mark.parametrize("rest", [b"\x00", b"garbage", b'{"id": 1}'])
def test_bytes_that_are_no_part_after_a_part_are_refused(encoding: str, pack: Pack, rest: bytes) -> None:
    assert 400 == status(pack(PLAIN) + rest, encoding)


@packed
def test_a_damaged_body_is_refused_or_unpacks_to_something_bounded(encoding: str, pack: Pack) -> None:
    whole, choose = pack(PLAIN), random.Random(2)
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[choose.randrange(len(whole))] ^= choose.randrange(1, 256)
        with contextlib.suppress(Problem):
            assert len(unpacked(bytes(damaged), encoding)) <= MAX_BYTES


@packed
def test_the_limit_is_on_what_it_unpacks_to_to_the_byte(encoding: str, pack: Pack) -> None:
    assert MAX_BYTES == len(unpacked(pack(b"\0" * MAX_BYTES), encoding))
    assert 413 == status(pack(b"\0" * (MAX_BYTES + 1)), encoding)


@packed
def test_a_bomb_is_put_out_in_no_time_and_little_memory(encoding: str, pack: Pack) -> None:
    bomb = pack(b"\0" * (64 * 1024 * 1024)) * 40
    started = time.process_time()
    assert 413 == status(bomb, encoding)
    assert time.process_time() - started < 2


@packed
def test_very_many_empty_parts_are_refused_soon(encoding: str, pack: Pack) -> None:
    many = pack(b"") * (MAX_BYTES // len(pack(b"")))
    started = time.process_time()
    assert 400 == status(many, encoding)
    assert time.process_time() - started < 2


def test_a_zstd_frame_that_asks_for_a_huge_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    assert 400 == status(packer.compress(PLAIN) + packer.flush(), "zstd")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "compress", "gzip;q=1", "x" * 1000])
def test_another_encoding_is_refused_by_name(encoding: str) -> None:
    with pytest.raises(Problem) as caught:
        unpacked(zlib.compress(PLAIN), encoding)
    assert 415 == caught.value.status
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("body", [b"", b"{}", b"\x1f\x8b", PLAIN])
def test_a_body_that_is_not_what_its_header_says_is_refused(encoding: str, body: bytes) -> None:
    assert 400 == status(body, encoding)
