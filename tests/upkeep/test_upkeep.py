import threading
from collections.abc import Callable

import pytest

from tests.board import wait_for
from tests.events import DAY_MS, NOON, event, parcel
from tests.ledger.oracle import ask
from tests.upkeep.conftest import Kept
from tokenboard.app.clock import wall_clock_ms
from tokenboard.ledger import LedgerUnavailable
from tokenboard.upkeep import Difference

SEEN = [
    event(id="a", app_key="https://a.example", prompt_tokens=5, completion_tokens=1),
    event(id="b", app_key="https://b.example", prompt_tokens=7, completion_tokens=0, ts_ms=NOON + DAY_MS),
    event(id="c", app_key=None, reason="missing_referer", prompt_tokens=1, completion_tokens=1),
    event(id="old", ts_ms=NOON - 40 * DAY_MS, prompt_tokens=100, completion_tokens=0),
]


def differences(kept: Kept) -> list[Difference]:
    return [one for audited in kept.upkeep.audit() for one in audited.differences]


def test_a_board_in_order_differs_nowhere(kept: Kept) -> None:
    assert [] == list(kept.upkeep.audit())
    kept.put(*SEEN)
    audited = list(kept.upkeep.audit())
    assert [(202511, True, (), 0), (202601, True, (), 0)] == [
        (one.month, one.raw, one.differences, one.untold) for one in audited
    ]


def test_a_rollup_that_is_wrong_is_told_by_day_app_and_in_total(kept: Kept) -> None:
    kept.put(*SEEN)
    ask(kept.ledger, "INSERT INTO app_model_daily SELECT * FROM app_model_daily WHERE app_id = 1")
    found = differences(kept)
    assert Difference("app_model_daily", "2026-01-01", "app 1, openai/gpt-4o", "prompt_tokens", "5", "10") in found
    assert Difference("app_model_daily", "202601", "in total", "requests", "3", "4") in found
    assert {"app_model_daily"} == {one.table for one in found}


def test_a_kind_of_requests_that_is_wrong_is_told_and_a_rebuild_mends_it(kept: Kept) -> None:
    kept.put(*SEEN, event(id="tools", prompt_tokens=2_000, completion_tokens=1, tool_calls=True))
    ask(kept.ledger, "ALTER TABLE model_daily DELETE WHERE tool_use = 'called' SETTINGS mutations_sync = 1")
    found = differences(kept)
    of = "openai/gpt-4o, 10K/text/called"
    assert Difference("model_daily", "2026-01-01", of, "prompt_tokens", "2000", "0") in found
    assert {"model_daily"} == {one.table for one in found}
    list(kept.upkeep.rebuild())
    assert [] == differences(kept)


def test_rankings_that_are_not_what_the_ledger_says_are_told_by_day_app_and_in_total(kept: Kept) -> None:
    kept.put(*SEEN)
    # Behind the back of everybody: no counter says that this day has changed.
    ask(kept.ledger, "ALTER TABLE app_daily DELETE WHERE app_id = 1 SETTINGS mutations_sync = 1")
    found = [one for one in differences(kept) if one.table == "rankings"]
    assert Difference("rankings", "2026-01-01", "app 1", "tokens", "0", "6") in found
    assert Difference("rankings", "2026-01-01 to 2026-01-31", "in total", "requests", "2", "3") in found
    for rebuilt in kept.upkeep.rebuild():
        assert 2 == rebuilt.of
    assert [] == differences(kept)


def test_what_arrives_while_it_runs_is_no_difference(kept: Kept) -> None:
    kept.put(*SEEN)
    for tell in (kept.upkeep.audit, kept.upkeep.rebuild):
        for number, _ in enumerate(tell()):
            kept.put(
                event(id=f"{tell.__name__}-{number}"), event(id=f"old-{tell.__name__}-{number}", ts_ms=SEEN[-1].ts_ms)
            )
    assert [] == differences(kept)
    assert 12 == sum(day.requests for day in kept.ledger.totals()["app_daily"])


def test_raw_events_past_their_time_go_and_the_audit_says_so(kept: Kept) -> None:
    kept.put(*SEEN, event(id="now", ts_ms=wall_clock_ms()))
    totals = kept.ledger.totals()
    assert [] == kept.upkeep.drop_old_raw()
    upkeep = kept.with_retention(1)
    assert [202511, 202601] == upkeep.drop_old_raw()
    assert [] == upkeep.drop_old_raw()
    assert {202511: False, 202601: False} == {one.month: one.raw for one in upkeep.audit() if not one.raw}
    assert [] == differences(kept)
    assert 1 == len(list(upkeep.rebuild()))
    after = kept.ledger.totals()
    assert [totals[table] for table in ("app_daily", "key_daily")] == [
        after[table] for table in ("app_daily", "key_daily")
    ]


def test_events_are_kept_for_as_long_as_was_asked_at_least(kept: Kept) -> None:
    kept.put(*SEEN, event(id="now", ts_ms=wall_clock_ms()))
    days_since_november = (wall_clock_ms() - NOON) // DAY_MS + 31
    assert [] == kept.with_retention(days_since_november + 40).drop_old_raw()
    assert [202511] == kept.with_retention(days_since_november).drop_old_raw()


def test_a_batch_that_a_crash_interrupted_is_completed_before_anything_is_compared(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.put(*SEEN)
    kept.spool.append_new(lambda _: parcel(event(id="late")), [b"late"]).result()
    with monkeypatch.context() as away:
        away.setattr(kept.ledger, "insert", _refuse)
        with pytest.raises(LedgerUnavailable):
            kept.drain.deliver()
        for task in (kept.upkeep.audit, kept.upkeep.rebuild):
            with pytest.raises(LedgerUnavailable):
                list(task())
    assert [] == differences(kept)
    assert 0 == kept.spool.state().pending


def test_nothing_is_delivered_while_the_drain_is_paused_and_everything_after(kept: Kept) -> None:
    delivered = threading.Event()

    def deliver() -> None:
        kept.drain.deliver()
        delivered.set()

    kept.spool.append_new(lambda _: parcel(), [b"one"]).result()
    with kept.drain.paused():
        thread = threading.Thread(target=deliver)
        thread.start()
        others = threading.Thread(target=_hold, args=(kept, lambda: None))
        others.start()
        assert not delivered.wait(0.05)
        assert 1 == kept.spool.state().pending
    wait_for(delivered.is_set)
    thread.join()
    others.join()
    assert 0 == kept.spool.state().pending


def _hold(kept: Kept, work: Callable[[], object]) -> None:
    with kept.drain.paused():
        work()


def _refuse(*_: object, **__: object) -> None:
    raise LedgerUnavailable("away")
