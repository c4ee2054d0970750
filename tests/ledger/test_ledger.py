import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.events import DAY_MS, NOON, event
from tests.ledger.oracle import ask, expected, held
from tests.rows import arrange_rows
from tokenboard.event import UsageEvent
from tokenboard.ledger import ROLLUPS, BatchId, Ledger, LedgerError, LedgerOutdated, LedgerUnavailable, Totals
from tokenboard.ledger.sql import schema_files

OpenLedger = Callable[..., Ledger]
TODAY_MS = int(time.time() * 1000) // DAY_MS * DAY_MS
FILES = ["0001_usage", "0002_app_daily", "0003_app_model_daily", "0004_model_daily", "0005_app_hourly"]
LATER = ["0006_day_changes", "0007_key_daily", "0008_raw_dropped", "0009_batches", "0010_model_daily_by_kind"]
LATER += ["0011_board", "0012_writers"]
WRITER = 7


def put(ledger: Ledger, batch: int, *rows: tuple[UsageEvent, int], fresh: bool = False, writer: int = WRITER) -> None:
    events, apps = [event for event, _ in rows], [app for _, app in rows]
    arranged = arrange_rows(events, apps, [event.reason for event in events])
    ledger.insert(BatchId(writer, batch), arranged, fresh=fresh)


def some_rows(seed: int, count: int, days: int, start_ms: int = TODAY_MS) -> list[tuple[UsageEvent, int]]:
    choose = random.Random(seed)

    def maybe(limit: int) -> int | None:
        return choose.choice([None, 0, choose.randrange(limit)])

    return [
        (
            event(
                id=f"{seed}-{number}",
                ts_ms=start_ms - choose.randrange(days * DAY_MS),
                model=choose.choice(["a/x", "b/y", "c/z", "é/✓"]),
                failed=choose.random() < 0.2,
                endpoint=choose.choice(["chat", "completions", "responses", "messages", "embeddings", ""]),
                tool_calls=choose.choice([None, False, True]),
                prompt_tokens=maybe(10 ** choose.randrange(3, 13)),
                completion_tokens=maybe(10**12),
                cached_tokens=maybe(1000),
                reasoning_tokens=maybe(1000),
                cost=choose.choice([None, Decimal(choose.randrange(10**15)).scaleb(-12)]),
            ),
            choose.randrange(6),
        )
        for number in range(count)
    ]


def days_of(rows: list[tuple[UsageEvent, int]]) -> set[date]:
    return {date(1970, 1, 1) + timedelta(days=event.ts_ms // DAY_MS) for event, _ in rows}


# --- schema ---------------------------------------------------------------------------------------------------------


def test_migrating_twice_changes_nothing_and_an_interrupted_migration_is_completed(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(migrated=False)
    with pytest.raises(LedgerOutdated, match="nothing") as caught:
        ledger.check()
    assert "tokenboard migrate" in caught.value.hint
    assert [*FILES, *LATER] == ledger.migrate()
    assert [] == ledger.migrate()
    ledger.check()
    put(ledger, 1, *some_rows(1, 20, 3))

    # As if the process had died in the middle of the last file.
    ask(ledger, "ALTER TABLE schema_files DELETE WHERE name = '0012_writers' SETTINGS mutations_sync = 1")
    ask(ledger, "DROP VIEW model_daily_view SYNC")
    assert ["0012_writers"] == ledger.migrate()
    put(ledger, 2, *some_rows(2, 20, 3))

    # And in the middle of earlier ones.
    files = schema_files()
    with monkeypatch.context() as older:
        older.setattr("tokenboard.ledger.migration.schema_files", lambda: files[:11])
        ledger = open_ledger("earlier")
    ask(ledger, "ALTER TABLE schema_files DELETE WHERE name >= '0008' SETTINGS mutations_sync = 1")
    ask(ledger, "DROP TABLE raw_dropped SYNC")
    ask(ledger, "DROP TABLE rebuilds SYNC")
    ask(ledger, "ALTER TABLE day_changes DROP COLUMN batch")
    ask(ledger, "DROP VIEW model_daily_view SYNC")
    with pytest.raises(LedgerOutdated, match="0007_key_daily"):
        ledger.check()
    assert LATER[2:] == ledger.migrate()
    ledger.check()
    put(ledger, 1, *some_rows(1, 20, 3))
    put(ledger, 2, *some_rows(2, 20, 3))
    rows = some_rows(1, 20, 3) + some_rows(2, 20, 3)
    for table in ("app_model_daily", "model_daily"):
        assert expected(table, rows) == held(ledger, table)


def test_a_ledger_that_a_newer_program_migrated_is_left_alone(ledger: Ledger) -> None:
    ask(ledger, "INSERT INTO schema_files (name) VALUES ('9999_later')")
    for refused in (ledger.check, ledger.migrate):
        with pytest.raises(LedgerOutdated, match="9999_later"):
            refused()


# --- inserts --------------------------------------------------------------------------------------------------------


def test_a_batch_is_in_every_table_once_however_often_it_is_sent(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    rows = some_rows(3, 500, 20)
    other = some_rows(4, 100, 20)
    for _ in range(3):
        put(ledger, 1, *rows)
    put(ledger, 2, *other)
    ledger = open_ledger()
    put(ledger, 2, *other)
    for table in ("usage", *ROLLUPS):
        assert expected(table, rows + other) == held(ledger, table)
    assert [(600, 600)] == ask(ledger, "SELECT count(), uniqExact(id) FROM usage")
    first, second = days_of(rows), days_of(other)
    assert {day: (day in first) + (day in second) for day in first | second} == ledger.day_changes()


def test_a_batch_over_more_than_a_hundred_months_is_taken_whole_and_once(ledger: Ledger) -> None:
    rows = [
        (
            event(
                id=str(month), ts_ms=int(datetime(1990 + month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
            ),
            1,
        )
        for month in range(103)
    ]
    for _ in range(2):
        put(ledger, 1, *rows)
    for table in ("usage", "app_daily", "app_model_daily", "model_daily"):
        assert expected(table, rows) == held(ledger, table)
    assert 103 == len(ledger.day_changes())
    assert 103 == len(ledger.read_days().day)


def test_equal_rows_under_another_number_are_other_usage(ledger: Ledger) -> None:
    put(ledger, 1, (event(), 1))
    put(ledger, 2, (event(), 1))
    assert [2] == ledger.read_days().requests.tolist()


def test_a_batch_of_no_rows_is_nothing(ledger: Ledger) -> None:
    put(ledger, 1)
    assert {} == ledger.day_changes()


def test_others_may_read_while_one_writes(ledger: Ledger) -> None:
    batches = {number: some_rows(100 + number, 50, 3) for number in range(1, 9)}

    def write() -> None:
        for number, rows in batches.items():
            for _ in range(2):
                put(ledger, number, *rows)

    with ThreadPoolExecutor(4) as threads:
        writing = threads.submit(write)
        for reading in [threads.submit(ledger.read_days) for _ in range(8)]:
            reading.result()
        writing.result()
    everything = [row for rows in batches.values() for row in rows]
    for table in ("usage", *ROLLUPS):
        assert expected(table, everything) == held(ledger, table)


# --- what the columns mean ------------------------------------------------------------------------------------------


def test_unknown_is_null_in_the_raw_table_and_nothing_in_a_sum(ledger: Ledger) -> None:
    put(
        ledger,
        1,
        (event(id="a", prompt_tokens=None, completion_tokens=None), 1),
        (event(id="b", prompt_tokens=0, completion_tokens=5, cost=Decimal("0.5")), 1),
    )
    columns = "id, prompt_tokens, completion_tokens, cached_tokens, cost, latency_ms"
    assert [("a", None, None, None, None, None), ("b", 0, 5, None, Decimal("0.5"), None)] == ask(
        ledger, f"SELECT {columns} FROM usage ORDER BY id"
    )
    assert {"app_daily": [Totals("2026-01-01", 2, 0, 0, 5, 0, 0, Decimal("0.5"))]} == {
        "app_daily": ledger.totals()["app_daily"]
    }


def test_failed_uses_are_counted_apart(ledger: Ledger) -> None:
    tokens = {"prompt_tokens": None, "completion_tokens": None}
    put(ledger, 1, (event(), 1), (event(failed=True, status=500, **tokens), 1), (event(failed=True, **tokens), 2))
    read = ledger.read_days()
    assert ([1, 2], [1, 0], [21, 0]) == (read.app_id.tolist(), read.requests.tolist(), read.tokens.tolist())
    assert [Totals("2026-01-01", 1, 2, 12, 9, 0, 0, Decimal(0))] == ledger.totals()["model_daily"]


def test_a_day_is_a_utc_day_to_the_millisecond(ledger: Ledger) -> None:
    midnight = NOON - DAY_MS // 2
    put(
        ledger,
        1,
        (event(ts_ms=midnight - 1), 1),
        (event(ts_ms=midnight), 1),
        (event(ts_ms=midnight + DAY_MS - 1), 1),
        (event(ts_ms=midnight + DAY_MS), 1),
    )
    read = ledger.read_days()
    first = midnight // DAY_MS - 1
    assert ([first, first + 1, first + 2], [1, 2, 1]) == (read.day.tolist(), read.requests.tolist())
    stored = ask(ledger, "SELECT toUnixTimestamp64Milli(ts) FROM usage ORDER BY ts")
    assert [midnight - 1, midnight, midnight + DAY_MS - 1, midnight + DAY_MS] == [row[0] for row in stored]


@pytest.mark.parametrize("ts_ms", [0, DAY_MS - 1, 4_291_747_200_000 - 1])
def test_the_first_and_the_last_time_that_fit_are_stored_on_their_own_day(ledger: Ledger, ts_ms: int) -> None:
    put(ledger, 1, (event(ts_ms=ts_ms), 1))
    assert [ts_ms // DAY_MS] == ledger.read_days().day.tolist()
    day = datetime.fromtimestamp(ts_ms / 1000, UTC).date()
    assert {day: 1} == ledger.day_changes()
    for table in ("usage", *ROLLUPS) if ts_ms > NOON else ("usage", "app_daily"):
        assert [str(day)] == [totals.day for totals in ledger.totals()[table]]


def test_hours_are_kept_for_five_weeks_and_days_for_good(ledger: Ledger) -> None:
    now = int(time.time() * 1000)
    put(ledger, 1, (event(ts_ms=now - 37 * DAY_MS), 1), (event(ts_ms=now - 33 * DAY_MS), 2), (event(ts_ms=now), 3))
    ask(ledger, "OPTIMIZE TABLE app_hourly FINAL")
    assert [(2,), (3,)] == ask(ledger, "SELECT app_id FROM app_hourly ORDER BY hour")
    assert [(1,), (2,), (3,)] == ask(ledger, "SELECT app_id FROM app_daily ORDER BY day")


# --- questions ------------------------------------------------------------------------------------------------------


def test_sums_past_2_to_the_63_are_read_exactly(ledger: Ledger) -> None:
    huge = 2**64 - 1
    for number in range(3):
        put(ledger, number + 1, (event(prompt_tokens=huge, completion_tokens=huge, cached_tokens=huge), 1))
    put(ledger, 100, (event(prompt_tokens=1, completion_tokens=2), 2))
    read = ledger.read_days()
    assert [6 * huge, 3] == read.tokens.tolist()
    assert [3 * huge, 1] == read.prompt.tolist()
    assert [3 * huge, 0] == read.cached.tolist()
    assert [object, object, object, np.int64] == [
        column.dtype for column in (read.tokens, read.prompt, read.cached, read.reasoning)
    ]
    assert all(type(tokens) is int for tokens in read.tokens)
    assert 3 * huge == ledger.totals()["app_daily"][0].cached_tokens - 0
    assert 3 * huge + 1 == ledger.totals()["usage"][0].prompt_tokens


@pytest.mark.parametrize(("tokens", "kind"), [(2**62 - 1, np.int64), (2**62, object), (2**63, object)])
def test_tokens_are_plain_integers_up_to_2_to_the_62_and_python_ones_beyond(
    ledger: Ledger, tokens: int, kind: type
) -> None:
    put(ledger, 1, (event(prompt_tokens=tokens, completion_tokens=0), 1))
    read = ledger.read_days()
    assert [tokens] == read.tokens.tolist()
    assert read.tokens.dtype == kind


def test_days_are_read_as_asked_sorted_by_day_and_app(ledger: Ledger) -> None:
    rows = some_rows(5, 300, 12)
    put(ledger, 1, *rows)
    sums = expected("app_daily", rows)
    day_numbers = sorted({day for day, _ in sums})
    some = day_numbers[2:5]
    for asked, numbers in ((None, day_numbers), ([date(1970, 1, 1) + timedelta(days=day) for day in some], some)):
        read = ledger.read_days(asked)
        keys = sorted(key for key in sums if key[0] in numbers)
        assert keys == list(zip(read.day.tolist(), read.app_id.tolist(), strict=True))
        assert [sums[key][0] for key in keys] == read.requests.tolist()
        assert [sums[key][2] + sums[key][3] for key in keys] == read.tokens.tolist()
        assert [sums[key][2] for key in keys] == read.prompt.tolist()
        assert [sums[key][4] for key in keys] == read.cached.tolist()
        assert [sums[key][5] for key in keys] == read.reasoning.tolist()
        assert [np.int32, np.int64, np.int64] == [read.day.dtype, read.app_id.dtype, read.requests.dtype]


@pytest.mark.parametrize("days", [None, [], [date(2001, 1, 1)]])
def test_no_figures_are_empty_columns(ledger: Ledger, days: list[date] | None) -> None:
    read = ledger.read_days(days)
    columns: list[Any] = [read.day, read.app_id, read.requests, read.tokens, read.prompt, read.cached, read.reasoning]
    assert [(0,)] * 7 == [column.shape for column in columns]
    assert [np.int32, *[np.int64] * 6] == [column.dtype for column in columns]
    assert {} == ledger.day_changes()


def test_the_totals_of_raw_table_and_rollups_agree(ledger: Ledger) -> None:
    for number in range(3):
        put(ledger, number + 1, *some_rows(20 + number, 200, 9))
    totals = ledger.totals()
    assert {"usage", *ROLLUPS} == set(totals)
    assert [totals["usage"]] * len(ROLLUPS) == [totals[rollup] for rollup in ROLLUPS]
    assert totals["usage"] == sorted(totals["usage"], key=lambda one: one.day)


# --- errors ---------------------------------------------------------------------------------------------------------


def test_an_engine_that_cannot_be_opened_is_named(open_ledger: OpenLedger, tmp_path_factory: Any) -> None:
    open_ledger()
    with pytest.raises(LedgerUnavailable, match="did not answer"):
        Ledger(f"chdb://{tmp_path_factory.mktemp('elsewhere')}")


def test_a_server_that_is_away_is_named() -> None:
    with pytest.raises(LedgerUnavailable) as caught:
        Ledger("clickhouse://127.0.0.1:9/default")
    assert caught.value.hint


def test_an_insert_that_the_engine_refuses_says_so_without_the_events(ledger: Ledger) -> None:
    ask(ledger, "DROP TABLE app_daily SYNC")
    with pytest.raises(LedgerUnavailable) as caught:
        put(ledger, 1, (event(id="id-of-mine", model="model-of-mine", reason="reason-of-mine"), 1))
    error: BaseException | None = caught.value
    while error is not None:
        assert "of-mine" not in str(error)
        error = error.__cause__ or error.__context__


def test_a_closed_ledger_says_so_and_may_be_closed_again(ledger: Ledger) -> None:
    assert {} == ledger.day_changes()
    ledger.close()
    ledger.close()
    for ask_it in (ledger.read_days, ledger.migrate, ledger.day_changes):
        with pytest.raises(LedgerError, match="closed"):
            ask_it()
