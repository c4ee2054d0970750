"""Days: the figures of single UTC days as the ledger gave them, kept as small as they are. Pure arithmetic.

Of a day only apps with usage are kept. Each metric's column is as narrow as the day's largest figure allows; Python
ints where that passes 64 bits.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenboard.rankings.metric import METRICS, Metric
from tokenboard.rankings.sources import DayRows

INT64_MAX = 2**63 - 1

_MOST_APPS = 2**32
# No uint64: together with int64 NumPy would make it a float.
_NARROW = (np.uint8, np.uint16, np.uint32, np.int64)
_INTEGER_OBJECT_BYTES = 36


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """One day: ``app_ids`` (uint32) ascend, each once; each metric's column runs in parallel. Not to be written to."""

    app_ids: NDArray[np.uint32]
    columns: dict[Metric, NDArray[Any]]

    @property
    def nbytes(self) -> int:
        """Bytes of memory the figures take."""
        return self.app_ids.nbytes + sum(bytes_of(column) for column in self.columns.values())

    @property
    def width(self) -> int:
        """The highest app id, plus 1; 0 for a day without usage."""
        return int(self.app_ids[-1]) + 1 if self.app_ids.size else 0

    def same_as(self, other: "Day") -> bool:
        """Whether all figures are equal."""
        return np.array_equal(self.app_ids, other.app_ids) and all(
            np.array_equal(self.columns[metric], other.columns[metric]) for metric in METRICS
        )

    def places(self, app_ids: NDArray[np.uint32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Which of ``app_ids`` had usage, as indices into ``app_ids``, and where they stand in this day's columns."""
        if not self.app_ids.size:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        places = np.minimum(np.searchsorted(self.app_ids, app_ids), self.app_ids.size - 1)
        asked = np.flatnonzero(self.app_ids[places] == app_ids)
        return asked, places[asked]


EMPTY_DAY = Day(np.zeros(0, np.uint32), {metric: np.zeros(0, np.uint8) for metric in METRICS})


def split_days(rows: DayRows, first: int, wanted: Collection[int]) -> dict[int, Day]:
    """The days of ``rows``, counted from Unix day ``first``; each of ``wanted`` is there, without usage if need be.

    Rows before ``first`` are left out; rows of one day and app are added up, and those without any figure forgotten.
    Raises ValueError for columns of unequal length, an app id below 0 or from 2**32 on, a negative figure, more prompt
    tokens than tokens, and rows of days that are not wanted.
    """
    day, app_id, columns = _checked(rows)
    day -= first
    kept = (day >= 0) & _any_figure(columns)
    if not kept.all():
        day, app_id, columns = day[kept], app_id[kept], {metric: column[kept] for metric, column in columns.items()}
    day, app_id, columns = _added_up(day, app_id, columns)
    found = day[np.flatnonzero(np.diff(day, prepend=-1))]
    if not np.isin(found, np.array(sorted(wanted), np.int64)).all():
        raise ValueError("rows hold figures of a day that is not to be replaced")
    bounds = zip(np.searchsorted(day, found, "left"), np.searchsorted(day, found, "right"), strict=True)
    days = dict.fromkeys(wanted, EMPTY_DAY)
    for index, (low, high) in zip(found.tolist(), bounds, strict=True):
        days[index] = Day(
            app_id[low:high].astype(np.uint32),
            {metric: narrowed(column[low:high]) for metric, column in columns.items()},
        )
    return days


def difference(new: Day, old: Day, metric: Metric, *, exact: bool) -> tuple[NDArray[np.uint32], NDArray[Any]]:
    """The apps whose figure differs and by how much: int64, or Python ints if ``exact``."""
    dtype = object if exact else np.int64
    if not old.app_ids.size:
        app_ids, change = new.app_ids, new.columns[metric].astype(dtype)
    else:
        app_ids = np.union1d(new.app_ids, old.app_ids)
        change = np.zeros(app_ids.size, dtype)
        change[np.searchsorted(app_ids, new.app_ids)] += new.columns[metric].astype(dtype)
        change[np.searchsorted(app_ids, old.app_ids)] -= old.columns[metric].astype(dtype)
    moved = np.flatnonzero(change)
    return (app_ids, change) if moved.size == app_ids.size else (app_ids[moved], change[moved])


def exact_sum(values: NDArray[Any]) -> int:
    """The sum as a Python int; int64 values are summed in two halves, which cannot overflow."""
    if values.dtype == object:
        return int(sum(values.tolist()))
    if values.dtype.itemsize < 8:
        return int(values.sum(dtype=np.int64))
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())


def narrowed(column: NDArray[Any]) -> NDArray[Any]:
    """A copy of a column of figures ≥ 0 in the narrowest type that holds them."""
    most = int(column.max()) if column.size else 0
    for dtype in _NARROW:
        if most <= np.iinfo(dtype).max:
            return column.astype(dtype)
    return column.astype(object)


def widened(column: NDArray[Any]) -> NDArray[Any]:
    """A copy of a column in a type that holds the sum of all its figures."""
    return column.astype(object if exact_sum(column) > INT64_MAX else np.int64)


def bytes_of(array: NDArray[Any]) -> int:
    """Bytes of memory an array takes; Python ints are counted at what one of two digits takes."""
    return array.nbytes + (array.size * _INTEGER_OBJECT_BYTES if array.dtype == object else 0)


def _checked(rows: DayRows) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[Metric, NDArray[Any]]]:
    day, app_id = rows.day.astype(np.int64), rows.app_id.astype(np.int64)
    columns: dict[Metric, NDArray[Any]] = {metric: getattr(rows, metric) for metric in METRICS}
    if len({day.size, app_id.size, *(column.size for column in columns.values())}) != 1:
        raise ValueError("the columns of the rows differ in length")
    if (app_id < 0).any():
        raise ValueError("an app id is negative")
    if (app_id >= _MOST_APPS).any():
        raise ValueError("an app id does not fit into 32 bits")
    for metric, column in columns.items():
        if (column < 0).any():
            raise ValueError(f"a count of {metric} is negative")
    if (columns["prompt"] > columns["tokens"]).any():
        raise ValueError("there are more prompt tokens than tokens")
    return day, app_id, columns


def _any_figure(columns: dict[Metric, NDArray[Any]]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = columns["tokens"] > 0
    for column in columns.values():
        found |= column > 0
    return found


def _added_up(
    day: NDArray[np.int64], app_id: NDArray[np.int64], columns: dict[Metric, NDArray[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[Metric, NDArray[Any]]]:
    """One row per day and app, sorted by both."""
    key = day * _MOST_APPS + app_id
    step = np.diff(key)
    if (step > 0).all():
        return day, app_id, columns
    if (step < 0).any():
        order = np.argsort(key, kind="stable")
        key, columns = key[order], {metric: column[order] for metric, column in columns.items()}
    starts = np.flatnonzero(np.concatenate(([True], np.diff(key) > 0)))
    key = key[starts]
    added = {metric: np.add.reduceat(widened(column), starts) for metric, column in columns.items()}
    return key // _MOST_APPS, key % _MOST_APPS, added
