"""Figures as people read them: short ones for pages, axes, badges and share images, exact ones beside them.

Everything is computed in integers where integers are given: no figure passes through a float, whatever its size.
"""

from typing import Final

UNITS: Final = ("", "K", "M", "B", "T", "Q")
"""Thousands, millions, billions (10⁹), trillions (10¹²), quadrillions (10¹⁵); the last is not left, however large."""


def compact(number: int) -> str:
    """Return ``number`` with three significant digits and a unit: ``1.23B``; exact below 1,000.

    Halves are rounded away from zero and zeros at the end left out: ``1.5M``. What would round to 1000 of a unit is
    1 of the next. Beyond the last unit whole quadrillions are counted: ``1,235Q``.
    """
    if number < 0:
        return f"-{compact(-number)}"
    if number < 1000:
        return str(number)
    unit = min((len(str(number)) - 1) // 3, len(UNITS) - 1)
    thousandths = _thousandths(number, unit)
    if thousandths >= 1_000_000 and unit < len(UNITS) - 1:
        unit += 1
        thousandths = 1_000
    whole, rest = divmod(thousandths, 1000)
    fraction = f"{rest:03d}".rstrip("0")
    return f"{whole:,}{'.' if fraction else ''}{fraction}{UNITS[unit]}"


def _thousandths(number: int, unit: int) -> int:
    """Return thousandths of the unit, rounded to three significant digits of the figure, or to whole units above."""
    one: int = 1000**unit
    step: int = one // 10 ** max(3 - len(str(number // one)), 0)
    return (2 * number + step) // (2 * step) * step * 1000 // one


def exact(number: int) -> str:
    """Return ``number`` in full, thousands set apart: ``1,234,567,890``."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """Return a short figure with what it counts: ``1 request``, ``1.2K requests``."""
    return f"{compact(number)} {noun}{'s' if number != 1 else ''}"


def top_of(number: int, noun: str) -> str:
    """Return how the first of a list and all others are called: ``the top 9 apps and all others``."""
    return f"the top {f'{number} {noun}s' if number != 1 else noun} and all others"


def percent(share: float) -> str:
    """Return a part of one as a percentage with one decimal: ``12.3%``.

    Something is never shown as nothing, nor less than all as all: ``<0.1%``, ``>99.9%``.
    """
    if 0 < share < 0.0005:
        return "<0.1%"
    if 0.9995 <= share < 1:
        return ">99.9%"
    return f"{_tenths(share * 100)}%"


def growth(ratio: float | None) -> str:
    """Return how much something grew, 0.5 for half as much again, as ``+50%``; ``new`` for None, nothing before."""
    if ratio is None:
        return "new"
    whole = round(ratio * 100)
    if whole >= 1000:
        return f"+{compact(whole)}%" if whole >= 10_000 else f"+{whole:,}%"
    if whole == 0:
        return "0%"
    return f"+{whole}%" if whole > 0 else f"−{-whole}%"


def change(rank: int, previous: int | None) -> str:
    """Return how a place changed: ``▲ 2`` for two places up, ``▼ 1``, ``–`` for none, ``new`` when unlisted before."""
    if previous is None:
        return "new"
    if previous == rank:
        return "–"
    return f"▲ {previous - rank}" if rank < previous else f"▼ {rank - previous}"


def direction(rank: int, previous: int | None) -> str:
    """Return ``up``, ``down``, ``same`` or ``new``: how `change` went."""
    if previous is None:
        return "new"
    if previous == rank:
        return "same"
    return "up" if rank < previous else "down"


def _tenths(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
