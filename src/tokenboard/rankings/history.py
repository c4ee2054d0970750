"""History: one app's days, its figures and its rank on each. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenboard.query import Window
from tokenboard.rankings.cube import Cube
from tokenboard.rankings.days import Day, widened
from tokenboard.rankings.metric import METRICS, RankMetric
from tokenboard.rankings.roster import Roster


@dataclass(frozen=True, slots=True)
class AppDays:
    """One app's figures for each day of ``window``, aliases included."""

    window: Window
    tokens: tuple[int, ...]
    requests: tuple[int, ...]
    prompt: tuple[int, ...]
    cached: tuple[int, ...]
    reasoning: tuple[int, ...]

    @property
    def completion(self) -> tuple[int, ...]:
        """Completion tokens: all but the prompt's."""
        return tuple(tokens - prompt for tokens, prompt in zip(self.tokens, self.prompt, strict=True))


@dataclass(frozen=True, slots=True)
class RosterView:
    """Which usage counts for whom, and who is listed, at one moment: arrays of its own, by app id."""

    roots: NDArray[np.int64]
    eligible: NDArray[np.bool_]


def days_of(cube: Cube, roster: Roster, app_id: int, window: Window) -> AppDays | None:
    """An app's figures day by day; None when it may not be shown."""
    if not roster.is_visible(app_id):
        return None
    members, _ = roster.members([app_id])
    columns = cube.series(METRICS, members, window.start, window.end)
    return AppDays(
        window, **{metric: tuple(c.sum(axis=1).tolist()) for metric, c in zip(METRICS, columns, strict=True)}
    )


def last_days_of(cube: Cube, roster: Roster, app_ids: Collection[int]) -> dict[int, date]:
    """The last day with usage of those of these apps that may be shown and have any."""
    shown = [app_id for app_id in app_ids if roster.is_visible(app_id)]
    members, places = roster.members(shown)
    last: dict[int, date] = {}
    for place, day in zip(places.tolist(), cube.last_days(members), strict=True):
        if day is not None:
            last[shown[place]] = max(day, last.get(shown[place], day))
    return last


def roster_view(cube: Cube, roster: Roster, category: str | None, subcategory: str | None) -> RosterView:
    """Who counts and who is listed under a category, as things stand; raises KeyError for an unknown one."""
    width = max(cube.width, roster.width)
    return RosterView(roster.roots(width), roster.visible(width) & roster.in_category(category, subcategory, width))


def daily_ranks(days: Sequence[Day], view: RosterView, app_id: int, metric: RankMetric) -> list[int | None]:
    """An app's rank on each day by ``metric`` among the eligible with tokens that day; None where it had none."""
    return [_rank_on(day, view, app_id, metric) for day in days]


def _rank_on(day: Day, view: RosterView, app_id: int, metric: RankMetric) -> int | None:
    roots = view.roots[day.app_ids]
    counted = np.flatnonzero(view.eligible[roots])
    own, roots = day.app_ids[counted], roots[counted]
    tokens, scores = day.columns["tokens"][counted], day.columns[metric.column][counted]
    if (roots != own).any():
        folded, place = np.unique(roots, return_inverse=True)
        roots, tokens, scores = folded, _folded(tokens, place, folded.size), _folded(scores, place, folded.size)
    here = np.flatnonzero((roots == app_id) & (tokens > 0))
    if not here.size:
        return None
    mine, listed = scores[here[0]], tokens > 0
    ahead = (scores > mine) | ((scores == mine) & (roots < app_id))
    return int(np.count_nonzero(ahead & listed)) + 1


def _folded(column: NDArray[Any], place: NDArray[np.intp], size: int) -> NDArray[Any]:
    own = widened(column)
    folded = np.zeros(size, own.dtype)
    np.add.at(folded, place, own)
    return folded
