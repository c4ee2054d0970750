"""The days of a chart: single ones, or seven at a time when there are many; how they are called, which are labelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

from tokenboard.web.charts.drawing import Size

DAILY_UP_TO: Final = 120
"""Most days that are shown one by one."""

WEEK: Final = 7
_STEPS: Final = (1, 2, 7, 14, 28)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Bins:
    """UTC days, ascending and without a gap, and the bins they are put into.

    Bins of seven days end with the last day, so that the newest bar is a whole one; the first may be of fewer days.
    """

    days: tuple[date, ...]
    edges: tuple[tuple[int, int], ...]

    @property
    def weekly(self) -> bool:
        """Whether bins are of seven days."""
        return len(self.edges) < len(self.days)

    def sums(self, values: Sequence[int]) -> tuple[int, ...]:
        """Return the exact sum of each bin; raises ValueError unless there is one value for each day."""
        if len(values) != len(self.days):
            raise ValueError(f"{len(values)} values for {len(self.days)} days")
        return tuple(sum(values[start:end]) for start, end in self.edges)

    def name(self, bin_number: int) -> str:
        """Return what a bin is called: ``8 Nov``, or ``2–8 Nov``."""
        start, end = self.edges[bin_number]
        return between(self.days[start], self.days[end - 1])

    def whole(self) -> str:
        """Return from when to when, with the year."""
        return window_name(self.days[0], self.days[-1]) if self.days else "no days"

    def note(self) -> str:
        """Return the sentence that says how days are put together, empty when they are not."""
        if not self.weekly:
            return ""
        first = self.edges[0][1] - self.edges[0][0]
        less = "" if first == WEEK else f"; the first sums {first} {'day' if first == 1 else 'days'}"
        return f"Each bar sums {WEEK} days{less}."

    def ticks(self, size: Size) -> dict[int, str]:
        """Return the bins that are labelled, and their labels: never more than the size has room for."""
        if len(self.days) > DAILY_UP_TO:
            return self._months(size)
        most = next(step for step in _STEPS if len(self.edges) <= step * size.across)
        last = len(self.edges) - 1
        return {index: day_name(self.days[index]) for index in range(last % most, last + 1, most)}

    def _months(self, size: Size) -> dict[int, str]:
        firsts = [
            (index, day)
            for index, (start, end) in enumerate(self.edges)
            for day in self.days[start:end]
            if day.day == 1
        ]
        step = next((step for step in (1, 2, 3, 6) if len(firsts) <= step * size.across), 12)
        kept = [(index, day) for index, day in firsts if (day.month - 1) % step == 0]
        return {
            index: f"{_MONTHS[day.month - 1]} {day.year}" if position == 0 or day.month == 1 else _MONTHS[day.month - 1]
            for position, (index, day) in enumerate(kept)
        }


def bins_of(days: Sequence[date], *, weekly_beyond: int = DAILY_UP_TO) -> Bins:
    """Return the bins of days; more than ``weekly_beyond`` are put together by seven. 366 days at most are drawn."""
    count = len(days)
    if count <= weekly_beyond:
        return Bins(tuple(days), tuple((index, index + 1) for index in range(count)))
    first = count % WEEK or WEEK
    edges = [0, *range(first, count + 1, WEEK)]
    return Bins(tuple(days), tuple(pairwise(edges)))


def day_name(day: date) -> str:
    """Return ``8 Nov``."""
    return f"{day.day} {_MONTHS[day.month - 1]}"


def between(first: date, last: date) -> str:
    """Return ``8 Nov`` for one day, ``2–8 Nov``, ``26 Oct – 1 Nov``."""
    if first == last:
        return day_name(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day_name(last)}"
    return f"{day_name(first)} – {day_name(last)}"


def window_name(first: date, last: date) -> str:
    """Return a window's days with the year: ``2–8 Nov 2026``, ``26 Dec 2026 – 1 Jan 2027``."""
    if first.year == last.year:
        return f"{between(first, last)} {last.year}"
    return f"{day_name(first)} {first.year} – {day_name(last)} {last.year}"
