"""The ranking that a question asks for, computed in integers from the cube and the roster. Pure."""

import heapq
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenboard.query import Window
from tokenboard.rankings.cube import Cube
from tokenboard.rankings.extras import Split, Trend, histories_of, splits_of, trends_of
from tokenboard.rankings.metric import Metric, RankMetric
from tokenboard.rankings.question import NO_EXTRAS, Extra, Question, Sort
from tokenboard.rankings.roster import Roster


@dataclass(frozen=True, slots=True)
class RankedApp:
    """One row: ``rank`` counts from 1 over all listed apps, whatever the page; figures include the app's aliases.

    What follows is None unless asked for. ``history`` holds the tokens of each day of the window. ``previous`` is the
    rank in the window before under the same filter and sort, and None where the app was not listed then.
    """

    app_id: int
    name: str
    rank: int
    requests: int
    tokens: int
    url: str | None = None
    categories: tuple[str, ...] | None = None
    split: Split | None = None
    trend: Trend | None = None
    history: tuple[int, ...] | None = None
    previous: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Tokens (prompt + completion) and requests of one share of the traffic."""

    tokens: int
    requests: int


@dataclass(frozen=True, slots=True)
class Totals:
    """All traffic of the window in three shares, whatever the question's sort, category or page.

    ``listed`` is what the rows of ``popular`` without a category add up to over all pages. ``unlisted`` belongs to apps
    that are hidden, private, unknown, or have requests but no tokens in the window. The three shares add up to
    ``all_traffic``.
    """

    all_traffic: Figures
    listed: Figures
    unlisted: Figures
    unattributed: Figures


@dataclass(frozen=True, slots=True)
class Ranking:
    """A page of a ranking; ``listed`` is the number of apps on all pages."""

    rows: tuple[RankedApp, ...]
    listed: int
    totals: Totals


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one app stands in a ranking of ``listed`` apps, and its figures of the window, aliases included."""

    rank: int
    listed: int
    tokens: int
    requests: int


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Everybody's figures of a window, by app id, aliases folded, and the apps that the question lists."""

    tokens: NDArray[Any]
    requests: NDArray[Any]
    shown: NDArray[np.bool_]
    score: NDArray[Any]
    eligible: NDArray[np.bool_]


def rank(cube: Cube, roster: Roster, question: Question, extras: Collection[Extra] = NO_EXTRAS) -> Ranking:
    """The ranking that ``question`` asks for.

    Only visible apps with tokens in the window are listed, an alias's usage with its root's. ``popular`` goes by the
    question's metric, ``trending`` by 3 x the window's figure less those of the three equal windows before, where that
    is above 0; both descending, ties by ascending app id.
    """
    found = _candidates(cube, roster, question, question.window)
    listed = np.flatnonzero(found.eligible)
    best = select_best(found.score[listed], listed, question.offset + question.limit)
    page = best[question.offset :]
    rows = [
        RankedApp(app_id, roster.name_of(app_id), place, int(found.requests[app_id]), int(found.tokens[app_id]))
        for place, app_id in enumerate(page, start=question.offset + 1)
    ]
    if page and not _ROW_EXTRAS.isdisjoint(extras):
        rows = _with_extras(cube, roster, question, rows, extras)
    return Ranking(tuple(rows), int(listed.size), _totals(found))


def placement(cube: Cube, roster: Roster, app_id: int, question: Question) -> Placement | None:
    """Where an app stands in the ranking that ``question`` asks for, whatever its page; None when it is not listed."""
    if not roster.is_visible(app_id):
        return None
    found = _candidates(cube, roster, question, question.window)
    if not found.eligible[app_id]:
        return None
    ahead = found.score > found.score[app_id]
    ahead[:app_id] |= found.score[:app_id] == found.score[app_id]
    place = int(np.count_nonzero(ahead & found.eligible)) + 1
    listed = int(np.count_nonzero(found.eligible))
    return Placement(place, listed, int(found.tokens[app_id]), int(found.requests[app_id]))


def figures_of(cube: Cube, roster: Roster, app_ids: Collection[int], window: Window) -> dict[int, Figures]:
    """The figures of those of these apps that are visible, aliases included; zero where there was no usage."""
    shown = [app_id for app_id in app_ids if roster.is_visible(app_id)]
    members, places = roster.members(shown)
    sums = []
    for metric in RankMetric:
        own = cube.sums_of(metric.column, members, window.start, window.end)
        folded = np.zeros(len(shown), own.dtype)
        np.add.at(folded, places, own)
        sums.append(folded.tolist())
    return {app_id: Figures(*figures) for app_id, *figures in zip(shown, *sums, strict=True)}


def select_best(scores: NDArray[Any], app_ids: NDArray[np.int64], count: int) -> list[int]:
    """The ``count`` app ids of the highest scores, descending, ties by ascending id.

    ``scores`` (int64 above the smallest, or Python ints) and ``app_ids`` (ascending) run in parallel.
    """
    if scores.dtype == object:
        pairs = zip((-score for score in scores.tolist()), app_ids.tolist(), strict=True)
        return [app_id for _, app_id in heapq.nsmallest(count, pairs)]
    if scores.size > count:
        threshold = np.partition(scores, scores.size - count)[scores.size - count]
        above = np.flatnonzero(scores > threshold)
        level = np.flatnonzero(scores == threshold)[: count - above.size]
        kept = np.sort(np.concatenate((above, level)))
        scores, app_ids = scores[kept], app_ids[kept]
    order = np.argsort(-scores, kind="stable")
    return [int(app_id) for app_id in app_ids[order]]


_ROW_EXTRAS = frozenset(Extra) - {Extra.TOTALS}


def _candidates(cube: Cube, roster: Roster, question: Question, window: Window) -> _Candidates:
    width = max(cube.width, roster.width)
    sums = {metric: _window_sums(cube, roster, metric.column, window, width) for metric in RankMetric}
    tokens, requests = sums[RankMetric.TOKENS], sums[RankMetric.REQUESTS]
    shown = roster.visible(width) & (tokens > 0)
    eligible = shown
    if question.category is not None or question.subcategory is not None:
        eligible = eligible & roster.in_category(question.category, question.subcategory, width)
    score = sums[question.metric]
    if question.sort is Sort.TRENDING:
        score = _excess(cube, roster, score, question.metric.column, window, width)
        eligible = eligible & (score > 0)
    return _Candidates(tokens, requests, shown, score, eligible)


def _window_sums(cube: Cube, roster: Roster, metric: Metric, window: Window, width: int) -> NDArray[Any]:
    sums = cube.window_sums(metric, window.start, window.end, width)
    roster.fold(sums)
    return sums


def _excess(cube: Cube, roster: Roster, sums: NDArray[Any], metric: Metric, window: Window, width: int) -> NDArray[Any]:
    before = cube.three_before(metric, window.start, window.end, width)
    roster.fold(before)
    excess: NDArray[Any] = 3 * sums - before
    return excess


def _places(found: _Candidates, app_ids: Collection[int]) -> dict[int, int]:
    """The ranks of those of these apps that are eligible."""
    sought = {app_id for app_id in app_ids if found.eligible[app_id]}
    if not sought:
        return {}
    least = min(found.score[app_id] for app_id in sought)
    ahead = np.flatnonzero(found.eligible & (found.score >= least))
    order = select_best(found.score[ahead], ahead, ahead.size)
    return {app_id: place for place, app_id in enumerate(order, start=1) if app_id in sought}


def _with_extras(
    cube: Cube, roster: Roster, question: Question, rows: list[RankedApp], extras: Collection[Extra]
) -> list[RankedApp]:
    window, page = question.window, [row.app_id for row in rows]
    members, places = roster.members(page)
    none = (None,) * len(page)
    splits = splits_of(cube, members, places, window) if Extra.SPLIT in extras else none
    trends = trends_of(cube, members, places, window) if Extra.TREND in extras else none
    histories = histories_of(cube, members, places, window) if Extra.HISTORY in extras else none
    previous: dict[int, int] = {}
    # Before the floor nobody was listed.
    if Extra.PREVIOUS in extras and cube.floor < window.start and window.days < window.start.toordinal():
        previous = _places(_candidates(cube, roster, question, window.previous()), page)
    return [
        RankedApp(
            row.app_id,
            row.name,
            row.rank,
            row.requests,
            row.tokens,
            url=roster.url_of(row.app_id) if Extra.URL in extras else None,
            categories=roster.categories_of(row.app_id) if Extra.CATEGORIES in extras else None,
            split=split,
            trend=trend,
            history=history,
            previous=previous.get(row.app_id),
        )
        for row, split, trend, history in zip(rows, splits, trends, histories, strict=True)
    ]


def _totals(found: _Candidates) -> Totals:
    tokens, requests = found.tokens, found.requests
    every = Figures(int(tokens.sum()), int(requests.sum()))
    shown = Figures(int((tokens * found.shown).sum()), int((requests * found.shown).sum()))
    unattributed = Figures(int(tokens[0]), int(requests[0]))
    unlisted = Figures(
        every.tokens - shown.tokens - unattributed.tokens, every.requests - shown.requests - unattributed.requests
    )
    return Totals(every, shown, unlisted, unattributed)
