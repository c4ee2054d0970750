from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenboard.query import ParameterError, Window, resolve_window

FLOOR = date(2025, 1, 1)
TODAY = date(2026, 5, 12)


def resolve(start: str | None = None, end: str | None = None, *, floor: date = FLOOR, today: date = TODAY) -> Window:
    return resolve_window(start, end, floor=floor, today=today)


def refusal(
    start: str | None = None, end: str | None = None, *, floor: date = FLOOR, today: date = TODAY
) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        resolve(start, end, floor=floor, today=today)
    return caught.value


def test_without_dates_the_window_is_thirty_days_to_the_last_completed_day() -> None:
    assert Window(date(2026, 4, 12), date(2026, 5, 11)) == resolve()


def test_start_defaults_to_thirty_days_that_end_at_the_given_end() -> None:
    assert Window(date(2026, 4, 12), date(2026, 5, 11)) == resolve(end="2026-05-11", today=date(2026, 9, 1))


def test_end_defaults_to_the_last_completed_day_when_start_is_given() -> None:
    assert Window(date(2026, 5, 11), date(2026, 5, 11)) == resolve("2026-05-11")


def test_a_start_before_the_floor_is_moved_to_it() -> None:
    assert Window(FLOOR, date(2025, 2, 1)) == resolve("2020-01-01", "2025-02-01")


def test_a_default_start_before_the_floor_is_moved_to_it() -> None:
    assert Window(FLOOR, date(2025, 1, 10)) == resolve(end="2025-01-10")


def test_an_end_on_the_floor_is_answered() -> None:
    assert Window(FLOOR, FLOOR) == resolve("2024-12-31", "2025-01-01")


def test_an_end_before_the_floor_is_refused_naming_the_floor() -> None:
    error = refusal(end="2024-12-31")
    assert error.parameter == "end_date"
    assert "2025-01-01" in error.message


def test_an_end_in_the_future_is_moved_to_today() -> None:
    assert Window(date(2026, 5, 1), TODAY) == resolve("2026-05-01", "2099-01-01")
    assert Window(TODAY - timedelta(days=29), TODAY) == resolve(end="2099-01-01")


def test_today_is_a_window_when_both_dates_say_so() -> None:
    assert Window(TODAY, TODAY) == resolve("2026-05-12", "2026-05-12")


def test_start_today_without_end_is_refused_and_explained() -> None:
    error = refusal("2026-05-12")
    assert error.parameter == "start_date"
    assert "defaults to yesterday" in error.message
    assert "end_date=2026-05-12" in error.message


def test_a_start_in_the_future_is_refused() -> None:
    error = refusal("2026-05-13", "2026-06-01")
    assert error.parameter == "start_date"
    assert "in the future" in error.message


def test_a_start_after_the_end_is_refused() -> None:
    error = refusal("2026-03-02", "2026-03-01")
    assert error.parameter == "start_date"
    assert "start_date=2026-03-01 or earlier" in error.message


def test_a_span_of_366_days_is_answered_and_367_refused() -> None:
    assert resolve("2025-05-12", "2026-05-12").days == 366
    error = refusal("2025-05-11", "2026-05-12")
    assert error.parameter == "start_date"
    assert "367 days" in error.message
    assert "start_date=2025-05-12" in error.message


def test_the_span_is_measured_after_both_dates_were_moved() -> None:
    today = date(2026, 1, 1)
    assert Window(FLOOR, today) == resolve("2000-01-01", "2099-01-01", today=today)


def test_the_defaults_on_the_floor_s_own_day_are_refused_with_a_hint() -> None:
    error = refusal(floor=TODAY)
    assert error.parameter == "end_date"
    assert "end_date=2026-05-12" in error.message
    assert Window(TODAY, TODAY) == resolve(end="2026-05-12", floor=TODAY)


def test_a_dataset_that_begins_in_the_future_has_no_window() -> None:
    assert refusal(end="2027-01-01", floor=date(2026, 6, 1)).parameter == "end_date"


@pytest.mark.parametrize("parameter", ["start_date", "end_date"])
@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "null",
        "2026-5-01",
        "2026-05-1",
        "20260501",
        "2026-05-01T00:00:00Z",
        " 2026-05-01",
        "2026-05-01\n",
        "2026/05/01",
        "2026-W19-1",
        "2026-02-30",
        "2026-02-29",
        "2026-00-10",
        "2026-13-01",
        "0000-01-01",
        "+026-05-01",
        "٢٠٢٦-٠٥-٠١",
        "２０２６-05-01",
        "2026‐05‐01",
        "x" * 10_000,
    ],
)
def test_anything_but_a_real_day_in_strict_form_is_refused(parameter: str, value: str) -> None:
    error = refusal(value, "2026-05-11") if parameter == "start_date" else refusal("2026-05-01", value)
    assert parameter == error.parameter
    assert "YYYY-MM-DD" in error.message
    assert len(error.message) < 300


def test_a_leap_day_is_a_real_day() -> None:
    floor = date(2024, 1, 1)
    assert date(2024, 2, 29) == resolve("2024-02-29", "2024-02-29", floor=floor).start


def test_the_earliest_of_all_floors_does_not_overflow() -> None:
    assert Window(date.min, date(1, 1, 3)) == resolve(end="0001-01-03", floor=date.min)


def test_previous_windows_have_equal_length_and_touch() -> None:
    window = Window(date(2026, 3, 3), date(2026, 3, 4))
    assert Window(date(2026, 3, 1), date(2026, 3, 2)) == window.previous()
    assert Window(date(2026, 2, 25), date(2026, 2, 26)) == window.previous(3)


def test_a_window_never_starts_after_its_end() -> None:
    with pytest.raises(ValueError, match="after its end"):
        Window(date(2026, 1, 2), date(2026, 1, 1))


days = st.dates(min_value=date(2024, 6, 1), max_value=date(2027, 6, 1))


@given(start=st.none() | days, end=st.none() | days, today=days)
def test_every_answered_window_lies_between_floor_and_today(start: date | None, end: date | None, today: date) -> None:
    refused: str | None = None
    window: Window | None = None
    try:
        window = resolve(start.isoformat() if start else None, end.isoformat() if end else None, today=today)
    except ParameterError as error:
        refused = error.parameter
    last = min(end or today - timedelta(days=1), today)
    first = max(start or last - timedelta(days=29), FLOOR)
    if (end or last) < FLOOR or last < FLOOR:
        assert refused == "end_date"
        return
    if first > last or (last - first).days > 365:
        assert refused == "start_date"
        return
    assert window == Window(first, last)
