from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.events import DAY_MS, NOON
from tokenboard.attribution import attribute
from tokenboard.event import MAX_TOKENS, Source, UsageEvent
from tokenboard.event_table import decode_parcel
from tokenboard.ingest import MAX_AHEAD_MS, Ingest, Refused
from tokenboard.intake import MAX_MODEL, MAX_PROVIDER, Caller, Dropped, Facts, Recorded, RefusalReason
from tokenboard.observability import Counters
from tokenboard.spool import Spool
from tokenboard.usage import Usage, UsageSource

FLOOR_MS = 20_089 * DAY_MS  # 2025-01-01
CALLER = Caller(account_id=3, key_id=8, label="laptop")
TRACKED = attribute(
    [
        (b"http-referer", b"https://cline.bot/?q=a#b"),
        (b"x-openrouter-title", b" Cline "),
        (b"x-openrouter-categories", b"cli-agent"),
    ]
)
USAGE = Usage(
    prompt_tokens=12,
    completion_tokens=9,
    cached_tokens=4,
    reasoning_tokens=2,
    cost=Decimal("0.00021"),
    source=UsageSource.REPORTED,
)


def use(**given: Any) -> Facts:
    plain: dict[str, Any] = {
        "id": "u-1",
        "ts_ms": NOON,
        "source": Source.USAGE_API,
        "caller": CALLER,
        "attribution": TRACKED,
        "model": "openai/gpt-4o",
        "provider": "openai",
        "endpoint": "chat",
        "streamed": True,
        "status": 200,
        "failed": False,
        "usage": USAGE,
        "latency_ms": 812,
        "first_token_ms": 90,
    }
    return Facts(**(plain | given))


class Door:
    def __init__(self, folder: Path) -> None:
        self.counters = Counters()
        self._folder = folder
        self.open(10**9)

    def open(self, max_bytes: int) -> None:
        self.spool = Spool(self._folder, "test", max_bytes=max_bytes, fsync=False, clock_ms=lambda: NOON)
        self.ingest = Ingest(self.spool, self.counters, floor=date(2025, 1, 1), clock_ms=lambda: NOON)

    def reopen(self, max_bytes: int) -> None:
        self.spool.close()
        self.open(max_bytes)

    def spooled(self) -> list[UsageEvent]:
        return [event for parcel in self.spool.peek(10**6, 10**9) for event in decode_parcel(parcel.body)]


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    door = Door(tmp_path)
    yield door
    door.spool.close()


# --- what is recorded -----------------------------------------------------------------------------------------------


def test_a_use_becomes_an_event_with_all_that_is_known_of_it(door: Door) -> None:
    assert Recorded(1, 0) == door.ingest.record_new([use()])
    expected = UsageEvent(
        id="u-1",
        ts_ms=NOON,
        received_ms=NOON,
        source=Source.USAGE_API,
        account_id=3,
        key_id=8,
        app_key="https://cline.bot",
        reason=None,
        title="Cline",
        categories=("cli-agent",),
        model="openai/gpt-4o",
        provider="openai",
        endpoint="chat",
        streamed=True,
        status=200,
        failed=False,
        usage_source="reported",
        prompt_tokens=12,
        completion_tokens=9,
        cached_tokens=4,
        reasoning_tokens=2,
        cost=Decimal("0.00021"),
        latency_ms=812,
        first_token_ms=90,
    )
    assert [expected] == door.spooled()


def test_an_unattributed_use_is_recorded_with_its_reason(door: Door) -> None:
    door.ingest.record_new([use(attribution=attribute([]))])
    (event,) = door.spooled()
    assert (None, "missing_referer") == (event.app_key, event.reason)


def test_unknown_tokens_stay_unknown(door: Door) -> None:
    door.ingest.record_new([use(usage=Usage())])
    (event,) = door.spooled()
    assert (None, None, "unknown") == (event.prompt_tokens, event.cost, event.usage_source)


def test_a_failed_use_carries_no_tokens_and_no_cost(door: Door) -> None:
    door.ingest.record_new([use(failed=True, status=502)])
    (event,) = door.spooled()
    tokens = (event.prompt_tokens, event.completion_tokens, event.cached_tokens, event.reasoning_tokens)
    assert (None, None, None, None) == tokens
    assert (None, True, 502, 812) == (event.cost, event.failed, event.status, event.latency_ms)


def test_an_event_has_no_room_for_the_text_of_a_prompt_or_an_answer() -> None:
    texts = {field.name for field in msgspec.structs.fields(UsageEvent) if "str" in str(field.type)}
    known = {"id", "app_key", "reason", "title", "categories", "model", "provider", "endpoint", "usage_source"}
    assert known == texts


def test_long_names_of_models_and_providers_are_cut_not_refused_for_the_answer_was_given(door: Door) -> None:
    door.ingest.record_new([use(model="m" * 500, provider="p" * 500)])
    (event,) = door.spooled()
    assert ("m" * MAX_MODEL, "p" * MAX_PROVIDER) == (event.model, event.provider)


def test_an_id_belongs_to_its_account(door: Door) -> None:
    other = Caller(account_id=4, key_id=9, label="server")
    same_account = Caller(account_id=3, key_id=10, label="desktop")
    uses = [use(), use(caller=other), use(caller=same_account)]
    assert Recorded(2, 1) == door.ingest.record_new(uses)
    assert Recorded(0, 3) == door.ingest.record_new(uses)
    assert [3, 4] == [event.account_id for event in door.spooled()]


def test_no_account_and_id_look_like_another_pair(door: Door) -> None:
    def of(account: int, name: str) -> Facts:
        return use(id=name, caller=Caller(account, 1, ""))

    assert Recorded(3, 0) == door.ingest.record_new([of(1, "1\n1"), of(11, "1"), of(1, "1")])


def test_only_the_new_ones_of_a_body_are_spooled_in_its_order(door: Door) -> None:
    door.ingest.record_new([use(id="b")])
    assert Recorded(2, 2) == door.ingest.record_new([use(id="c"), use(id="b"), use(id="a"), use(id="c")])
    assert ["b", "c", "a"] == [event.id for event in door.spooled()]


def test_nothing_is_nothing(door: Door) -> None:
    assert [] == door.ingest.examine([])
    assert Recorded(0, 0) == door.ingest.record_new([])
    assert 0 == door.spool.state().pending


# --- what is refused ------------------------------------------------------------------------------------------------


def refused(field: str, reason: RefusalReason, index: int = 0) -> tuple[int, str, str, RefusalReason]:
    return index, "u-1", field, reason


def examine(door: Door, *uses: Facts) -> list[tuple[int, str | None, str, RefusalReason]]:
    return [(one.index, one.id, one.field, one.reason) for one in door.ingest.examine(uses)]


@pytest.mark.parametrize(
    ("ts_ms", "expected"),
    [
        (NOON + MAX_AHEAD_MS, []),
        (NOON + MAX_AHEAD_MS + 1, [refused("ts", RefusalReason.TIME_AHEAD)]),
        (10**20, [refused("ts", RefusalReason.TIME_AHEAD)]),
        (FLOOR_MS, []),
        (FLOOR_MS - 1, [refused("ts", RefusalReason.BEFORE_DATASET)]),
        (-(10**20), [refused("ts", RefusalReason.BEFORE_DATASET)]),
    ],
)
def test_a_time_lies_in_the_dataset_and_at_most_ten_minutes_ahead(door: Door, ts_ms: int, expected: list[Any]) -> None:
    assert expected == examine(door, use(ts_ms=ts_ms))


@pytest.mark.parametrize("field", ["prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"])
@pytest.mark.parametrize(
    ("count", "fits"),
    [(0, True), (MAX_TOKENS, True), (None, True), (-1, False), (MAX_TOKENS + 1, False), (2**70, False)],
)
def test_a_token_count_lies_between_0_and_10_to_the_12(door: Door, field: str, count: int | None, fits: bool) -> None:
    found = examine(door, use(usage=Usage(**{field: count})))  # type: ignore[arg-type]
    assert found == ([] if fits else [refused(field, RefusalReason.OUT_OF_RANGE)])


@pytest.mark.parametrize(
    ("part", "whole"), [("cached_tokens", "prompt_tokens"), ("reasoning_tokens", "completion_tokens")]
)
@pytest.mark.parametrize(
    ("of_part", "of_whole", "fits"),
    [(6, 5, False), (5, 5, True), (0, 0, True), (1, 0, False), (None, 0, True), (9, None, True)],
)
def test_a_part_is_not_more_than_its_whole(
    door: Door, part: str, whole: str, of_part: int | None, of_whole: int | None, fits: bool
) -> None:
    found = examine(door, use(usage=Usage(**{part: of_part, whole: of_whole})))  # type: ignore[arg-type]
    assert found == ([] if fits else [refused(part, RefusalReason.PART_OVER_WHOLE)])


def test_everything_wrong_with_every_use_is_named(door: Door) -> None:
    bad = use(ts_ms=0, usage=Usage(prompt_tokens=-1, cached_tokens=-1))
    assert [
        refused("ts", RefusalReason.BEFORE_DATASET, 1),
        refused("prompt_tokens", RefusalReason.OUT_OF_RANGE, 1),
        refused("cached_tokens", RefusalReason.OUT_OF_RANGE, 1),
        refused("ts", RefusalReason.BEFORE_DATASET, 3),
    ] == examine(door, use(), bad, use(), use(ts_ms=0))
    assert 0 == door.spool.state().pending


def test_a_refusals_message_says_how_to_mend_it(door: Door) -> None:
    messages = [one.message for one in door.ingest.examine([use(ts_ms=0), use(usage=Usage(prompt_tokens=-1))])]
    assert [
        "ts is before the dataset's beginning, 2025-01-01 (UTC)",
        "prompt_tokens must be between 0 and 1,000,000,000,000",
    ] == messages


def test_a_full_spool_admits_nothing_and_takes_nothing_new(door: Door) -> None:
    assert door.ingest.admit() is None
    door.ingest.record_new([use(id="fills it")])
    door.reopen(max_bytes=10)
    assert Dropped(RefusalReason.SPOOL_FULL) == door.ingest.admit()
    assert Dropped(RefusalReason.SPOOL_FULL) == door.ingest.record_new([use()])
    assert 2 == door.counters.read()["dropped.spool_full"]
    assert 1 == door.spool.state().pending


# --- what is counted ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_every_refusal_is_counted_under_its_name(door: Door, reason: RefusalReason) -> None:
    problem = Refused(0, "id", "field", reason, "message")
    door.ingest.refuse([problem, problem])
    assert {f"refused.{reason.value}": 2} == door.counters.read()


def test_looking_at_uses_counts_nothing(door: Door) -> None:
    door.ingest.examine([use(ts_ms=0)])
    assert {} == door.counters.read()


def test_what_is_recorded_is_counted_by_the_way_it_came(door: Door) -> None:
    door.ingest.record_new([use(id="a"), use(id="b"), use(id="b")])
    assert {"duplicates": 1, "recorded.usage_api": 2} == door.counters.read()


def test_the_names_of_refusals_are_part_of_the_api() -> None:
    assert [
        "spool_full",
        "spool_unavailable",
        "invalid_json",
        "not_an_object",
        "missing",
        "wrong_type",
        "empty",
        "too_long",
        "bad_time",
        "time_ahead",
        "before_dataset",
        "out_of_range",
        "bad_character",
        "part_over_whole",
    ] == [reason.value for reason in RefusalReason]
