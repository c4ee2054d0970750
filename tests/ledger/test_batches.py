"""What a crash or a power cut may leave of a batch, piece by piece, and what sending it again makes of it."""

import random
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.events import DAY_MS, event
from tests.ledger.oracle import ask, expected, held
from tests.ledger.test_ledger import WRITER, put
from tokenboard.event import UsageEvent
from tokenboard.ledger import ROLLUPS, Ledger, TwoWriters

TABLES = ("usage", *ROLLUPS)
DAYS = [date(2026, 8, 20), date(2026, 9, 7), date(2026, 10, 1), date(2026, 10, 31)]
MONTHS = (202608, 202609, 202610)
TODAY = datetime.now(UTC).date()
Row = tuple[UsageEvent, int]


def rows_of(batch: int) -> list[Row]:
    """Return a batch's rows over three months; hours are left out, as the engine drops old ones when it likes."""
    choose = random.Random(batch)
    of = batch % 1_000_000
    days = [(day - date(1970, 1, 1)).days for day in DAYS]
    return [
        (
            event(
                id=f"{of}-{place}",
                ts_ms=(days[place % 4] * DAY_MS) + choose.randrange(DAY_MS),
                model=f"of-{of}/{choose.choice('ab')}",
                key_id=of,
                prompt_tokens=choose.choice([0, 1_001, 10**5, 10**6 + 1]),
                tool_calls=choose.choice([None, False, True]),
            ),
            # Apps, models and keys of its own: no row is merged with another batch's, so each piece can be removed.
            10 * of + choose.randrange(3),
        )
        for place in range(24)
    ]


def take_away(ledger: Ledger, table: str, months: set[int], batch: int) -> None:
    """Remove a batch from months of a table; the engine goes on believing that it has it."""
    which = f"batch = {batch} AND toYYYYMM({ROLLUPS.get(table, 'ts')}) IN ({', '.join(map(str, months))})"
    ask(ledger, f"ALTER TABLE {table} DELETE WHERE {which} SETTINGS mutations_sync = 2")


def forget_tokens(ledger: Ledger, table: str) -> None:
    for window in (0, 10_000):
        ask(ledger, f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = {window}")


def differing(ledger: Ledger, *batches: int) -> list[str]:
    rows = [row for batch in batches for row in rows_of(batch)]
    return [table for table in TABLES if table != "app_hourly" and held(ledger, table) != expected(table, rows)]


_LOST = st.dictionaries(
    st.sampled_from([table for table in TABLES if table != "app_hourly"]), st.sets(st.sampled_from(MONTHS), min_size=1)
)
_TRIES = settings(max_examples=examples(3), suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(lost=_LOST, forgetful=st.sets(st.sampled_from(TABLES)), noted=st.booleans())
@_TRIES
def test_whatever_a_crash_or_a_power_cut_has_left_of_a_batch_sending_it_again_completes_it(
    ledger: Ledger, lost: dict[str, set[int]], forgetful: set[str], noted: bool
) -> None:
    batch = ledger.last_batch(WRITER) + 1  # a number of long ago: the engine has been started since
    put(ledger, batch, *rows_of(batch))
    for table, months in lost.items():
        take_away(ledger, table, months, batch)
    for table in forgetful:
        forget_tokens(ledger, table)
    if not noted:
        ask(ledger, f"ALTER TABLE day_changes DELETE WHERE batch = {batch} SETTINGS mutations_sync = 2")
    for _ in range(2):
        put(ledger, batch, *rows_of(batch))
        assert [] == differing(ledger, *range(1, batch + 1))
    assert batch == ledger.last_batch(WRITER)
    assert set(DAYS) <= set(ledger.day_changes())


def test_a_fresh_batch_is_written_without_asking_and_found_when_asked_for(ledger: Ledger) -> None:
    rows = rows_of(7)
    put(ledger, 7, *rows, fresh=True)
    put(ledger, 7, *rows)
    assert [] == differing(ledger, 7)
    assert 7 == ledger.last_batch(WRITER)


def test_however_many_rows_and_pieces_a_batch_has_each_month_of_each_table_is_one_part(ledger: Ledger) -> None:
    days = [(day - date(1970, 1, 1)).days for day in DAYS]
    rows = [
        (event(id=str(place), ts_ms=days[place % 4] * DAY_MS, model=f"m/{place}", key_id=place), place)
        for place in range(140_000)
    ]
    put(ledger, 1, *rows, fresh=True)
    parts = dict(ask(ledger, "SELECT table, count() FROM system.parts WHERE active AND rows > 0 GROUP BY table"))
    assert dict.fromkeys((table for table in TABLES if table != "app_hourly"), 3) == {
        table: count for table, count in parts.items() if table in TABLES and table != "app_hourly"
    }


def test_batches_of_two_writers_never_pass_for_each_other(ledger: Ledger) -> None:
    """Each number is both writers', and of the one's batch some is missing that the other's has."""
    one, other = rows_of(5), rows_of(6)
    for _ in range(2):
        put(ledger, 5, *one, writer=1)
        put(ledger, 5, *other, writer=2)
    for table in ("usage", "app_daily", "key_daily"):
        which = f"writer = 1 AND toYYYYMM({ROLLUPS.get(table, 'ts')}) = 202609"
        ask(ledger, f"ALTER TABLE {table} DELETE WHERE {which} SETTINGS mutations_sync = 2")
    put(ledger, 5, *one, writer=1)
    assert [] == differing(ledger, 5, 6)
    assert (5, 5, 0) == (ledger.last_batch(1), ledger.last_batch(2), ledger.last_batch(3))
    for month in ledger.raw_months():
        assert [] == [check.rollup for check in ledger.check_month(month, TODAY) if check.differing]


def test_the_same_app_and_day_of_two_writers_are_summed_and_told_apart(ledger: Ledger) -> None:
    for writer in (1, 2):
        put(ledger, 1, (event(id=f"of-{writer}"), 9), writer=writer)
    ask(ledger, "OPTIMIZE TABLE app_daily FINAL")
    assert [2] == ledger.read_days().requests.tolist()
    ask(ledger, "ALTER TABLE app_daily DELETE WHERE writer = 2 SETTINGS mutations_sync = 2")
    (wrong,) = [check for check in ledger.check_month(202601, TODAY) if check.differing]
    assert [(2, 9)] == [(difference.writer, difference.app_id) for difference in wrong.differences]
    ledger.rebuild_month(202601, TODAY, writer=1)
    assert [(1, 1), (2, 1)] == ask(ledger, "SELECT writer, sum(requests) FROM app_daily GROUP BY 1 ORDER BY 1")
    # What was rebuilt is still known to be there.
    put(ledger, 1, (event(id="of-2"), 9), writer=2)
    assert [2] == ledger.read_days().requests.tolist()


def test_somebody_else_who_writes_as_this_board_is_told(ledger: Ledger) -> None:
    put(ledger, 5, *rows_of(5))
    put(ledger, 6, *rows_of(6))
    take_away(ledger, "app_daily", {202609}, 6)
    put(ledger, 8, *rows_of(8))
    with pytest.raises(TwoWriters, match="a later batch of this board") as refused:
        put(ledger, 7, *rows_of(7))
    assert "a data folder of its own" in refused.value.hint


def test_a_batch_lost_with_its_spool_does_not_pass_for_another(ledger: Ledger) -> None:
    put(ledger, 5, *rows_of(5))
    ask(ledger, "ALTER TABLE day_changes DELETE WHERE batch = 5 SETTINGS mutations_sync = 2")
    put(ledger, 6, *rows_of(6))
    put(ledger, 6, *rows_of(6))
    assert [] == differing(ledger, 5, 6)
