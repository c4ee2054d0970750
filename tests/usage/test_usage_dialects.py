"""Every row of the table of servers, from recordings with invented values, cut at every byte."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tokenboard.usage import Meter, Usage, UsageSource
from tokenboard.usage.document import KEYS

FIXTURES = Path(__file__).parent / "fixtures"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FIXTURES / "expected.json").read_text())
CONTENT_TYPES = {".json": "application/json", ".sse": "text/event-stream", ".ndjson": "application/x-ndjson"}
NAMES = sorted(EXPECTED)
STREAMS = [name for name in NAMES if not name.endswith(".json")]
ENDLESS = {"gemini-native.sse"}
ENDING_BEFORE_DONE = {"openrouter-responses.sse"}


def expected_usage(name: str) -> Usage:
    row = EXPECTED[name]
    return Usage(
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        cached_tokens=row["cached_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
        cost=None if row["cost"] is None else Decimal(row["cost"]),
        source=UsageSource.REPORTED,
    )


def meter_for(name: str) -> Meter:
    return Meter(CONTENT_TYPES[Path(name).suffix], None, 200)


def test_every_recording_has_an_expectation() -> None:
    assert [path.name for path in sorted(FIXTURES.iterdir()) if path.name != "expected.json"] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_gives_its_usage(name: str) -> None:
    meter = meter_for(name)
    meter.feed((FIXTURES / name).read_bytes())
    assert expected_usage(name) == meter.finish(True)
    assert (meter.failed, meter.unread) == (False, ())


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_cut_in_two_at_any_byte_gives_the_same_usage(name: str) -> None:
    body = (FIXTURES / name).read_bytes()
    expected = expected_usage(name)
    for at in range(len(body)):
        meter = meter_for(name)
        meter.feed(body[:at])
        meter.feed(body[at:])
        assert expected == meter.finish(True), f"cut at {at}"


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_fed_byte_by_byte_gives_the_same_usage(name: str) -> None:
    meter = meter_for(name)
    for byte in (FIXTURES / name).read_bytes():
        meter.feed(bytes([byte]))
    assert expected_usage(name) == meter.finish(True)


@pytest.mark.parametrize("name", [name for name in STREAMS if name.endswith(".sse")])
def test_a_recording_of_an_event_stream_without_its_content_type_gives_the_same_usage(name: str) -> None:
    meter = Meter(None, None, 200)
    meter.feed((FIXTURES / name).read_bytes())
    assert expected_usage(name) == meter.finish(True)


@pytest.mark.parametrize("name", STREAMS)
def test_the_end_of_a_stream_is_seen_with_its_terminal_event_and_not_before(name: str) -> None:
    body = (FIXTURES / name).read_bytes()
    whole = body.rstrip(b"\r\n") if name.endswith(".ndjson") else body
    meter = meter_for(name)
    meter.feed(whole[: whole.rindex(b"data:") if b"data:" in whole else -1])
    before_last = meter.ended
    meter.feed(body)
    assert (name in ENDING_BEFORE_DONE) == before_last
    assert (name not in ENDLESS) == meter.ended


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_broken_at_any_byte_never_claims_more_than_it_saw(name: str) -> None:
    body = (FIXTURES / name).read_bytes()
    expected = expected_usage(name)
    for at in range(len(body)):
        meter = meter_for(name)
        meter.feed(body[:at])
        usage = meter.finish(False)
        assert meter.unread == ()
        if usage.source is UsageSource.REPORTED:
            assert expected == usage
        if usage.source is UsageSource.UNKNOWN:
            assert Usage() == usage


@pytest.mark.parametrize("junk", [0, True, 1.5, "x", [], [[]], [None], {}, {"usage": 1}, {"usage": []}, [{"delta": 3}]])
@pytest.mark.parametrize("key", sorted(KEYS))
def test_any_json_is_taken_wherever_the_meter_looks(key: str, junk: object) -> None:
    documents: list[dict[str, Any]] = [{key: junk}, {key: {key: junk}}, {key: [{key: junk}]}, dict.fromkeys(KEYS, junk)]
    for document in documents:
        body, stream = Meter("application/json", None, 200), Meter("text/event-stream", None, 200)
        body.feed(json.dumps(document).encode())
        stream.feed(b"data: " + json.dumps(document).encode() + b"\n\n")
        for meter in (body, stream):
            usage = meter.finish(True)
            assert meter.fault == ""
            assert usage.prompt_tokens in (None, 0)
