"""Lines and events, cut anywhere, against a reader of the whole text."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tokenboard.usage.events import EventSplitter, Frame
from tokenboard.usage.lines import SEAM, ClippedBuffer, LineSplitter

BOUND = 1 << 20
TOKENS = st.sampled_from(
    [
        b"data:",
        b"data: ",
        b"data",
        b"event: ",
        b"event:e",
        b": note",
        b"id: 1",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"x",
        b" ",
        b"{}",
        b":",
        "ü".encode(),
        b"\x00",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
        b"\x0b",
        b"\x1c",
        b"\x85",
    ]
)
STREAMS = st.lists(TOKENS, max_size=40).map(b"".join)
CUTS = st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    chunks, at = [], 0
    while at < len(data):
        for size in sizes:
            chunks.append(data[at : at + size])
            at += size
    return chunks


def read_events(data: bytes) -> list[Frame]:
    """Read a whole stream as the standard says, but keep what its end cuts off."""
    frames: list[Frame] = []
    name = b""
    values: list[bytes] = []
    for line in [*re.split(b"\r\n|\r|\n", data.removeprefix(b"\xef\xbb\xbf")), b""]:
        if not line:
            if values:
                frames.append((name, b"\n".join(values)))
            name, values = b"", []
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            values.append(value)
        elif field == b"event":
            name = value[:64]
    return frames


@given(data=STREAMS, sizes=CUTS)
def test_events_are_those_of_the_whole_text_whatever_the_cuts(data: bytes, sizes: list[int]) -> None:
    splitter = EventSplitter(BOUND)
    found = [frame for chunk in cut(data, sizes) for frame in splitter.feed(chunk)]
    assert read_events(data) == found + splitter.flush()


@given(data=STREAMS, sizes=CUTS)
def test_lines_are_those_of_the_whole_text_whatever_the_cuts(data: bytes, sizes: list[int]) -> None:
    splitter = LineSplitter(BOUND)
    found = [line for chunk in cut(data, sizes) for line in splitter.feed(chunk)]
    expected = re.split(b"\r\n|\r|\n", data)
    assert expected == [*found, *(splitter.flush() or [b""])]


@given(sizes=st.lists(st.integers(1, 30_000), min_size=1, max_size=6), length=st.integers(5_000, 200_000))
def test_a_line_over_the_bound_is_clipped_alike_whatever_the_cuts(sizes: list[int], length: int) -> None:
    data = bytes(range(33, 127)) * (length // 94)
    splitter = LineSplitter(5_000)
    found = [line for chunk in cut(b"a\n" + data + b"\nb\n", sizes) for line in splitter.feed(chunk)]
    clipped = data if len(data) <= 5_000 else data[:4096] + SEAM + data[-65536:]
    assert [b"a", clipped, b"b"] == found


@given(sizes=CUTS)
def test_data_over_the_bound_in_many_lines_is_clipped_and_harms_no_other_event(sizes: list[int]) -> None:
    data = b"data: first\n\n" + b"data: xxxxxxxxxxxxxxxx\n" * 300 + b"\ndata: last\n\n"
    splitter = EventSplitter(4_096)
    frames = [frame for chunk in cut(data, sizes) for frame in splitter.feed(chunk)]
    whole = b"\n".join([b"x" * 16] * 300)
    assert [(b"", b"first"), (b"", whole[:4096] + SEAM + whole), (b"", b"last")] == frames


def test_a_line_of_ten_megabytes_is_held_in_little_memory() -> None:
    splitter = EventSplitter(1 << 16)
    frames = splitter.feed(b"data: ")
    for _ in range(160):
        frames += splitter.feed(b"x" * 65_536)
    frames += splitter.feed(b"\n\ndata: next\n\n")
    assert [4096 - len("data: ") + 1 + 65_536, 4] == [len(data) for _, data in frames]


def test_the_done_line_comes_out_before_its_blank_line() -> None:
    splitter = EventSplitter(BOUND)
    assert splitter.feed(b"data: [DONE]\n") == [(b"", b"[DONE]")]
    assert splitter.feed(b"\n") == []


def test_a_buffer_starts_anew_when_it_was_taken() -> None:
    buffer = ClippedBuffer(4_096)
    buffer.append(b"x" * 10_000)
    assert len(buffer.take()) == 4_096 + 1 + 10_000
    assert not buffer
    buffer.append(b"y")
    assert buffer.take() == b"y"
