"""Rollups compared with their raw events and made anew; raw events dropped for age."""

import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from tests.events import event
from tests.ledger.oracle import Figures, ask, expected, held
from tests.ledger.test_ledger import TODAY_MS, WRITER, OpenLedger, put, some_rows
from tests.rows import arrange_rows
from tokenboard.event import UsageEvent
from tokenboard.ledger import ROLLUPS, UNOWNED, Ledger, LedgerError, Spending, first_of, last_of
from tokenboard.ledger.sql import schema_files

KILLS = 4
TODAY = datetime.now(UTC).date()
ROWS = some_rows(7, 600, 45)
DAILY = tuple(rollup for rollup in ROLLUPS if rollup != "app_hourly")


def differing(ledger: Ledger) -> dict[str, int]:
    found: dict[str, int] = {}
    for month in ledger.raw_months():
        for check in ledger.check_month(month, TODAY):
            found[check.rollup] = found.get(check.rollup, 0) + check.differing
    return {rollup: count for rollup, count in found.items() if count}


def rebuild(ledger: Ledger) -> None:
    for month in ledger.raw_months():
        ledger.rebuild_month(month, TODAY)


def in_month(rows: list[tuple[UsageEvent, int]], month: int) -> list[tuple[UsageEvent, int]]:
    return [row for row in rows if first_of(month) <= _day(row[0]) <= last_of(month)]


def _day(one: UsageEvent) -> date:
    return datetime.fromtimestamp(one.ts_ms / 1000, UTC).date()


@pytest.mark.parametrize(("month", "first", "last"), [(202602, 1, 28), (202412, 1, 31), (202402, 1, 29)])
def test_a_month_goes_from_its_first_day_to_its_last(month: int, first: int, last: int) -> None:
    year, number = divmod(month, 100)
    assert (date(year, number, first), date(year, number, last)) == (first_of(month), last_of(month))


def test_a_ledger_in_order_shows_no_difference_and_a_rebuild_changes_nothing(ledger: Ledger) -> None:
    put(ledger, 1, *ROWS)
    before = {table: held(ledger, table) for table in DAILY}
    assert {} == differing(ledger)
    rebuild(ledger)
    assert before == {table: held(ledger, table) for table in DAILY}
    assert {} == differing(ledger)


def test_each_difference_is_told_by_its_key_with_both_figures(ledger: Ledger) -> None:
    put(ledger, 1, (event(model="m", prompt_tokens=5, completion_tokens=1, cost=Decimal("0.5")), 7))
    ask(ledger, "INSERT INTO app_model_daily SELECT * FROM app_model_daily")
    ask(ledger, "ALTER TABLE key_daily DELETE WHERE 1 SETTINGS mutations_sync = 1")
    told = {check.rollup: check for check in ledger.check_month(202601, TODAY) if check.differing}
    assert {"app_model_daily", "key_daily"} == set(told)
    (twice,), (gone,) = told["app_model_daily"].differences, told["key_daily"].differences
    raw = (1, 0, 5, 1, 0, 0, Decimal("0.5"))
    assert ("2026-01-01", 7, "m", None, raw, (2, 0, 10, 2, 0, 0, Decimal(1))) == (
        twice.at, twice.app_id, twice.model, twice.key_id, twice.raw, twice.held,
    )  # fmt: skip
    assert (None, 1, raw, (0, 0, 0, 0, 0, 0, Decimal(0))) == (gone.app_id, gone.key_id, gone.raw, gone.held)
    assert (raw, gone.held) == (told["key_daily"].raw, told["key_daily"].held)


def test_a_difference_of_one_kind_of_requests_is_told_by_its_kind(ledger: Ledger) -> None:
    small = event(id="s", model="m", prompt_tokens=1_000, completion_tokens=1, tool_calls=True)
    large = event(id="l", model="m", prompt_tokens=1_001, completion_tokens=1, endpoint="embeddings")
    put(ledger, 1, (small, 7), (large, 7))
    ask(ledger, "ALTER TABLE model_daily DELETE WHERE output = 'vectors' SETTINGS mutations_sync = 1")
    (told,) = [check for check in ledger.check_month(202601, TODAY) if check.differing]
    (gone,) = told.differences
    assert ("model_daily", "m", ("10K", "vectors", ""), 1001, 0) == (
        gone.rollup, gone.model, gone.kind, gone.raw[2], gone.held[2],
    )  # fmt: skip


def test_a_rebuild_mends_every_rollup_and_tells_readers_which_days(ledger: Ledger) -> None:
    put(ledger, 1, *ROWS)
    ask(ledger, "ALTER TABLE app_daily DELETE WHERE app_id = 1 SETTINGS mutations_sync = 1")
    for rollup in ("app_model_daily", "app_hourly", "key_daily"):
        ask(ledger, f"INSERT INTO {rollup} SELECT * FROM {rollup} LIMIT 5")
    ask(ledger, "TRUNCATE TABLE model_daily")
    assert {"app_daily", "app_model_daily", "model_daily", "key_daily"} <= set(differing(ledger))
    changes = ledger.day_changes()
    rebuild(ledger)
    assert {} == differing(ledger)
    for table in DAILY:
        assert expected(table, ROWS) == held(ledger, table)
    assert {day: count + 1 for day, count in changes.items()} == ledger.day_changes()


def test_after_a_rebuild_batches_come_in_as_before_each_once(ledger: Ledger) -> None:
    put(ledger, 1, *ROWS)
    rebuild(ledger)
    more = some_rows(8, 300, 45)
    for _ in range(2):
        put(ledger, 2, *more)
    for table in DAILY:
        assert expected(table, ROWS + more) == held(ledger, table)


def test_old_raw_events_go_by_whole_months_and_every_sum_stays(ledger: Ledger) -> None:
    put(ledger, 1, *ROWS)
    months = ledger.raw_months()
    before = {table: held(ledger, table) for table in DAILY}
    spent = ledger.key_usage(1, TODAY)
    assert [] == ledger.drop_raw_before(last_of(months[0]))
    assert months[:1] == ledger.drop_raw_before(last_of(months[0]) + timedelta(days=1))
    assert (months[1:], months[:1]) == (ledger.raw_months(), ledger.dropped_months())
    assert before == {table: held(ledger, table) for table in DAILY}
    assert spent == ledger.key_usage(1, TODAY)
    gone, stays = in_month(ROWS, months[0])[0][0], in_month(ROWS, months[-1])[0][0]
    assert ledger.generation(gone.id, 1) is None
    assert ledger.generation(stays.id, 1) is not None


def test_a_month_without_its_raw_events_is_never_rebuilt_even_if_late_events_came(ledger: Ledger) -> None:
    put(ledger, 1, *ROWS)
    month = ledger.raw_months()[0]
    ledger.drop_raw_before(last_of(month) + timedelta(days=1))
    late = in_month(some_rows(9, 400, 45), month)[:3]
    put(ledger, 2, *late)
    assert month in ledger.raw_months()
    with pytest.raises(LedgerError, match="no raw events any more"):
        ledger.rebuild_month(month, TODAY)
    everything = ROWS + late
    for table in DAILY:
        assert expected(table, everything) == held(ledger, table)
    assert [month] == ledger.drop_raw_before(last_of(month) + timedelta(days=1))
    assert [month] == ledger.dropped_months()
    assert expected("app_daily", everything) == held(ledger, "app_daily")


def test_a_batch_sent_again_after_its_month_was_dropped_counts_once_in_every_sum(ledger: Ledger) -> None:
    put(ledger, 1, *ROWS)
    ledger.drop_raw_before(TODAY.replace(day=1))
    put(ledger, 1, *ROWS)
    for table in DAILY:
        assert expected(table, ROWS) == held(ledger, table)


def test_a_ledger_from_before_the_keys_sums_gets_them_once_and_goes_on(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = schema_files()
    with monkeypatch.context() as older:
        older.setattr("tokenboard.ledger.migration.schema_files", lambda: files[:6])
        ledger = open_ledger()
        # As that program did: into the raw table, and views did the rest.
        arranged = arrange_rows([one for one, _ in ROWS], [app for _, app in ROWS], [one.reason for one, _ in ROWS])
        insert_table(ledger, arranged.table.drop_columns(["tool_calls"]))
        assert expected("app_daily", ROWS) == held(ledger, "app_daily")
    ledger = open_ledger()
    more = some_rows(8, 50, 3)
    for _ in range(2):
        put(ledger, 1, *more)
    assert ["key_daily", "model_daily"] == ledger.fill_new_rollups(TODAY)
    put(ledger, 1, *more)
    assert [] == ledger.fill_new_rollups(TODAY)
    for table in DAILY:
        assert expected(table, without_tool_calls(ROWS) + more) == held(ledger, table)
    cost = sum((one.cost or Decimal(0) for one, _ in ROWS + more), Decimal(0))
    assert cost == ledger.key_usage(1, TODAY).total
    assert Spending(Decimal(0), Decimal(0), Decimal(0), Decimal(0)) == ledger.key_usage(2, TODAY)


def without_tool_calls(rows: list[tuple[UsageEvent, int]]) -> list[tuple[UsageEvent, int]]:
    return [(msgspec.structs.replace(one, tool_calls=None), app) for one, app in rows]


def insert_table(ledger: Ledger, table: pa.Table) -> None:
    ledger._connections.run(lambda client: client.insert_arrow("usage", table))


def put_as_before_kinds(ledger: Ledger, batch: int, rows: list[tuple[UsageEvent, int]]) -> None:
    """Write a batch as a program did that knew no kinds of requests: into the raw table, and views did the rest."""
    arranged = arrange_rows([one for one, _ in rows], [app for _, app in rows], [one.reason for one, _ in rows])
    table = arranged.table.drop_columns(["tool_calls"])
    table = table.append_column("batch", pa.array([batch] * table.num_rows, pa.uint64()))
    insert_table(ledger, table)
    noted = [[day, 1, batch] for day in arranged.days]
    names = ["day", "changes", "batch"]
    ledger._connections.run(lambda client: client.insert("day_changes", noted, column_names=names))


@pytest.mark.parametrize("left", ["whole", "batch lost", "filling interrupted"])
def test_a_ledger_from_before_kinds_gets_them_from_its_raw_events_and_loses_no_sum(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    files = schema_files()
    broken, more = some_rows(10, 40, 3), some_rows(8, 200, 45)
    with monkeypatch.context() as older:
        older.setattr("tokenboard.ledger.migration.schema_files", lambda: files[:9])
        ledger = open_ledger()
        ask(ledger, "INSERT INTO rollups_filled VALUES ('key_daily')")
        put_as_before_kinds(ledger, 1, ROWS)
        dropped = ledger.raw_months()[0]
        ledger.drop_raw_before(last_of(dropped) + timedelta(days=1))
        late = in_month(some_rows(9, 400, 45), dropped)[:3]
        put_as_before_kinds(ledger, 2, late)
        # A batch that its drain did not see to the end.
        put_as_before_kinds(ledger, 3, broken)
        ask(ledger, "ALTER TABLE day_changes DELETE WHERE batch = 3 SETTINGS mutations_sync = 2")
        if left == "batch lost":
            ask(ledger, "ALTER TABLE model_daily DELETE WHERE batch = 3 SETTINGS mutations_sync = 2")
    ledger = open_ledger()
    put(ledger, 3, *without_tool_calls(broken), writer=UNOWNED)
    if left == "filling interrupted":
        # Between the two renames that put a month in the old one's place.
        month = ledger.raw_months()[-1]
        ask(ledger, f"INSERT INTO model_daily SELECT * FROM model_daily WHERE toYYYYMM(day) = {month}")
    assert ["model_daily"] == ledger.fill_new_rollups(TODAY)
    assert [] == ledger.fill_new_rollups(TODAY)
    put(ledger, 4, *more)
    of_dropped = without_tool_calls(in_month(ROWS, dropped) + late)
    known = [row for row in without_tool_calls(ROWS + broken) if _day(row[0]) > last_of(dropped)] + more
    for table in DAILY:
        if table != "model_daily":
            assert expected(table, of_dropped + known) == held(ledger, table)
    no_kind = (((*key[:2], "", "", ""), figures) for key, figures in expected("model_daily", of_dropped).items())
    assert summed([*no_kind, *expected("model_daily", known).items()]) == held(ledger, "model_daily")


def test_a_ledger_from_before_there_were_several_writers_goes_on_with_the_batch_under_way(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, broken, more = schema_files(), some_rows(10, 60, 40), some_rows(8, 200, 45)
    with monkeypatch.context() as older:
        older.setattr("tokenboard.ledger.migration.schema_files", lambda: files[:11])
        ledger = open_ledger()
        ask(ledger, "INSERT INTO rollups_filled VALUES ('key_daily'), ('model_daily')")
        put_as_before_kinds(ledger, 1, ROWS)
        # A batch that its drain did not see to the end: one rollup lacks a month of it, and nobody has noted it.
        put_as_before_kinds(ledger, 2, broken)
        month = ledger.raw_months()[-1]
        ask(ledger, "ALTER TABLE day_changes DELETE WHERE batch = 2 SETTINGS mutations_sync = 2")
        ask(ledger, "INSERT INTO rebuilds VALUES (202601, 1), (202601, -1)")
    ledger = open_ledger()
    ask(ledger, f"ALTER TABLE app_daily DELETE WHERE batch = 2 AND toYYYYMM(day) = {month} SETTINGS mutations_sync = 2")
    assert 1 == ledger.last_batch(WRITER)
    put(ledger, 2, *without_tool_calls(broken), writer=UNOWNED)
    assert 2 == ledger.last_batch(WRITER)
    for _ in range(2):
        put(ledger, 3, *more)
    for table in DAILY:
        assert expected(table, without_tool_calls(ROWS + broken) + more) == held(ledger, table)
    assert {} == differing(ledger)
    rebuild(ledger)
    for table in DAILY:
        assert expected(table, without_tool_calls(ROWS + broken) + more) == held(ledger, table)


def summed(rows: Iterable[tuple[tuple[Any, ...], Figures]]) -> dict[tuple[Any, ...], Figures]:
    sums: dict[Any, Any] = {}
    for key, figures in rows:
        before = sums.get(key, (0,) * len(figures))
        sums[key] = tuple(a + b for a, b in zip(before, figures, strict=True))
    return sums


def test_of_hours_only_those_that_are_kept_are_compared_and_rebuilt(ledger: Ledger) -> None:
    old, new = event(id="old", ts_ms=TODAY_MS - 60 * 86_400_000), event(id="new", ts_ms=TODAY_MS)
    put(ledger, 1, (old, 1), (new, 1))
    ask(ledger, "ALTER TABLE app_hourly DELETE WHERE hour < now() - INTERVAL 5 WEEK SETTINGS mutations_sync = 1")
    assert {} == differing(ledger)
    rebuild(ledger)
    assert [(TODAY_MS // 1000,)] == ask(ledger, "SELECT toInt64(toUnixTimestamp(hour)) FROM app_hourly")


def test_a_rebuild_that_left_the_old_rows_beside_the_new_ones_is_done_again(ledger: Ledger) -> None:
    put(ledger, 1, *ROWS)
    month = ledger.raw_months()[0]
    # As a crash leaves it between the two renames of REPLACE PARTITION.
    ask(ledger, f"INSERT INTO rebuilds (month, open) VALUES ({month}, 1)")
    for rollup in ("app_daily", "model_daily"):
        ask(ledger, f"INSERT INTO {rollup} SELECT * FROM {rollup} WHERE toYYYYMM(day) = {month}")
    assert set(differing(ledger)) == {"app_daily", "model_daily"}
    assert [month] == ledger.finish_rebuilds(TODAY)
    assert {} == differing(ledger)
    assert [] == ledger.finish_rebuilds(TODAY)


def test_every_rebuild_tells_readers_that_the_days_have_changed(ledger: Ledger) -> None:
    put(ledger, 1, (event(ts_ms=TODAY_MS), 1))
    for times in (2, 3, 4):
        rebuild(ledger)
        assert {TODAY: times} == ledger.day_changes()


def test_kill_9_in_the_middle_of_rebuilds_harms_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.ledger.rebuild_torture", str(tmp_path / "ledger"), str(KILLS), "1"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=110,
    )
    outcome = json.loads(done.stdout)
    assert ([], [], []) == (outcome["after_kills"], outcome["in_the_end"], outcome["left"])
    assert outcome["interrupted"] >= KILLS / 2
