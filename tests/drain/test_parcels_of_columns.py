"""What came as a table of columns is delivered like what came event by event."""

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drain.conftest import Rig
from tests.event.test_event import events
from tests.events import NOON, event, parcel
from tokenboard.drain.plan import make_plan, repeat_plan
from tokenboard.event import EventDecodeError, UsageEvent, encode_parcel
from tokenboard.event_table import COLUMNS_VERSION, MISFITS, decode_parcel, encode_columns, event_table, table_of
from tokenboard.ledger import BatchId
from tokenboard.spool import Parcel


def columns(*seen: UsageEvent) -> bytes:
    return encode_columns(table_of(seen))


@settings(max_examples=50)
@given(st.lists(events, max_size=5))
def test_a_parcel_of_columns_gives_back_the_events_it_was_made_of(seen: list[UsageEvent]) -> None:
    seen = [msgspec.structs.replace(one, categories=("cli-agent", "other")[: len(one.categories)]) for one in seen]
    try:
        body = columns(*seen)
    except MISFITS:
        return
    most = 2**32 - 1
    expected = [
        msgspec.structs.replace(
            one,
            latency_ms=None if one.latency_ms is None else min(one.latency_ms, most),
            first_token_ms=None if one.first_token_ms is None else min(one.first_token_ms, most),
        )
        for one in seen
    ]
    assert tuple(expected) == decode_parcel(body)


@pytest.mark.parametrize("cut", range(4, len(columns(event())), 97))
def test_a_parcel_of_columns_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(EventDecodeError):
        decode_parcel(columns(event())[:cut])


def test_other_columns_and_other_content_are_refused() -> None:
    for content in (b"", b"no stream", [1]):
        with pytest.raises(EventDecodeError):
            decode_parcel(msgspec.msgpack.encode((COLUMNS_VERSION, content)))


def older_columns(*seen: UsageEvent) -> bytes:
    """Return these events as a program wrote them that knew nothing of calls of tools."""
    table = table_of(seen).drop_columns(["tool_calls"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return msgspec.msgpack.encode((101, sink.getvalue().to_pybytes()))


def test_columns_written_by_an_older_program_are_read_with_what_it_did_not_know_as_unknown(rig: Rig) -> None:
    seen = (event(id="a", tool_calls=True), event(id="b", categories=("cli-agent", "legal"), first_token_ms=3))
    body = older_columns(*seen)
    assert tuple(msgspec.structs.replace(one, tool_calls=None) for one in seen) == decode_parcel(body)
    # Beside those of today, in one batch.
    rig.put(body, columns(event(id="c", tool_calls=True)), parcel(event(id="d", tool_calls=False)))
    rig.deliver_all()
    assert list("abcd") == rig.ledger.column("id")
    assert [None, None, True, False] == rig.ledger.column("tool_calls")


def test_older_columns_under_the_number_of_newer_ones_are_refused_and_so_is_an_unknown_number() -> None:
    _, content = msgspec.msgpack.decode(older_columns(event()))
    for version in (COLUMNS_VERSION, COLUMNS_VERSION + 1, 100):
        with pytest.raises(EventDecodeError):
            decode_parcel(msgspec.msgpack.encode((version, content)))


def test_columns_of_unequal_length_are_no_table() -> None:
    values = {name: [value] for name, value in msgspec.structs.asdict(event()).items()}
    with pytest.raises(MISFITS):
        event_table(values | {"id": ["a", "b"]})


def test_both_kinds_arrive_together_in_their_order(rig: Rig) -> None:
    rig.put(columns(event(id="a"), event(id="b", app_key="https://b.example")), events=2)
    rig.put(parcel(event(id="c")), parcel(event(id="d", app_key=None, reason="missing_referer")))
    rig.put(columns(event(id="e", app_key=None, reason="blocked")))
    assert 1 == rig.deliver_all()
    assert list("abcde") == rig.ledger.column("id")
    first, second = (rig.catalog.find(url).id for url in ("https://cline.bot", "https://b.example"))
    assert [first, second, first, 0, 0] == rig.ledger.column("app_id")
    assert ["", "", "", "missing_referer", "blocked"] == rig.ledger.column("reason")


def test_bad_events_of_both_kinds_become_dead_letters_alone_and_can_be_read(rig: Rig) -> None:
    bad = [event(id="long", app_key="x" * 901), event(id="late", ts_ms=2**60)]
    rig.put(columns(event(id="a"), *bad), b"garbage", parcel(event(id="b"), event(id="c", status=-1)))
    rig.deliver_all()
    assert ["a", "b"] == rig.ledger.column("id")
    reasons = [letter.reason for letter in rig.spool.dead_letters()]
    assert [True, True, True, True] == [
        said in reason
        for said, reason in zip(
            ("not a parcel", "empty or too long", "before 1970", "does not fit"), reasons, strict=True
        )
    ]
    assert bad == [decode_parcel(letter.body)[0] for letter in rig.spool.dead_letters()[1:3]]


def test_a_fixed_batch_is_repeated_to_the_byte_whatever_the_catalog_says_by_then(rig: Rig) -> None:
    rig.restart(new_app_limit=1)
    seen = [event(id=str(at), app_key=f"https://app{at % 3}.example", ts_ms=NOON + at) for at in range(50)]
    bodies = [columns(*seen), parcel(*seen[:3], event(ts_ms=-1)), b"garbage", columns(event(ts_ms=-1), event(id="z"))]
    parcels = [Parcel(seq, 1, body) for seq, body in enumerate(bodies, 1)]
    plan, rows, dead_letters = make_plan(parcels, rig.catalog, BatchId(1, 1))
    again = repeat_plan(parcels, plan)
    assert rows.table.equals(again.table)
    assert rows.days == again.days
    assert [1] == [column.num_chunks for column in {id(rows.table): rows.table["id"]}.values()]
    assert (3, 54) == (len(dead_letters), rows.table.num_rows)
    limited = [at for at, reason in enumerate(rows.table["reason"].to_pylist()) if reason == "new_app_limit"]
    assert {at for at in range(53) if at % 50 % 3} | {53} == set(limited)
    assert {0} == {rows.table["app_id"].to_pylist()[at] for at in limited}


def test_a_parcel_event_by_event_written_by_an_older_program_is_delivered(rig: Rig) -> None:
    version, (fields,) = msgspec.msgpack.decode(encode_parcel((event(id="old"),)))
    rig.put(msgspec.msgpack.encode((version, [fields[:-2]])))
    rig.deliver_all()
    assert ["old"] == rig.ledger.column("id")
