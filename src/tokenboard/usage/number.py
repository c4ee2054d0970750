"""Numbers as servers write them: token counts and money out of decoded JSON, or None where there is none to believe."""

import math
from decimal import Decimal, InvalidOperation

MAX_TOKENS = 10**12
"""No response takes more tokens than this; a larger number is a mistake and treated as not given."""

MAX_USD = Decimal(10**9)
"""No response costs more than this; a larger number is treated as not given."""

_MAX_DIGITS = 64

# Smaller amounts are noise, and a few bytes of exponent would spell out to a megabyte of zeros.
_MIN_EXPONENT = -40


def token_count(value: object) -> int | None:
    """Return a count between 0 and `MAX_TOKENS` out of a JSON value, or None.

    Whole numbers are taken as int, float, Decimal or a string of digits. Booleans, fractions, negative and absurd
    numbers, and everything else are None: such a field counts as not given.
    """
    if type(value) is int or value is None:  # by far the most frequent
        return value if value is not None and 0 <= value <= MAX_TOKENS else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        count = value
    elif isinstance(value, str):
        digits = value.strip()
        if not (0 < len(digits) <= _MAX_DIGITS and digits.isascii() and digits.isdigit()):
            return None
        count = int(digits)
    elif isinstance(value, float | Decimal):
        # Bounds before int(): it would spell out an exponent of thousands of digits.
        if not _is_finite(value) or not 0 <= value <= MAX_TOKENS or value != int(value):
            return None
        count = int(value)
    else:
        return None
    return count if 0 <= count <= MAX_TOKENS else None


def usd(value: object) -> Decimal | None:
    """Return an amount of US dollars between 0 and `MAX_USD` out of a JSON value, or None.

    An int, a Decimal or a decimal string is taken exactly; a float by its shortest spelling.
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        amount: Decimal | None = Decimal(value) if 0 <= value <= MAX_USD else None
    elif isinstance(value, float):
        amount = exact_number(repr(value))
    elif isinstance(value, str):
        amount = exact_number(value)
    else:
        amount = value if isinstance(value, Decimal) else None
    if amount is None or not amount.is_finite() or not 0 <= amount <= MAX_USD:
        return None
    if amount == 0:
        return Decimal(0)  # whatever its sign and exponent
    return amount if amount.adjusted() >= _MIN_EXPONENT else None


def exact_number(literal: str) -> Decimal | None:
    """Return the number a literal of at most 64 characters spells, without rounding, or None. Never raises."""
    # Decimal takes the digits of every script, and underscores between them.
    if len(literal) > _MAX_DIGITS or "_" in literal or not literal.isascii():
        return None
    try:
        return Decimal(literal)
    except InvalidOperation:
        return None


def _is_finite(value: float | Decimal) -> bool:
    return value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)
