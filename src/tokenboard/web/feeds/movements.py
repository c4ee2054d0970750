"""What moved, and when: apps that entered the top, passed others, or began to trend. Pure.

Each kind of movement has two opposite states with a band between them: in the band nothing is said. An app moves on
the day it reaches one state when the last state before, within ``LOOKBACK`` days, was the opposite one. So an app at
the edge does not come and go, and two apps of about equal use do not pass each other day after day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOOKBACK = 30
"""Days before a movement that decide whether it is one."""

LEVELS = (3, 10, 20, 50, 100)
"""Places whose crossing is an entry of the feed, the highest first."""

RANKED = LEVELS[-1]
"""Apps of a day's ranking whose movements are looked at."""

_BEYOND = 2**31  # stands for the rank of an app that has none
_FITS = 2**63 // 100

PASSED_BY = (21, 20)
"""An app is ahead of another when it has at least so many times its tokens: 5 % more."""


@dataclass(frozen=True, slots=True)
class AppSeries:
    """One app, day by day: tokens of the seven days that end there, their sum over the three weeks before those.

    ``ranks`` are places in the week's ranking of all visible apps, None where it was not among the first
    ``FIELD + slack(FIELD)``. The three are equally long.
    """

    tokens: Sequence[int]
    before: Sequence[int]
    ranks: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Movement:
    """What one app did on one day; ``rank``, ``tokens`` and ``before`` are as in `AppSeries`.

    ``entered`` is the highest level it got among, None for none; ``passed`` the apps that it passed, by their rank;
    ``trending`` whether it began to trend.
    """

    day: date
    app_id: int
    rank: int
    tokens: int
    before: int
    entered: int | None
    passed: tuple[int, ...]
    trending: bool


def slack(level: int) -> int:
    """Return how many places beyond a level an app must fall until it counts as out of it: a quarter, one at least."""
    return -(-level // 4)


def movements(days: Sequence[date], series_of_apps: Mapping[int, AppSeries], shown: int) -> list[Movement]:
    """Return what moved on each of the last ``shown`` days: by day, latest first, then by rank.

    ``days`` are consecutive and as long as each series; those before the shown ones only say what was before.
    """
    ids = list(series_of_apps)
    first = max(len(days) - shown, 0)
    tokens = _columns([series_of_apps[app_id].tokens for app_id in ids])
    before = _columns([series_of_apps[app_id].before for app_id in ids])
    ranks = np.array([[rank or _BEYOND for rank in series_of_apps[app_id].ranks] for app_id in ids], np.int64).T
    entered = {level: _changed(_within(ranks, level)) for level in LEVELS}
    trending = _changed(_trends(tokens, before))
    passes = _passes(tokens, first)
    found = []
    for at in range(len(days) - 1, first - 1, -1):
        ranked = sorted((rank, place) for place, app_id in enumerate(ids) if (rank := series_of_apps[app_id].ranks[at]))
        within = [(rank, place) for rank, place in ranked if rank <= RANKED]
        for rank, place in within:
            series = series_of_apps[ids[place]]
            level = next((level for level in LEVELS if entered[level][at, place]), None)
            beaten = passes[at - first][place]
            passed = tuple(ids[other] for _, other in within if beaten[other]) if beaten.any() else ()
            trends = bool(trending[at, place])
            if level is not None or passed or trends:
                movement = Movement(
                    days[at], ids[place], rank, series.tokens[at], series.before[at], level, passed, trends
                )
                found.append(movement)
    return found


def _within(ranks: NDArray[np.int64], level: int) -> NDArray[np.int8]:
    """Return per day and app 1 inside a level, -1 well outside of it, 0 between."""
    return _states(ranks <= level, ranks > level + slack(level))


def _trends(tokens: NDArray[Any], before: NDArray[Any]) -> NDArray[np.int8]:
    """Return per day and app 1 at twice the mean of the three weeks before, -1 below one and a half times.

    A first week, with nothing before it, is neither.
    """
    some = before > 0
    return _states(some & (3 * tokens >= 2 * before), (some & (2 * tokens < before)) | (~some & (tokens == 0)))


def _states(high: NDArray[np.bool_], low: NDArray[np.bool_]) -> NDArray[np.int8]:
    return high.astype(np.int8) - low.astype(np.int8)


def _passes(tokens: NDArray[Any], first: int) -> list[NDArray[np.bool_]]:
    """Return for each shown day who passed whom: a row's app a column's."""
    more, less = PASSED_BY
    transitions = _Transitions(tokens.shape[1:] * 2)
    found = []
    for at, week in enumerate(tokens):
        ahead = ((week[:, None] * less >= week[None, :] * more) & (week[:, None] > week[None, :])).astype(np.int8)
        changed = transitions.next(ahead - ahead.T)
        if at >= first:
            found.append(changed)
    return found


def _columns(by_app: list[Sequence[int]]) -> NDArray[Any]:
    """Return figures by day and app: int64, or Python ints where a multiple of them would not fit."""
    figures = np.array(by_app, object).T
    return figures.astype(np.int64) if not figures.size or int(figures.max()) < _FITS else figures


def _changed(states: NDArray[np.int8]) -> NDArray[np.bool_]:
    transitions = _Transitions(states.shape[1:])
    return np.array([transitions.next(day) for day in states], np.bool_)


class _Transitions:
    """Finds the days on which a state becomes 1 after it was -1, whatever lay between, for many states at once."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._last = np.zeros(shape, np.int8)
        self._days_since = np.zeros(shape, np.int32)

    def next(self, states: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Return where the state turns on this day; called once a day, in order."""
        self._days_since += 1
        changed = (states == 1) & (self._last == -1) & (self._days_since <= LOOKBACK)
        said = states != 0
        self._last[said] = states[said]
        self._days_since[said] = 0
        found: NDArray[np.bool_] = changed
        return found
