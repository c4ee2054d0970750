"""Looking up one event by its id, and what a key has cost."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.events import DAY_MS, NOON, event
from tests.ledger.oracle import ask
from tests.ledger.test_ledger import OpenLedger, put
from tests.rows import arrange_rows
from tokenboard.event import UsageEvent
from tokenboard.ledger import BatchId, Generation, Ledger, LedgerError, Spending
from tokenboard.ledger.ledger import GENERATION_WITHIN_MS

TODAY = date(2026, 1, 1)


def found(ledger: Ledger, event_id: str, account_id: int = 1, near_ms: int | None = None) -> Generation:
    generation = ledger.generation(event_id, account_id, near_ms=near_ms)
    assert generation is not None
    return generation


# --- one event ------------------------------------------------------------------------------------------------------


def test_an_event_is_found_as_it_was_written(ledger: Ledger) -> None:
    told: dict[str, Any] = {
        "id": "gen-1",
        "ts_ms": NOON + 123,
        "model": "é/✓",
        "provider": "p",
        "endpoint": "messages",
        "streamed": True,
        "status": 499,
        "failed": True,
        "usage_source": "partial",
        "prompt_tokens": 10**12,
        "completion_tokens": None,
        "cached_tokens": 0,
        "reasoning_tokens": 5,
        "cost": Decimal("0.000000000001"),
        "latency_ms": 0,
        "first_token_ms": None,
    }
    put(ledger, 1, (event(**told), 77), (event(id="gen-2", cost=None), 0))
    assert Generation(**told, source="usage_api", app_id=77) == found(ledger, "gen-1")
    assert (0, None, None) == (
        found(ledger, "gen-2").app_id,
        found(ledger, "gen-2").cost,
        found(ledger, "gen-2").latency_ms,
    )


def test_an_event_is_found_by_its_own_account_only(ledger: Ledger) -> None:
    mine, theirs = event(id="e", account_id=1, model="mine"), event(id="e", account_id=2, model="theirs")
    put(ledger, 1, (mine, 1), (theirs, 1))
    assert ("mine", "theirs") == (found(ledger, "e", 1).model, found(ledger, "e", 2).model)
    assert ledger.generation("e", 3) is None
    assert ledger.generation("E", 1) is None
    assert ledger.generation("e' OR 1 --", 1) is None


def test_of_events_of_one_id_the_latest_is_found(ledger: Ledger) -> None:
    for number, day in enumerate((0, 40, 8)):
        put(ledger, number + 1, (event(id="e", ts_ms=NOON + day * DAY_MS, model=f"day {day}"), 1))
    assert "day 40" == found(ledger, "e").model
    assert "day 8" == found(ledger, "e", near_ms=NOON + 8 * DAY_MS).model


def test_a_time_that_is_near_finds_it_and_one_that_is_not_does_not(ledger: Ledger) -> None:
    put(ledger, 1, (event(id="e"), 1))
    for off in (0, 1, GENERATION_WITHIN_MS):
        assert NOON == found(ledger, "e", near_ms=NOON + off).ts_ms == found(ledger, "e", near_ms=NOON - off).ts_ms
    for off in (-1 - GENERATION_WITHIN_MS, 1 + GENERATION_WITHIN_MS):
        assert ledger.generation("e", 1, near_ms=NOON + off) is None


@pytest.mark.parametrize("near_ms", [0, 9_999_999_999_999])
def test_no_time_is_too_far(ledger: Ledger, near_ms: int) -> None:
    assert ledger.generation("e", 1, near_ms=near_ms) is None


def test_a_look_up_by_time_reads_one_granule_of_many(ledger: Ledger) -> None:
    events = [event(id=f"gen-{NOON + number * 1_000}", ts_ms=NOON + number * 1_000) for number in range(100_000)]
    ledger.insert(BatchId(1, 1), arrange_rows(events, [1] * len(events), [None] * len(events)))
    wanted = events[50_000]
    assert wanted.id == found(ledger, wanted.id, near_ms=wanted.ts_ms).id
    values: Any = {"id": wanted.id, "account_id": 1, "first_ms": wanted.ts_ms - 1, "last_ms": wanted.ts_ms + 1}
    question = (files("tokenboard.ledger") / "queries" / "generation.sql").read_text()
    for name, value in values.items():
        question = re.sub(f"{{{name}:(.+?)}}", rf"CAST('{value}', '\1')", question)
    plan = ask(ledger, f"EXPLAIN indexes = 1 {question}")
    read = re.findall(r"Granules: (\d+)/(\d+)", "\n".join(line for (line,) in plan))
    assert "1" == read[-1][0], plan
    assert max(int(of) for _, of in read) > 10, plan


# --- what a key has cost --------------------------------------------------------------------------------------------


def test_a_keys_cost_is_summed_since_the_beginnings_of_day_week_and_month(ledger: Ledger) -> None:
    thursday = datetime(2026, 1, 1, tzinfo=UTC)

    def at(moment: datetime, cost: str | None, key_id: int = 1) -> tuple[UsageEvent, int]:
        ts_ms = int(moment.timestamp() * 1000)
        return event(id=f"{ts_ms}-{key_id}", ts_ms=ts_ms, key_id=key_id, cost=cost and Decimal(cost)), 1

    instant = timedelta(milliseconds=1)
    put(
        ledger,
        1,
        at(thursday, "1"),
        at(thursday + timedelta(hours=23), None),
        at(thursday - instant, "10"),
        at(thursday - timedelta(days=3), "100"),  # Monday, last year's
        at(thursday - timedelta(days=3) - instant, "1000"),
        at(thursday + timedelta(hours=1), "7", key_id=2),
    )
    whole = Decimal(1111)
    assert Spending(total=whole, month=Decimal(1), week=Decimal(111), day=Decimal(1)) == ledger.key_usage(1, TODAY)
    assert Spending(Decimal(7), Decimal(7), Decimal(7), Decimal(7)) == ledger.key_usage(2, TODAY)
    assert Spending(whole, Decimal(0), Decimal(0), Decimal(0)) == ledger.key_usage(1, date(2026, 2, 1))


def test_a_key_without_uses_has_cost_nothing(ledger: Ledger) -> None:
    assert Spending(Decimal(0), Decimal(0), Decimal(0), Decimal(0)) == ledger.key_usage(5, TODAY)


uses = st.lists(st.tuples(st.integers(0, 70), st.integers(1, 2), st.none() | st.integers(0, 10**15)), max_size=12)


@settings(max_examples=examples(6), deadline=None)
@given(uses, st.integers(0, 70))
def test_spending_is_what_a_slow_sum_says(tmp_path_factory: Any, given_uses: Any, today_offset: int) -> None:
    today = date(2026, 1, 1) + timedelta(days=today_offset)
    expected = [Decimal(0)] * 4
    for offset, key_id, picodollars in given_uses:
        day = date(2026, 1, 1) + timedelta(days=offset)
        in_week = day >= today - timedelta(days=today.weekday())
        for position, counts in enumerate((True, day >= today.replace(day=1), in_week, day >= today)):
            if key_id == 1 and counts and picodollars:
                expected[position] += Decimal(picodollars).scaleb(-12)
    ledger = Ledger(f"chdb://{tmp_path_factory.mktemp('spending')}")
    try:
        ledger.migrate()
        rows = [
            event(
                id=str(number),
                ts_ms=NOON + offset * DAY_MS,
                key_id=key_id,
                cost=None if cost is None else Decimal(cost).scaleb(-12),
            )
            for number, (offset, key_id, cost) in enumerate(given_uses)
        ]
        put(ledger, 1, *((row, 1) for row in rows))
        assert Spending(*expected) == ledger.key_usage(1, today)
    finally:
        ledger.close()


def test_a_closed_ledger_says_so(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        ledger.generation("e", 1)
    with pytest.raises(LedgerError, match="closed"):
        ledger.key_usage(1, TODAY)
