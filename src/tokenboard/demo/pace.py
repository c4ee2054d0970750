"""How usage goes up and down: over the year, over the week, over the day."""

import math
from collections.abc import Callable
from dataclasses import dataclass

Curve = Callable[[float], float]
"""A factor for every moment of the year, which runs from 0.0 to 1.0; 1.0 is usage as usual."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Factors for the days of the week, Monday first, and weights of the 24 hours (UTC) of a day."""

    week: tuple[float, ...]
    hours: tuple[float, ...]


def _hours(*peaks: tuple[float, float, float], floor: float) -> tuple[float, ...]:
    """Return 24 weights: a floor, and bells of (hour, width in hours, height) around the clock."""
    return tuple(
        floor + sum(height * math.exp(-((_apart(hour, at) / width) ** 2)) for at, width, height in peaks)
        for hour in range(24)
    )


def _apart(one: float, other: float) -> float:
    return min(abs(one - other), 24 - abs(one - other))


OFFICE = Rhythm((1.0, 1.08, 1.1, 1.06, 0.92, 0.34, 0.3), _hours((9.5, 2.5, 1.0), (14.5, 3.0, 1.1), floor=0.06))
"""Work: mornings and afternoons, quiet at the weekend."""

MAKERS = Rhythm(
    (1.0, 1.04, 1.05, 1.0, 0.95, 0.72, 0.75), _hours((10.0, 3.0, 0.8), (15.5, 3.5, 1.0), (21.0, 2.0, 0.5), floor=0.15)
)
"""Work and hobby: a second wind in the evening."""

LEISURE = Rhythm((0.86, 0.86, 0.9, 0.94, 1.1, 1.34, 1.3), _hours((20.5, 3.0, 1.0), (13.0, 2.5, 0.35), floor=0.12))
"""Evenings and weekends."""

CLOCKWORK = Rhythm((1.0, 1.0, 1.0, 1.0, 1.0, 0.97, 0.97), _hours((2.5, 1.5, 0.9), floor=0.35))
"""Machines: around the clock, with a batch at night."""


def steady(_: float) -> float:
    """Return usage as usual all year."""
    return 1.0


def rising(moment: float) -> float:
    """Return growth from 0.35 to 1.75 times, at a constant rate."""
    return 0.35 * math.exp(math.log(5.0) * moment)


def fading(moment: float) -> float:
    """Return a decline from 1.9 times to a tenth of the usual."""
    return 0.1 + 1.8 / (1 + math.exp(9 * (moment - 0.45)))


def viral(moment: float) -> float:
    """Return a small app's year: found by everybody within days at two thirds of it, then left again by most."""
    if moment < VIRAL_AT:
        return 0.06 + 0.05 * moment
    since = (moment - VIRAL_AT) * 365
    return 0.1 + 4.2 * (1 - math.exp(-since / 3)) * (0.3 + 0.7 * math.exp(-since / 25))


def school(moment: float) -> float:
    """Return terms and holidays: two long breaks."""
    return 0.25 + 0.75 * (math.sin(math.pi * (2 * moment + 0.1)) ** 2)


def ramp(since: float, length: float = 0.08) -> float:
    """Return how far a launch ``since`` ago (in years; negative: not yet) has come, from 0.0 to 1.0."""
    if since < 0:
        return 0.0
    return 1 - 0.8 * math.exp(-since / length * 2)


VIRAL_AT = 0.66
"""The moment at which the viral app is found."""
