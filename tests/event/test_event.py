import contextlib
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.events import event, parcel
from tokenboard.event import SCHEMA_VERSION, EventDecodeError, Source, UsageEvent, encode_parcel
from tokenboard.event_table import decode_parcel

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
count = st.none() | st.integers(0, 10**12)
events = st.builds(
    UsageEvent,
    id=text,
    ts_ms=st.integers(-(2**63), 2**63 - 1),
    received_ms=st.integers(0, 2**63 - 1),
    source=st.sampled_from(Source),
    account_id=st.integers(0, 2**32 - 1),
    key_id=st.integers(0, 2**32 - 1),
    app_key=st.none() | text,
    reason=st.none() | text,
    title=st.none() | text,
    categories=st.lists(text, max_size=3).map(tuple),
    model=text,
    provider=text,
    endpoint=text,
    streamed=st.booleans(),
    status=st.integers(0, 999),
    failed=st.booleans(),
    usage_source=text,
    prompt_tokens=count,
    completion_tokens=count,
    cached_tokens=count,
    reasoning_tokens=count,
    cost=st.none() | st.decimals(0, 10**9, allow_nan=False, places=12),
    latency_ms=count,
    first_token_ms=count,
    tool_calls=st.none() | st.booleans(),
)


@given(st.lists(events, max_size=5))
def test_a_parcel_gives_back_the_events_it_was_made_of(given: list[UsageEvent]) -> None:
    assert tuple(given) == decode_parcel(encode_parcel(given))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_parcel_are_named_as_such_and_nothing_else_happens(body: bytes) -> None:
    with contextlib.suppress(EventDecodeError):
        decode_parcel(body)


@pytest.mark.parametrize("cut", range(0, len(parcel()), 7))
def test_a_parcel_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(EventDecodeError):
        decode_parcel(parcel()[:cut])


def test_bytes_after_a_parcel_are_refused() -> None:
    with pytest.raises(EventDecodeError, match="trailing"):
        decode_parcel(parcel() + b"\x00")


def test_a_parcel_of_another_schema_version_is_refused_by_its_number_whatever_it_holds() -> None:
    newer = msgspec.msgpack.encode((SCHEMA_VERSION + 1, [{"laid out": "otherwise"}]))
    with pytest.raises(EventDecodeError, match=f"schema version {SCHEMA_VERSION + 1}"):
        decode_parcel(newer)


def test_members_appended_by_a_newer_program_of_the_same_schema_are_passed_over() -> None:
    version, (fields,) = msgspec.msgpack.decode(parcel())
    assert (event(),) == decode_parcel(msgspec.msgpack.encode((version, [[*fields, "one more"]])))


def test_members_appended_since_an_older_program_take_their_defaults() -> None:
    version, (fields,) = msgspec.msgpack.decode(parcel(event(latency_ms=5, first_token_ms=3, tool_calls=True)))
    (read,) = decode_parcel(msgspec.msgpack.encode((version, [fields[:-2]])))
    assert (5, None, None) == (read.latency_ms, read.first_token_ms, read.tool_calls)


def test_unknown_is_not_zero_and_costs_keep_every_digit() -> None:
    (read,) = decode_parcel(parcel(event(prompt_tokens=None, completion_tokens=0, cost=Decimal("0.000000000001"))))
    assert (None, 0, Decimal("0.000000000001")) == (read.prompt_tokens, read.completion_tokens, read.cost)


def test_a_complaint_never_quotes_more_than_a_little_of_the_bytes() -> None:
    version, (fields,) = msgspec.msgpack.decode(parcel())
    fields[3] = "x" * 1_000_000
    with pytest.raises(EventDecodeError) as caught:
        decode_parcel(msgspec.msgpack.encode((version, [fields])))
    assert len(str(caught.value)) < 300
