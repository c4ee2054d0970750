"""The cube: for each metric the figures of every app and UTC day, and running sums of them, as exact integers.

A checkpoint holds, by app id, the sums of the first so many days; app 0 is unattributed traffic. The figures of a
window are the checkpoint nearest to its end less the one nearest to its beginning, and the few days in between. With a
checkpoint at the end of every day there are none in between: the dense form. With one every ``step`` days memory is
that much smaller. Pure arithmetic: the cube knows neither aliases nor visibility, neither clock nor lock.
"""

from collections.abc import Collection, Sequence
from datetime import date
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenboard.rankings.days import (
    EMPTY_DAY,
    INT64_MAX,
    Day,
    bytes_of,
    difference,
    exact_sum,
    split_days,
)
from tokenboard.rankings.metric import METRICS, RANK_COLUMNS, Metric
from tokenboard.rankings.sources import DayRows

DETAIL_STEP = 32
"""Days between two checkpoints, at least, of the metrics that no ranking goes by."""

MAX_STEP = 64
"""Days between two checkpoints at most: a window then costs the days of a month at either end."""

# A board computes 3 x a window's sum, and sums over all apps: sums stay int64 while three times all they hold fits.
_HEADROOM = 3
_UNIX_EPOCH = date(1970, 1, 1).toordinal()
# Writing single places costs a cache line per figure, eight times what a whole checkpoint costs.
_SPARSE_SHARE = 8


class Replacement(NamedTuple):
    """New figures of some days, and their differences from the old ones, for a cube of one version."""

    version: int
    days: dict[int, Day]
    known: int
    width: int
    differences: dict[Metric, dict[int, tuple[NDArray[np.uint32], NDArray[Any]]]]


class _Span(NamedTuple):
    """How a window's sums are put together: ``high`` - ``low`` + the days ``added`` - the days ``removed``."""

    high: NDArray[Any] | None
    low: NDArray[Any] | None
    added: tuple[range, ...]
    removed: tuple[range, ...]


class Cube:
    """Figures and running sums per app and day from ``floor``, the dataset's first day, on; earlier days are zero.

    ``step``, a power of two, is the number of days between two checkpoints; 1 is the dense form. A metric's sums are
    int64 until they could overflow in any sum a board makes; then they become object arrays of Python ints, slower and
    as exact. Not thread-safe, except that one writer's ``prepare`` may run beside readers.
    """

    def __init__(self, floor: date, step: int = 1) -> None:
        if not 1 <= step <= MAX_STEP or step & (step - 1):
            raise ValueError(f"a step is a power of two from 1 to {MAX_STEP}, not {step}")
        self._floor = floor.toordinal()
        self._version = 0
        self._width = 1
        self._days: list[Day] = []
        self._step = step
        self._steps = {metric: step if metric in RANK_COLUMNS else max(step, DETAIL_STEP) for metric in METRICS}
        # Checkpoint c holds the sums of the first c x step days; ids past its end have none.
        self._checkpoints: dict[Metric, list[NDArray[Any]]] = {metric: [np.zeros(0, np.int64)] for metric in METRICS}
        self._exact: dict[Metric, bool] = dict.fromkeys(METRICS, False)
        self._totals: dict[Metric, int] = dict.fromkeys(METRICS, 0)

    @property
    def floor(self) -> date:
        """The dataset's first day."""
        return date.fromordinal(self._floor)

    @property
    def width(self) -> int:
        """The highest app id seen, plus 1."""
        return self._width

    @property
    def days(self) -> int:
        """How many days from the floor on are kept; later ones have no figures."""
        return len(self._days)

    @property
    def step(self) -> int:
        """Days between two checkpoints of the metrics that rankings go by."""
        return self._step

    @property
    def nbytes(self) -> int:
        """Bytes of memory that figures and checkpoints take."""
        checkpoints = sum(map(bytes_of, chain.from_iterable(self._checkpoints.values())))
        return checkpoints + sum(day.nbytes for day in self._days)

    def replace_days(self, rows: DayRows, days: Collection[date]) -> bool:
        """Set each of ``days`` to exactly ``rows``: ``prepare`` and ``apply`` in one."""
        return self.apply(self.prepare(rows, days))

    def prepare(self, rows: DayRows, days: Collection[date]) -> Replacement:
        """What setting each of ``days`` to exactly ``rows`` takes: a day without rows becomes zero.

        Makes room, or turns exact, as far as needed, but changes no figure: one writer may prepare while others read.
        Days before the floor are left out. Raises ValueError for columns of unequal length, an app id below 0 or from
        2**32 on, a negative figure, more prompt tokens than tokens, and rows of other days.
        """
        wanted = {day.toordinal() - self._floor for day in days if day.toordinal() >= self._floor}
        found = split_days(rows, self._floor - _UNIX_EPOCH, wanted)
        changed = {index: day for index, day in sorted(found.items()) if not day.same_as(self._day(index))}
        known = max([len(self._days), *(index + 1 for index, day in changed.items() if day.app_ids.size)])
        width = max([self._width, *(day.width for day in changed.values())])
        differences: dict[Metric, dict[int, tuple[NDArray[np.uint32], NDArray[Any]]]] = {}
        for metric in METRICS:
            could_hold = self._totals[metric] + sum(exact_sum(day.columns[metric]) for day in changed.values())
            if _HEADROOM * could_hold > INT64_MAX and not self._exact[metric]:
                self._turn_exact(metric)
            moved = {
                index: difference(day, self._day(index), metric, exact=self._exact[metric])
                for index, day in changed.items()
            }
            differences[metric] = {index: each for index, each in moved.items() if each[0].size}
            self._make_room(metric, differences[metric])
        return Replacement(self._version, changed, known, width, differences)

    def apply(self, replacement: Replacement) -> bool:
        """Put a prepared replacement in force; whether any figure changed.

        Takes time in proportion to the apps that changed x the checkpoints from the earliest change on. Raises
        ValueError, before anything is changed, when another replacement was applied since this one was prepared.
        """
        if replacement.version != self._version:
            raise ValueError("the cube has changed since this replacement was prepared")
        self._version += 1
        self._days.extend([EMPTY_DAY] * (replacement.known - len(self._days)))
        for index, day in replacement.days.items():
            self._days[index] = day
        self._width = replacement.width
        for metric in METRICS:
            self._carry(metric, replacement.differences[metric])
            self._extend(metric)
        return bool(replacement.days)

    def thin(self) -> bool:
        """Leave out every other checkpoint, to save memory; False when no more can be saved. Takes no time."""
        if self._step >= MAX_STEP:
            return False
        self._step *= 2
        for metric in METRICS:
            if self._steps[metric] < self._step:
                self._steps[metric] *= 2
                self._checkpoints[metric] = self._checkpoints[metric][::2]
        return True

    def window_sums(self, metric: Metric, start: date, end: date, width: int | None = None) -> NDArray[Any]:
        """Each app's sum over the days ``start`` to ``end``, both inclusive: a new array, indexed by app id.

        Its length is ``width``, at least the cube's, which is the default. Raises ValueError when start is after end.
        """
        return self._sums(metric, *self._within(start, end), width)

    def three_before(self, metric: Metric, start: date, end: date, width: int | None = None) -> NDArray[Any]:
        """Each app's sum over the three windows of equal length immediately before ``start`` to ``end``.

        Shape and errors as in ``window_sums``.
        """
        first, beyond = self._within(start, end)
        return self._sums(metric, first - 3 * (beyond - first), first, width)

    def sums_of(self, metric: Metric, app_ids: NDArray[np.int64], start: date, end: date) -> NDArray[Any]:
        """The sums of these apps alone over the days ``start`` to ``end``, in their order. Errors as above."""
        span = self._span(metric, *self._within(start, end))
        sums: NDArray[Any] = np.zeros(app_ids.size, self._dtype(metric))
        for checkpoint, add in ((span.high, np.add), (span.low, np.subtract)):
            if checkpoint is not None:
                inside = np.flatnonzero(app_ids < checkpoint.size)
                sums[inside] = add(sums[inside], checkpoint[app_ids[inside]])
        narrow = app_ids.astype(np.uint32)
        for indices, add in ((chain(*span.added), np.add), (chain(*span.removed), np.subtract)):
            for index in indices:
                day = self._days[index]
                asked, places = day.places(narrow)
                if asked.size:
                    sums[asked] = add(sums[asked], day.columns[metric][places])
        return sums

    def series(
        self, metrics: Sequence[Metric], app_ids: NDArray[np.int64], start: date, end: date
    ) -> list[NDArray[Any]]:
        """For each metric these apps' figures: a row for each day from ``start`` to ``end``, a column for each app."""
        first, beyond = self._within(start, end)
        found: list[NDArray[Any]] = [
            np.zeros((beyond - first, app_ids.size), self._dtype(metric)) for metric in metrics
        ]
        narrow = app_ids.astype(np.uint32)
        for index in range(max(first, 0), min(beyond, len(self._days))):
            day = self._days[index]
            asked, places = day.places(narrow)
            for metric, figures in zip(metrics, found, strict=True):
                figures[index - first, asked] = day.columns[metric][places]
        return found

    def window_days(self, start: date, end: date) -> list[Day]:
        """The figures of each day from ``start`` to ``end``; they never change, so they may be kept."""
        first, beyond = self._within(start, end)
        return [self._day(index) if index >= 0 else EMPTY_DAY for index in range(first, beyond)]

    def last_days(self, app_ids: NDArray[np.int64]) -> list[date | None]:
        """The last day with usage of each of these apps, None where there is none."""
        last: list[date | None] = [None] * app_ids.size
        narrow = app_ids.astype(np.uint32)
        left = np.arange(app_ids.size)
        for index in range(len(self._days) - 1, -1, -1):
            if not left.size:
                break
            asked, _ = self._days[index].places(narrow[left])
            for place in left[asked].tolist():
                last[place] = date.fromordinal(self._floor + index)
            left = np.delete(left, asked)
        return last

    def _day(self, index: int) -> Day:
        return self._days[index] if index < len(self._days) else EMPTY_DAY

    def _within(self, start: date, end: date) -> tuple[int, int]:
        if start > end:
            raise ValueError(f"a window cannot start ({start}) after its end ({end})")
        return start.toordinal() - self._floor, end.toordinal() + 1 - self._floor

    def _dtype(self, metric: Metric) -> type:
        return object if self._exact[metric] else np.int64

    def _sums(self, metric: Metric, first: int, beyond: int, width: int | None) -> NDArray[Any]:
        # The span comes before the type: an array turned exact between the two then finds a place that holds it.
        span = self._span(metric, first, beyond)
        sums: NDArray[Any] = np.zeros(max(self._width, width or 0), self._dtype(metric))
        if span.high is not None:
            size = min(span.high.size, sums.size)
            sums[:size] = span.high[:size]
        if span.low is not None:
            size = min(span.low.size, sums.size)
            sums[:size] -= span.low[:size]
        for index in chain(*span.added):
            day = self._days[index]
            sums[day.app_ids] += day.columns[metric]
        for index in chain(*span.removed):
            day = self._days[index]
            sums[day.app_ids] -= day.columns[metric]
        return sums

    def _span(self, metric: Metric, first: int, beyond: int) -> _Span:
        low, high = (min(max(index, 0), len(self._days)) for index in (first, beyond))
        checkpoints, step = self._checkpoints[metric], self._steps[metric]
        below, above = (min((index + step // 2) // step, len(checkpoints) - 1) for index in (low, high))
        if high - low <= abs(low - below * step) + abs(high - above * step):
            return _Span(None, None, (range(low, high),), ())
        return _Span(
            checkpoints[above],
            checkpoints[below],
            (range(above * step, high), range(low, below * step)),
            (range(high, above * step), range(below * step, low)),
        )

    def _turn_exact(self, metric: Metric) -> None:
        # In this order: see _sums.
        self._exact[metric] = True
        checkpoints = self._checkpoints[metric]
        for place, checkpoint in enumerate(checkpoints):
            checkpoints[place] = checkpoint.astype(object)

    def _make_room(self, metric: Metric, differences: dict[int, tuple[NDArray[np.uint32], NDArray[Any]]]) -> None:
        checkpoints, step = self._checkpoints[metric], self._steps[metric]
        width, place = 0, 0
        for index, (app_ids, _) in differences.items():
            for settled in range(place, min(index // step + 1, len(checkpoints))):
                self._widen(checkpoints, settled, width)
            place = max(place, index // step + 1)
            width = max(width, int(app_ids[-1]) + 1)
        for settled in range(place, len(checkpoints)):
            self._widen(checkpoints, settled, width)

    def _widen(self, checkpoints: list[NDArray[Any]], place: int, width: int) -> None:
        checkpoint = checkpoints[place]
        if checkpoint.size < width:
            # New apps come one by one.
            wider = np.zeros(width + width // 16, checkpoint.dtype)
            wider[: checkpoint.size] = checkpoint
            checkpoints[place] = wider

    def _carry(self, metric: Metric, differences: dict[int, tuple[NDArray[np.uint32], NDArray[Any]]]) -> None:
        """Add the differences to the checkpoints after their days."""
        if not differences:
            return
        self._totals[metric] += sum(exact_sum(change) for _, change in differences.values())
        checkpoints, step = self._checkpoints[metric], self._steps[metric]
        if min(differences) // step + 1 >= len(checkpoints):
            return
        moved = np.unique(np.concatenate([app_ids for app_ids, _ in differences.values()]))
        whole = moved.size * _SPARSE_SHARE > self._width
        carried: NDArray[Any] = np.zeros(int(moved[-1]) + 1 if whole else moved.size, self._dtype(metric))
        waiting = sorted(differences)
        for place in range(waiting[0] // step + 1, len(checkpoints)):
            while waiting and waiting[0] < place * step:
                app_ids, change = differences[waiting.pop(0)]
                carried[app_ids if whole else np.searchsorted(moved, app_ids)] += change
            checkpoint = checkpoints[place]
            if whole:
                size = min(carried.size, checkpoint.size)
                checkpoint[:size] += carried[:size]
            else:
                here = moved[: np.searchsorted(moved, checkpoint.size)]
                checkpoint[here] += carried[: here.size]

    def _extend(self, metric: Metric) -> None:
        """Set the checkpoints that the days known call for."""
        checkpoints, step = self._checkpoints[metric], self._steps[metric]
        for place in range(len(checkpoints), len(self._days) // step + 1):
            days = self._days[(place - 1) * step : place * step]
            width = max([checkpoints[-1].size, *(day.width for day in days)])
            checkpoint: NDArray[Any] = np.zeros(width, self._dtype(metric))
            checkpoint[: checkpoints[-1].size] = checkpoints[-1]
            for day in days:
                checkpoint[day.app_ids] += day.columns[metric]
            checkpoints.append(checkpoint)
