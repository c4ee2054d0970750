"""What every app used in one window, with aliases folded: the arrays from which lists and places are made."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenboard.query import Window
from tokenboard.rankings import Cube, Day, Rankings, RankMetric, Roster
from tokenboard.rankings.days import widened

_Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class WindowSums:
    """Sums by app id over a window: int64, or Python ints where those would not fit.

    ``before`` sums the tokens of the three windows of equal length before. ``visible`` marks who may be shown,
    ``eligible`` who of them is in the category asked for; both leave out aliases. ``ranks`` are the places of eligible
    apps with tokens, from 1, by descending tokens, ties by ascending id; 0 for all others.
    """

    tokens: NDArray[Any]
    requests: NDArray[Any]
    before: NDArray[Any]
    visible: NDArray[np.bool_]
    eligible: NDArray[np.bool_]
    ranks: NDArray[np.int64]

    @property
    def listed(self) -> int:
        """How many apps have a place."""
        return int(self.ranks.max(initial=0))

    def place(self, app_id: int) -> int | None:
        """Return an app's place; None when it has none."""
        return int(self.ranks[app_id]) or None if app_id < self.ranks.size else None

    def of(self, app_id: int) -> tuple[int, int]:
        """Return an app's tokens and requests."""
        if app_id >= self.tokens.size:
            return 0, 0
        return int(self.tokens[app_id]), int(self.requests[app_id])


@dataclass(frozen=True, slots=True)
class DailySums:
    """Figures of the named apps day by day, and what all others add up to, each list as long as the days."""

    named: dict[int, list[int]]
    other: list[int]
    unlisted: list[int]
    unattributed: list[int]


def window_sums(rankings: Rankings, window: Window, category: str | None, subcategory: str | None) -> WindowSums:
    """Read the sums of a window; raises NotFilledError."""

    def read(cube: Cube, roster: Roster) -> _Arrays:
        width = max(cube.width, roster.width)
        tokens = cube.window_sums("tokens", window.start, window.end, width)
        requests = cube.window_sums("requests", window.start, window.end, width)
        before = cube.three_before("tokens", window.start, window.end, width)
        for sums in (tokens, requests, before):
            roster.fold(sums)
        visible = roster.visible(width).copy()
        return tokens, requests, before, visible, visible & roster.in_category(category, subcategory, width)

    tokens, requests, before, visible, eligible = rankings.read(read)
    order = descending(tokens, eligible & (tokens > 0))
    ranks = np.zeros(tokens.size, np.int64)
    ranks[order] = np.arange(1, order.size + 1)
    return WindowSums(tokens, requests, before, visible, eligible, ranks)


def day_sums(rankings: Rankings, window: Window, metric: RankMetric, sums: WindowSums, named: list[int]) -> DailySums:
    """Read each day's figures of ``named`` apps, and of the rest of ``sums.eligible`` together; raises NotFilledError.

    Whose usage counts for whom is read with the days, who is listed is as in ``sums``.
    """

    def read(cube: Cube, roster: Roster) -> tuple[list[Day], NDArray[np.int64]]:
        return cube.window_days(window.start, window.end), roster.roots(max(cube.width, roster.width))

    days, roots = rankings.read(read)
    figures = metric.of(sums)
    listed = _fit(sums.visible & (figures > 0), roots.size)
    others = listed & _fit(sums.eligible, roots.size)
    others[named] = False
    found = DailySums({app_id: [] for app_id in named}, [], [], [])
    for day in days:
        values, counted = widened(day.columns[metric.column]), roots[day.app_ids]
        for app_id in named:
            found.named[app_id].append(int(values[counted == app_id].sum()))
        unattributed = int(values[counted == 0].sum())
        found.other.append(int(values[others[counted]].sum()))
        found.unlisted.append(int(values.sum()) - int(values[listed[counted]].sum()) - unattributed)
        found.unattributed.append(unattributed)
    return found


def descending(scores: NDArray[Any], among: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the ids in ``among`` by descending score, ties by ascending id."""
    ids = np.flatnonzero(among)
    return ids[np.argsort(-scores[ids], kind="stable")]


def _fit(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    fitted = np.zeros(width, np.bool_)
    kept = min(mask.size, width)
    fitted[:kept] = mask[:kept]
    return fitted
