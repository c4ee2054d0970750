from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.events import DAY_MS, NOON, event
from tests.rows import arrange_rows
from tokenboard.ledger import fit_events, misfit_times

YEAR_2106 = 4_291_747_200_000


def test_a_row_holds_an_event_in_the_ledgers_types_and_unknown_stays_unknown() -> None:
    rows = arrange_rows([event(prompt_tokens=None, completion_tokens=0, cost=None)], [7], ["missing_referer"])
    (row,) = rows.table.to_pylist()
    assert (None, 0, None, None) == (row["prompt_tokens"], row["completion_tokens"], row["cost"], row["latency_ms"])
    assert (7, "missing_referer", "usage_api") == (row["app_id"], row["reason"], row["source"])
    assert "2026-01-01T12:00:00+00:00" == row["ts"].isoformat()


def test_the_days_are_the_utc_days_of_the_events_own_time_once_each_in_order() -> None:
    midnight = NOON - DAY_MS // 2
    events = [event(ts_ms=ts) for ts in (midnight + DAY_MS, midnight - 1, midnight, midnight + DAY_MS - 1)]
    rows = arrange_rows(events, [1] * 4, [None] * 4)
    assert (date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2)) == rows.days


def test_no_events_make_no_rows() -> None:
    rows = arrange_rows([], [], [])
    assert (0, ()) == (rows.table.num_rows, rows.days)


@pytest.mark.parametrize(
    "misfit",
    [
        {"ts_ms": -1},
        {"ts_ms": -5_400_000_000_000},
        {"ts_ms": YEAR_2106},
        {"ts_ms": 5_680_000_000_000},
        {"ts_ms": 2**62},
        {"ts_ms": 2**70},
        {"received_ms": -1},
        {"received_ms": 2**62},
        {"prompt_tokens": -1},
        {"completion_tokens": 2**64},
        {"account_id": 2**32},
        {"key_id": -1},
        {"status": 65_536},
        {"cost": Decimal("NaN")},
        {"cost": Decimal("sNaN")},
        {"cost": Decimal("Infinity")},
        {"cost": Decimal("-0.01")},
        {"cost": Decimal(10) ** 20},
        {"model": "\ud800"},
        {"id": b"\xff"},
    ],
    ids=str,
)
def test_an_event_that_fits_no_column_is_named_and_the_others_stay(misfit: dict[str, Any]) -> None:
    table, refused = fit_events([event(id="before"), event(**misfit), event(id="after")])
    outside = misfit_times(table).tolist()
    if refused:
        assert ["before", "after"] == table["id"].to_pylist()
        assert refused[1].startswith("does not fit the ledger: ")
        assert len(refused[1]) < 300
    assert [1] == [*refused, *outside]


@pytest.mark.parametrize("app_id", [-1, 2**32])
def test_an_app_id_that_fits_no_column_makes_no_rows(app_id: int) -> None:
    with pytest.raises(ValueError, match="32-bit"):
        arrange_rows([event(), event()], [3, app_id], [None, None])


@pytest.mark.parametrize("ts_ms", [0, YEAR_2106 - 1])
def test_times_from_1970_to_2105_fit(ts_ms: int) -> None:
    table, refused = fit_events([event(ts_ms=ts_ms)])
    assert ({}, []) == (refused, misfit_times(table).tolist())


@pytest.mark.parametrize(
    ("cost", "stored"),
    [
        ("0.0000000000005", "0E-12"),
        ("0.0000000000015", "2E-12"),
        ("1e-999999", "0E-12"),
        ("0." + "1" * 100, "0.111111111111"),
        ("1000000000.123456789012", "1000000000.123456789012"),
        ("-0", "-0E-12"),
    ],
)
def test_a_cost_is_rounded_half_to_even_at_the_twelfth_place(cost: str, stored: str) -> None:
    rows = arrange_rows([event(cost=Decimal(cost))], [1], [None])
    assert [Decimal(stored)] == rows.table["cost"].to_pylist()


@pytest.mark.parametrize(("given", "stored"), [(-5, 0), (0, 0), (2**32 - 1, 2**32 - 1), (2**40, 2**32 - 1)])
def test_durations_are_clamped_as_they_are_no_part_of_any_sum(given: int, stored: int) -> None:
    rows = arrange_rows([event(latency_ms=given, first_token_ms=given)], [1], [None])
    assert [stored] == rows.table["latency_ms"].to_pylist() == rows.table["first_token_ms"].to_pylist()
