"""The board: the ranking that a question asks for, computed in integers from the cube and the roster. Pure."""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenboard.rankings.cube import Cube, Metric
from tokenboard.rankings.question import Question, Sort
from tokenboard.rankings.roster import Roster


@dataclass(frozen=True, slots=True)
class RankedApp:
    """One row: ``rank`` counts from 1 over all listed apps, whatever the page; figures include the app's aliases."""

    app_id: int
    name: str
    rank: int
    requests: int
    tokens: int


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


def rank(cube: Cube, roster: Roster, question: Question) -> Ranking:
    """The ranking that ``question`` asks for.

    Only visible apps with tokens in the window are listed, an alias's usage with its root's. ``popular`` goes by
    tokens, ``trending`` by 3 x the window's tokens less those of the three equal windows before, where that is
    above 0; both descending, ties by ascending app id.
    """
    width = max(cube.width, roster.width)
    tokens = _window_sums(cube, roster, "tokens", question, width)
    requests = _window_sums(cube, roster, "requests", question, width)
    listed = roster.visible(width) & (tokens > 0)
    totals = _totals(tokens, requests, listed)
    eligible = listed
    if question.category is not None or question.subcategory is not None:
        eligible = eligible & roster.in_category(question.category, question.subcategory, width)
    score = tokens
    if question.sort is Sort.TRENDING:
        score = _excess(cube, roster, tokens, question, width)
        eligible = eligible & (score > 0)
    candidates = np.flatnonzero(eligible)
    best = select_best(score[candidates], candidates, question.offset + question.limit)
    rows = tuple(
        RankedApp(app_id, roster.name_of(app_id), place, int(requests[app_id]), int(tokens[app_id]))
        for place, app_id in enumerate(best[question.offset :], start=question.offset + 1)
    )
    return Ranking(rows=rows, listed=int(candidates.size), totals=totals)


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


def _window_sums(cube: Cube, roster: Roster, metric: Metric, question: Question, width: int) -> NDArray[Any]:
    sums = cube.window_sums(metric, question.window.start, question.window.end, width)
    roster.fold(sums)
    return sums


def _excess(cube: Cube, roster: Roster, tokens: NDArray[Any], question: Question, width: int) -> NDArray[Any]:
    before = cube.three_before("tokens", question.window.start, question.window.end, width)
    roster.fold(before)
    excess: NDArray[Any] = 3 * tokens - before
    return excess


def _totals(tokens: NDArray[Any], requests: NDArray[Any], listed: NDArray[np.bool_]) -> Totals:
    every = Figures(int(tokens.sum()), int(requests.sum()))
    shown = Figures(int(tokens[listed].sum()), int(requests[listed].sum()))
    unattributed = Figures(int(tokens[0]), int(requests[0]))
    unlisted = Figures(
        every.tokens - shown.tokens - unattributed.tokens, every.requests - shown.requests - unattributed.requests
    )
    return Totals(every, shown, unlisted, unattributed)
