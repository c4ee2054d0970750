"""Charts of every kind, with figures and names that are hard to draw."""

from collections.abc import Iterator
from datetime import date, timedelta

from tests.web.names import HOSTILE
from tokenboard.web.charts import (
    Drawing,
    Series,
    Share,
    Size,
    hours,
    lines,
    parts_by_day,
    ranks,
    shares,
    single,
    stacked_days,
)

LAST = date(2026, 11, 20)
PLAIN = tuple(f"Application {number}" for number in range(10))


def days(count: int) -> tuple[date, ...]:
    return tuple(LAST - timedelta(days=count - 1 - index) for index in range(count))


def values(count: int, seed: int = 1) -> tuple[int, ...]:
    """Different figures, none of them zero, the same for every run."""
    return tuple(10**9 + (index * 7919 + seed * 104_729) % 10**9 * (seed % 5 + 1) for index in range(count))


def ten(count: int, names: tuple[str, ...] = PLAIN) -> list[Series]:
    return [Series(name, slot, values(count, slot + 1)) for slot, name in zip([*range(1, 10), 0], names, strict=True)]


def every_chart(size: Size) -> Iterator[Drawing]:
    for count in (1, 7, 30, 120, 121, 366):
        yield stacked_days(days(count), ten(count, HOSTILE), size, title="Top apps")
    yield stacked_days(days(30), [Series("nothing", 1, (0,) * 30)], size, title="Nothing")
    yield stacked_days((), [], size, title="No day at all")
    yield parts_by_day(days(30), values(30), values(30, 2), size, title="Tokens")
    yield single(days(30), values(30), size, title="Requests", unit="requests")
    yield single(days(366), (0,) * 366, size, title="No request", unit="requests")
    yield lines(days(30), ten(30, HOSTILE), size, title="Lines", filled=True)
    yield lines(days(366), ten(366)[:2], size, title="Lines")
    yield ranks(days(30), (None, 3, 2, None, *[1] * 20, 12, 13, None, 99, None, 100), size, title="Rank")
    yield ranks(days(366), tuple(1 + index % 17 for index in range(366)), size, title="Rank")
    yield ranks(days(7), (None,) * 7, size, title="No rank")
    yield hours([(day, hour, day * hour * 10**9) for day in range(1, 8) for hour in range(24)], size, title="Hours")
    yield hours([], size, title="No hours")
    yield shares([Share(name, 10**12, 0.1) for name in HOSTILE], size, title="Shares")
    yield shares([], size, title="No shares")
