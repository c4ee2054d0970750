"""Lines and events, cut anywhere, against a reader of the whole text."""

import json
import re
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from tokenboard.usage.events import EventSplitter, Frame
from tokenboard.usage.lines import Gatherer, LineSplitter

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
    """Read a whole stream as the standard says, but keep what its end cuts off.

    Where no blank line parts two events, a second name does, and a second JSON object.
    """
    frames: list[Frame] = []
    name = b""
    values: list[bytes] = []

    def complete() -> None:
        if values:
            frames.append((name, b"\n".join(values)))
            values.clear()

    for line in [*re.split(b"\r\n|\r|\n", data.removeprefix(b"\xef\xbb\xbf")), b""]:
        if not line:
            complete()
            name = b""
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            if values == [b"{}"] and value.startswith(b"{"):
                complete()
            values.append(value)
        elif field == b"event":
            if name:
                complete()
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


USED = b'{"usage":{"prompt_tokens":5}}'


def big(length: int) -> bytes:
    return b'{"usage":{"prompt_tokens":5},"tools":["' + b"x" * length + b'"]}'


@given(sizes=st.lists(st.integers(1, 30_000), min_size=1, max_size=6), length=st.integers(4_000, 200_000))
def test_a_line_over_the_bound_is_shortened_alike_whatever_the_cuts(sizes: list[int], length: int) -> None:
    data = big(length)
    splitter = LineSplitter(5_000)
    found = [line for chunk in cut(b"a\n" + data + b"\nb\n", sizes) for line in splitter.feed(chunk)]
    assert [b"a", data if len(data) <= 5_000 else USED, b"b"] == found


@given(sizes=st.lists(st.integers(1, 30_000), min_size=1, max_size=6), length=st.integers(5_000, 200_000))
def test_of_a_line_over_the_bound_that_is_no_json_the_start_is_kept(sizes: list[int], length: int) -> None:
    splitter = LineSplitter(5_000)
    found = [line for chunk in cut(b"x" * length + b"\nb\n", sizes) for line in splitter.feed(chunk)]
    assert [b"x" * (length if length <= 5_000 else 4_096), b"b"] == found


@given(sizes=CUTS)
def test_data_over_the_bound_in_many_lines_is_shortened_and_harms_no_other_event(sizes: list[int]) -> None:
    many = json.dumps({"tools": ["x" * 16] * 300, "usage": {"prompt_tokens": 5}}, indent=1).encode()
    lines = b"".join(b"data: " + line + b"\n" for line in many.split(b"\n"))
    splitter = EventSplitter(4_096)
    chunks = cut(b"data: first\n\n" + lines + b"\ndata: last\n\n", sizes)
    frames = [frame for chunk in chunks for frame in splitter.feed(chunk)]
    assert [(b"", b"first"), (b"", USED), (b"", b"last")] == frames


def test_a_line_of_ten_megabytes_is_held_in_little_memory() -> None:
    splitter = EventSplitter(1 << 16)
    tracemalloc.start()
    try:
        frames = splitter.feed(b'data: {"usage":{"prompt_tokens":5},"tools":"')
        for _ in range(160):
            frames += splitter.feed(b"x" * 65_536)
        frames += splitter.feed(b'"}\n\ndata: next\n\n')
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [USED, b"next"] == [data for _, data in frames]
    assert peak < 1_000_000


def test_the_done_line_comes_out_before_its_blank_line() -> None:
    splitter = EventSplitter(BOUND)
    assert splitter.feed(b"data: [DONE]\n") == [(b"", b"[DONE]")]
    assert splitter.feed(b"\n") == []


def test_a_line_named_error_is_an_event_of_that_name_unless_it_says_nothing() -> None:
    splitter = EventSplitter(BOUND)
    assert splitter.feed(b'error: {"code": 1}\n\nerror: null\n\n') == [(b"error", b'{"code": 1}')]


def test_what_was_gathered_is_taken_once() -> None:
    gatherer = Gatherer(4_096)
    gatherer.append(big(10_000))
    assert gatherer.take() == USED
    gatherer.append(b"y")
    assert gatherer.take() == b"y"
    assert gatherer.take() == b""
