"""The cube: for each metric the running sum of every app at the end of every UTC day, as exact integers.

Row k holds the sums of the first k days of the dataset, column a those of app a; column 0 is unattributed traffic. The
figures of any window are then one row less another, whatever the window's length. Pure arithmetic: the cube knows
neither aliases nor visibility, neither clock nor lock.
"""

from collections.abc import Collection
from datetime import date
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenboard.rankings.sources import DayRows

Metric = Literal["tokens", "requests"]
METRICS: tuple[Metric, ...] = ("tokens", "requests")

INT64_MAX = 2**63 - 1

# A board computes 3 x a window's sum, and sums over all apps: an array stays int64 while three times all it holds fits.
_HEADROOM = 3
_UNIX_EPOCH = date(1970, 1, 1).toordinal()
_INTEGER_OBJECT_BYTES = 36
# Writing single columns costs a cache line per figure, eight times what whole rows cost.
_SPARSE_SHARE = 8


class _Figures(NamedTuple):
    """Rows inside the dataset: ``day`` counts from the floor."""

    day: NDArray[np.int64]
    app_id: NDArray[np.int64]
    metrics: dict[Metric, NDArray[Any]]


class Replacement(NamedTuple):
    """New figures of some days, as differences from the old ones, for a cube of one version; see ``Cube.prepare``."""

    version: int
    days: int
    width: int
    differences: dict[Metric, dict[int, NDArray[Any]]]


class Cube:
    """Running sums per app and day from ``floor``, the dataset's first day, on; earlier days count as zero.

    Each metric is int64 until its figures could overflow in any sum a board makes; then it becomes an object array of
    Python ints, slower and as exact. Not thread-safe, except that one writer's ``prepare`` may run beside readers.
    """

    def __init__(self, floor: date) -> None:
        self._floor = floor.toordinal()
        self._version = 0
        self._days = 0
        self._width = 1
        self._sums: dict[Metric, NDArray[Any]] = {metric: np.zeros((1, 1), np.int64) for metric in METRICS}
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
        return self._days

    @property
    def nbytes(self) -> int:
        """Bytes of memory the figures take; Python ints are counted at what one of two digits takes."""
        cells = (self._days + 1) * self._width
        cell_bytes = (8 + (_INTEGER_OBJECT_BYTES if sums.dtype == object else 0) for sums in self._sums.values())
        return cells * sum(cell_bytes)

    def replace_days(self, rows: DayRows, days: Collection[date]) -> bool:
        """Set each of ``days`` to exactly ``rows``: ``prepare`` and ``apply`` in one."""
        return self.apply(self.prepare(rows, days))

    def prepare(self, rows: DayRows, days: Collection[date]) -> Replacement:
        """What setting each of ``days`` to exactly ``rows`` takes: a day without rows becomes zero.

        Grows, or turns exact, as far as needed, but changes no figure: one writer may prepare while others read. Days
        before the floor are left out. Takes memory for ``days`` x all apps: give many days in portions. Raises
        ValueError for columns of unequal length, a negative app id or figure, and rows of other days.
        """
        wanted = sorted({day.toordinal() - self._floor for day in days if day.toordinal() >= self._floor})
        figures = self._inside(rows)
        if not np.isin(figures.day, np.array(wanted, np.int64)).all():
            raise ValueError("rows hold figures of a day that is not to be replaced")
        known = max(self._days, int(figures.day.max()) + 1 if figures.day.size else 0)
        width = max(self._width, int(figures.app_id.max()) + 1 if figures.day.size else 0)
        self._grow(figures, known, width)
        order = np.argsort(figures.day, kind="stable")
        day = figures.day[order]
        bounds = zip(np.searchsorted(day, wanted, "left"), np.searchsorted(day, wanted, "right"), strict=True)
        spans = {index: order[low:high] for index, (low, high) in zip(wanted, bounds, strict=True) if index < known}
        differences = {metric: self._differences(metric, spans, figures, width) for metric in METRICS}
        return Replacement(self._version, known, width, differences)

    def apply(self, replacement: Replacement) -> bool:
        """Put a prepared replacement in force; whether any figure changed.

        Takes time in proportion to the apps that changed x the days from the earliest change on. Raises ValueError,
        before anything is changed, when another replacement was applied since this one was prepared.
        """
        if replacement.version != self._version:
            raise ValueError("the cube has changed since this replacement was prepared")
        self._version += 1
        changed = False
        for metric in METRICS:
            changed |= self._add(metric, replacement)
        self._days, self._width = replacement.days, replacement.width
        return changed

    def window_sums(self, metric: Metric, start: date, end: date, width: int | None = None) -> NDArray[Any]:
        """Each app's sum over the days ``start`` to ``end``, both inclusive: a new array, indexed by app id.

        Its length is ``width``, at least the cube's, which is the default. Raises ValueError when start is after end.
        """
        if start > end:
            raise ValueError(f"a window cannot start ({start}) after its end ({end})")
        return self._difference(metric, start.toordinal(), end.toordinal() + 1, width)

    def three_before(self, metric: Metric, start: date, end: date, width: int | None = None) -> NDArray[Any]:
        """Each app's sum over the three windows of equal length immediately before ``start`` to ``end``.

        Shape and errors as in ``window_sums``.
        """
        if start > end:
            raise ValueError(f"a window cannot start ({start}) after its end ({end})")
        days = end.toordinal() + 1 - start.toordinal()
        return self._difference(metric, start.toordinal() - 3 * days, start.toordinal(), width)

    def _difference(self, metric: Metric, first: int, beyond: int, width: int | None) -> NDArray[Any]:
        sums = self._sums[metric]
        low, high = (min(max(day - self._floor, 0), self._days) for day in (first, beyond))
        difference = np.zeros(max(self._width, width or 0), sums.dtype)
        np.subtract(sums[high, : self._width], sums[low, : self._width], out=difference[: self._width])
        return difference

    def _inside(self, rows: DayRows) -> _Figures:
        day = rows.day.astype(np.int64) + (_UNIX_EPOCH - self._floor)
        app_id = rows.app_id.astype(np.int64)
        columns: dict[Metric, NDArray[Any]] = {"tokens": rows.tokens, "requests": rows.requests}
        if len({day.size, app_id.size, *(column.size for column in columns.values())}) != 1:
            raise ValueError("the columns of the rows differ in length")
        if (app_id < 0).any():
            raise ValueError("an app id is negative")
        for metric, column in columns.items():
            if (column < 0).any():
                raise ValueError(f"a count of {metric} is negative")
        inside = day >= 0
        if inside.all():
            return _Figures(day, app_id, columns)
        return _Figures(day[inside], app_id[inside], {metric: column[inside] for metric, column in columns.items()})

    def _grow(self, figures: _Figures, days: int, width: int) -> None:
        for metric, sums in self._sums.items():
            could_hold = self._totals[metric] + _exact_sum(figures.metrics[metric])
            exact = sums.dtype == object or _HEADROOM * could_hold > INT64_MAX
            if days < sums.shape[0] and width <= sums.shape[1] and exact == (sums.dtype == object):
                continue
            shape = tuple(
                have if need <= have else max(need, have + have // 2)
                for need, have in zip((days + 1, width), sums.shape, strict=True)
            )
            grown = np.zeros(shape, object if exact else np.int64)
            grown[: self._days + 1, : self._width] = sums[: self._days + 1, : self._width]
            self._sums[metric] = grown

    def _differences(
        self, metric: Metric, spans: dict[int, NDArray[np.intp]], figures: _Figures, width: int
    ) -> dict[int, NDArray[Any]]:
        sums = self._sums[metric]
        # Each figure fits where all of them together do.
        values = figures.metrics[metric].astype(sums.dtype)
        differences = {}
        for index, places in spans.items():
            difference = np.zeros(width, sums.dtype)
            np.add.at(difference, figures.app_id[places], values[places])
            if index < self._days:
                difference[: self._width] -= sums[index + 1, : self._width] - sums[index, : self._width]
            if difference.any():
                differences[index] = difference
        return differences

    def _add(self, metric: Metric, replacement: Replacement) -> bool:
        days, width, differences = replacement.days, replacement.width, replacement.differences[metric]
        sums = self._sums[metric][: days + 1, :width]
        sums[self._days + 1 :] = sums[self._days]
        if not differences:
            return False
        moved = np.zeros(width, np.bool_)
        for difference in differences.values():
            moved |= difference != 0
            self._totals[metric] += _exact_sum(difference)
        columns = np.flatnonzero(moved)
        first = min(differences)
        if columns.size * _SPARSE_SHARE <= width:
            steps = np.zeros((days - first, columns.size), sums.dtype)
            for index, difference in differences.items():
                steps[index - first] = difference[columns]
            sums[first + 1 :, columns] += np.cumsum(steps, axis=0, dtype=sums.dtype)
            return True
        carried = np.zeros(width, sums.dtype)
        for index in range(first, days):
            if index in differences:
                carried += differences[index]
            sums[index + 1] += carried
        return True


def _exact_sum(values: NDArray[Any]) -> int:
    """The sum as a Python int; int64 values are summed in two halves, which cannot overflow."""
    if values.dtype == object:
        return int(sum(values.tolist()))
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())
