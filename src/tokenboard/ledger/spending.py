"""What a key has cost."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Spending:
    """Cost of one key's uses in USD: of all, and of the current UTC month, week (from Monday) and day."""

    total: Decimal
    month: Decimal
    week: Decimal
    day: Decimal
