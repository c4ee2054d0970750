"""Extras: what a row of a ranking may have beside its figures, exactly, from the cube alone. Pure.

``members`` are the ids whose usage counts, aliases too, and ``places`` the row that each counts for, as the roster
gives them; answers come in the order of the rows.
"""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenboard.query import Window
from tokenboard.rankings.cube import Cube
from tokenboard.rankings.metric import Metric


@dataclass(frozen=True, slots=True)
class Split:
    """Of what an app's tokens were: prompt + completion is all; cached is in prompt, reasoning in completion."""

    prompt: int
    completion: int
    cached: int
    reasoning: int


@dataclass(frozen=True, slots=True)
class Trend:
    """An app's tokens in the window beside those of the three equal windows before, the latest first.

    ``excess_times_three`` = 3 x window - the three baselines: what ``trending`` goes by.
    """

    window: int
    baselines: tuple[int, int, int]

    @property
    def excess_times_three(self) -> int:
        """Three times the excess over the mean of the baselines, in tokens; below 0 where usage fell."""
        return 3 * self.window - sum(self.baselines)

    @property
    def excess(self) -> Fraction:
        """The window's tokens less the mean of the baselines."""
        return Fraction(self.excess_times_three, 3)

    @property
    def growth(self) -> Fraction | None:
        """The excess as a share of the mean of the baselines, 1 for twice as much; None where all are 0."""
        before = sum(self.baselines)
        return Fraction(self.excess_times_three, before) if before else None


def splits_of(cube: Cube, members: NDArray[np.int64], places: NDArray[np.intp], window: Window) -> list[Split]:
    """Each row's split over the window."""
    columns = [_sums_of(cube, metric, members, places, window) for metric in _SPLIT]
    return [
        Split(prompt, tokens - prompt, cached, reasoning)
        for tokens, prompt, cached, reasoning in zip(*columns, strict=True)
    ]


def trends_of(cube: Cube, members: NDArray[np.int64], places: NDArray[np.intp], window: Window) -> list[Trend]:
    """Each row's trend in tokens."""
    now = _sums_of(cube, "tokens", members, places, window)
    before = [_tokens_before(cube, members, places, window, n) for n in (1, 2, 3)]
    return [Trend(each, baselines) for each, baselines in zip(now, zip(*before, strict=True), strict=True)]


def histories_of(
    cube: Cube, members: NDArray[np.int64], places: NDArray[np.intp], window: Window
) -> list[tuple[int, ...]]:
    """Each row's tokens by day."""
    (series,) = cube.series(("tokens",), members, window.start, window.end)
    folded = np.zeros((int(places[-1]) + 1, series.shape[0]), series.dtype)
    np.add.at(folded, places, series.T)
    return [tuple(row) for row in folded.tolist()]


_SPLIT: tuple[Metric, ...] = ("tokens", "prompt", "cached", "reasoning")


def _tokens_before(
    cube: Cube, members: NDArray[np.int64], places: NDArray[np.intp], window: Window, n: int
) -> list[Any]:
    """Each row's tokens in the window ``n`` lengths earlier, as much of it as is in the dataset."""
    floor, end = cube.floor.toordinal(), window.end.toordinal() - n * window.days
    if end < floor:
        return [0] * (int(places[-1]) + 1)
    start = max(window.start.toordinal() - n * window.days, floor)
    earlier = Window(date.fromordinal(start), date.fromordinal(end))
    return _sums_of(cube, "tokens", members, places, earlier)


def _sums_of(
    cube: Cube, metric: Metric, members: NDArray[np.int64], places: NDArray[np.intp], window: Window
) -> list[Any]:
    own = cube.sums_of(metric, members, window.start, window.end)
    folded = np.zeros(int(places[-1]) + 1, own.dtype)
    np.add.at(folded, places, own)
    found: list[Any] = folded.tolist()
    return found
