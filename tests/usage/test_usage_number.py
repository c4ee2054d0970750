"""Which JSON values are a number of tokens or an amount of money."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenboard.usage import MAX_TOKENS, token_count, usd
from tokenboard.usage.number import exact_number


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0),
        (MAX_TOKENS, MAX_TOKENS),
        (MAX_TOKENS + 1, None),
        (-1, None),
        (True, None),
        (False, None),
        (None, None),
        (12.0, 12),
        (12.5, None),
        (-0.0, 0),
        (float("nan"), None),
        (float("inf"), None),
        (1e300, None),
        (Decimal("12.00"), 12),
        (Decimal("1e999999"), None),
        (Decimal("sNaN"), None),
        ("12", 12),
        (" 12 ", 12),
        ("-1", None),
        ("1.0", None),
        ("", None),
        ("١٢", None),
        ("9" * 5000, None),
        ("9" * 14, None),
        ([1], None),
        ({}, None),
    ],
)
def test_a_count_is_a_whole_number_within_bounds(value: object, count: int | None) -> None:
    assert count == token_count(value)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (0, "0"),
        (3, "3"),
        (0.1, "0.1"),
        (1e-7, "1E-7"),
        ("0.10", "0.10"),
        (Decimal("0.123456789012345678901"), "0.123456789012345678901"),
        (-0.0, "0"),
        (Decimal("0E+999999"), "0"),
        ("0." + "1234567890" * 4, "0." + "1234567890" * 4),
    ],
)
def test_an_amount_is_exact(value: object, amount: str) -> None:
    assert amount == str(usd(value))


@pytest.mark.parametrize(
    "value", [True, None, -1, "-0.1", 10**10, 1e300, float("nan"), "x", "1_0", [], Decimal("sNaN"), "1e-999999"]
)
def test_what_is_no_amount_of_money_is_not_given(value: object) -> None:
    assert None is usd(value)


JSON_VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals() | st.lists(st.integers())
)


@given(value=JSON_VALUES)
def test_any_value_gives_a_number_within_bounds_or_none(value: object) -> None:
    count, amount = token_count(value), usd(value)
    assert count is None or (type(count) is int and 0 <= count <= MAX_TOKENS)
    assert amount is None or 0 <= amount <= 10**9


@given(literal=st.text(max_size=80) | st.from_regex(r"-?[0-9]{1,40}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,30})?"))
def test_an_exact_number_never_raises(literal: str) -> None:
    exact_number(literal)
