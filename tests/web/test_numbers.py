"""Figures as pages show them."""

from decimal import ROUND_HALF_UP, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenboard.web.numbers import UNITS, change, compact, counted, direction, exact, growth, percent

NUMBERS = st.one_of(st.integers(0, 10**7), st.integers(0, 10**24), st.integers(0, 60).map(lambda n: 10**n // 2 + 1))


def slow_compact(number: int) -> str:
    """Three significant digits in decimal arithmetic, then the largest unit that leaves a 1 or more."""
    if number < 1000:
        return str(number)
    quadrillions = Decimal(number).scaleb(-15)
    if quadrillions >= 1000:
        return f"{int(quadrillions.to_integral_value(ROUND_HALF_UP)):,}Q"
    rounded = Context(prec=3, rounding=ROUND_HALF_UP).create_decimal(number)
    unit = max(index for index in range(len(UNITS)) if rounded >= Decimal(10) ** (3 * index))
    short = f"{rounded.scaleb(-3 * unit):,f}"
    return (short.rstrip("0").rstrip(".") if "." in short else short) + UNITS[unit]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1K"),
        (1_005, "1.01K"),
        (1_234_567_890, "1.23B"),
        (1_500_000, "1.5M"),
        (999_499, "999K"),
        (999_500, "1M"),
        (999_999_999_999, "1T"),
        (10**15, "1Q"),
        (1_234_567 * 10**12, "1,235Q"),
        (-1500, "-1.5K"),
    ],
)
def test_a_compact_number_has_three_significant_digits_and_a_unit(number: int, expected: str) -> None:
    assert expected == compact(number)


@given(NUMBERS)
def test_a_compact_number_equals_decimal_arithmetic(number: int) -> None:
    assert slow_compact(number) == compact(number)


@given(st.integers(0, 10**18 - 10**15))
def test_a_compact_number_never_shows_a_thousand_of_a_unit(number: int) -> None:
    assert not compact(number).startswith("1,000")
    assert len(compact(number)) <= len("1.23B")


@given(st.integers(-(10**30), 10**30))
def test_an_exact_number_is_all_its_digits(number: int) -> None:
    assert number == int(exact(number).replace(",", ""))


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0, "0%"),
        (0.0001, "<0.1%"),
        (0.1234, "12.3%"),
        (0.5, "50%"),
        (0.9994, "99.9%"),
        (0.99999, ">99.9%"),
        (1, "100%"),
    ],
)
def test_a_percentage_has_one_decimal_and_no_false_nothing_or_all(share: float, expected: str) -> None:
    assert expected == percent(share)


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_part_is_neither_nothing_nor_all(share: float) -> None:
    assert percent(share) not in {"0%", "100%"}


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (0.5, "+50%"),
        (-0.25, "−25%"),
        (0.004, "0%"),
        (12.0, "+1,200%"),
        (100.0, "+10K%"),
        (None, "new"),
        (-1.0, "−100%"),
    ],
)
def test_growth_has_a_sign(ratio: float | None, expected: str) -> None:
    assert expected == growth(ratio)


@pytest.mark.parametrize(
    ("rank", "previous", "shown", "way"),
    [(1, 3, "▲ 2", "up"), (4, 3, "▼ 1", "down"), (2, 2, "–", "same"), (7, None, "new", "new")],
)
def test_a_change_says_how_many_places_and_which_way(rank: int, previous: int | None, shown: str, way: str) -> None:
    assert (shown, way) == (change(rank, previous), direction(rank, previous))


def test_one_of_a_thing_is_no_plural() -> None:
    assert ["0 requests", "1 request", "2 requests", "1.2K requests"] == [
        counted(number, "request") for number in (0, 1, 2, 1_200)
    ]
