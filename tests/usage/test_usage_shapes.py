"""The meter against a slow reference, over generated answers, cut at every byte, under every wrong label."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.usage import shapes
from tests.usage.reference import Expected, expected
from tests.usage.shapes import Body
from tokenboard.usage import Meter
from tokenboard.usage.abridge import Abridger

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def told(chunks: list[bytes], content_type: str | None, coding: str | None = None, **bounds: int) -> Expected:
    meter = Meter(content_type, coding, 200, **bounds)
    for chunk in chunks:
        meter.feed(chunk)
    usage = meter.finish(True)
    assert meter.fault == ""
    return Expected(usage, meter.failed, meter.tool_calls)


def right(body: Body) -> Expected:
    return expected(body.events, streamed=body.streamed)


@settings(max_examples=400, suppress_health_check=SLOW)
@given(body=shapes.BODIES)
def test_an_answer_tells_what_the_reference_finds_in_it(body: Body) -> None:
    assert right(body) == told([body.data], body.content_type)


@settings(max_examples=25, suppress_health_check=SLOW, deadline=None)
@given(body=shapes.BODIES)
def test_an_answer_cut_in_two_at_any_byte_tells_the_same(body: Body) -> None:
    data = body.data
    answer = right(body)
    for at in range(len(data)):
        assert answer == told([data[:at], data[at:]], body.content_type), f"cut at {at}"
    assert answer == told([bytes([byte]) for byte in data], body.content_type)


@settings(max_examples=15, suppress_health_check=SLOW, deadline=None)
@given(body=shapes.BODIES, coding=st.sampled_from(sorted(shapes.CODINGS)))
def test_a_compressed_answer_cut_in_two_at_any_byte_tells_the_same(body: Body, coding: str) -> None:
    data = shapes.CODINGS[coding](body.data)
    answer = right(body)
    for at in range(len(data)):
        assert answer == told([data[:at], data[at:]], body.content_type, coding), f"cut at {at}"
    assert answer == told([bytes([byte]) for byte in data], body.content_type, coding)


@settings(max_examples=60, suppress_health_check=SLOW, deadline=None)
@given(body=shapes.BODIES, packed=st.sampled_from([None, *shapes.TOLD_BY_BYTES]))
def test_every_wrong_label_leaves_the_usage_as_it_is(body: Body, packed: str | None) -> None:
    data = body.data if packed is None else shapes.CODINGS[packed](body.data)
    answer = right(body)
    for content_type in shapes.TYPES:
        for coding in shapes.LABELS:
            assert answer == told([data], content_type, coding), (content_type, coding)


@pytest.mark.parametrize("kind", ["string", "escapes", "numbers", "objects", "deep"])
@settings(max_examples=20, suppress_health_check=SLOW, deadline=None)
@given(body=shapes.event_streams() | shapes.documents() | shapes.arrays(), data=st.data())
def test_an_event_of_any_size_tells_the_same(kind: str, body: Body, data: st.DataObject) -> None:
    filler: Any = {
        "string": "A" * 20_000,
        "escapes": '"usage": {"prompt_tokens": 99}\\' * 800,
        "numbers": [0.25] * 5_000,
        "objects": [{"usage": {"prompt_tokens": 99, "completion_tokens": 99}}] * 300,
        "deep": json.loads("[" * 400 + "]" * 400),
    }[kind]
    big = []
    for event in body.events:
        at = data.draw(st.integers(0, len(event)))
        items = list(event.items())
        big.append(dict([*items[:at], ("tools", filler), *items[at:]]))
    text = (
        "".join(f"data: {json.dumps(event)}\n\n" for event in big)
        if body.streamed
        else json.dumps(big if len(big) > 1 else big[0])
    )
    size = data.draw(st.sampled_from([1_000, 4_096, 70_000]))
    whole = text.encode()
    chunks = [whole[start : start + size] for start in range(0, len(whole), size)]
    answer = expected(big, streamed=body.streamed)
    assert answer == told(chunks, body.content_type, max_event=4_096, max_buffer=4_096)


@settings(max_examples=200, suppress_health_check=SLOW)
@given(body=shapes.documents() | shapes.arrays(), sizes=st.lists(st.integers(1, 50), min_size=1, max_size=9))
def test_an_abridged_document_says_what_the_whole_one_says(body: Body, sizes: list[int]) -> None:
    abridger = Abridger()
    found: list[bytes] = []
    at = 0
    data = body.data.decode("utf-8").removeprefix("\ufeff").encode()
    while at < len(data):
        for size in sizes:
            found += abridger.feed(data[at : at + size])
            at += size
    assert ([], True) == (abridger.close(), abridger.whole)
    answer = expected([json.loads(document) for document in found], streamed=False)
    assert right(body).usage == answer.usage
    assert right(body).failed == answer.failed
