"""The dates of a question: strict calendar days in UTC, and the window they resolve to.

Pure: the caller says which day it is and where the dataset begins.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from tokenboard.query.errors import ParameterError, quoted

DEFAULT_DAYS = 30
MAX_DAYS = 366

_STRICT_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Window:
    """Whole UTC days from ``start`` to ``end``, both inclusive; ``start`` is never after ``end``."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError(f"a window cannot start ({self.start}) after its end ({self.end})")

    @property
    def days(self) -> int:
        """The number of days, at least 1."""
        return (self.end - self.start).days + 1

    def previous(self, n: int = 1) -> "Window":
        """The window of equal length that lies ``n`` lengths earlier; 1 is the one immediately before."""
        back = timedelta(days=n * self.days)
        return Window(self.start - back, self.end - back)


def resolve_window(start: str | None, end: str | None, *, floor: date, today: date) -> Window:
    """The window that ``start_date`` and ``end_date`` ask for; None is a parameter not given.

    ``end`` defaults to the last completed day, ``today`` − 1; an end in the future is moved to ``today``. ``start``
    defaults to the 30 days that end at ``end``; one before ``floor``, the dataset's first day, is moved to it.

    Raises ParameterError for anything that is not a real day written YYYY-MM-DD, for an end before the floor, a start
    after the end, and more than 366 days, counted after both were moved.
    """
    first_asked = None if start is None else _parse_day("start_date", start)
    last_asked = None if end is None else _parse_day("end_date", end)
    last = _resolve_end(last_asked, floor=floor, today=today)
    if first_asked is None:
        first = date.fromordinal(max(last.toordinal() - (DEFAULT_DAYS - 1), floor.toordinal()))
    else:
        first = max(first_asked, floor)
    if first > last:
        raise ParameterError("start_date", _explain_order(first, last, asked=last_asked, today=today))
    window = Window(first, last)
    if window.days > MAX_DAYS:
        earliest = date.fromordinal(last.toordinal() - MAX_DAYS + 1)
        raise ParameterError(
            "start_date",
            f"start_date {first} to end_date {last} spans {window.days} days, both counted; at most {MAX_DAYS} are "
            f"allowed. Use start_date={earliest} or later, or an earlier end_date.",
        )
    return window


def _parse_day(parameter: str, value: str) -> date:
    match = _STRICT_DAY.fullmatch(value)
    if match is None:
        raise ParameterError(
            parameter, f"{parameter} {quoted(value)} is not a date; write a UTC day as YYYY-MM-DD, such as 2026-05-11."
        )
    year, month, day = (int(part) for part in match.groups())
    try:
        return date(year, month, day)
    except ValueError:
        raise ParameterError(
            parameter, f"{parameter} {quoted(value)} is not a day of the calendar; use a real day as YYYY-MM-DD."
        ) from None


def _resolve_end(asked: date | None, *, floor: date, today: date) -> date:
    if asked is None:
        last = date.fromordinal(max(today.toordinal() - 1, 1))
        if last < floor:
            raise ParameterError(
                "end_date",
                f"end_date defaults to the last completed UTC day, {last}, but the dataset begins at {floor}; "
                f"give end_date={floor} or later, once that day has come.",
            )
        return last
    if asked < floor:
        raise ParameterError(
            "end_date", f"end_date {asked} is before the dataset's beginning; use end_date={floor} or later."
        )
    last = min(asked, today)
    if last < floor:
        raise ParameterError(
            "end_date",
            f"end_date {asked} is in the future and the dataset begins only at {floor}; ask again from that day on.",
        )
    return last


def _explain_order(first: date, last: date, *, asked: date | None, today: date) -> str:
    if first > today:
        return f"start_date {first} is in the future; use start_date={last} or earlier. Today is {today} in UTC."
    if asked is None:
        return (
            f"start_date {first} is after end_date, which defaults to yesterday, the last completed UTC day ({last}); "
            f"add end_date={today} to include today, or use start_date={last} or earlier."
        )
    return f"start_date {first} is after end_date {last}; use start_date={last} or earlier, or a later end_date."
