from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.rankings.fakes import App, Figures, rows_of
from tests.rankings.reference import categories_of, daily, is_visible, reference_ranks, window_figures
from tests.rankings.strategies import FLOOR, app_lists, at, datasets, huge, numbers, questions, windows
from tokenboard.query import Window
from tokenboard.rankings import (
    AppDays,
    Cube,
    Extra,
    Placement,
    Question,
    RankedApp,
    RankMetric,
    Roster,
    Sort,
    Split,
    Trend,
    days_of,
    figures_of,
    last_days_of,
    placement,
    rank,
)
from tokenboard.rankings import Figures as Share
from tokenboard.rankings.history import daily_ranks, roster_view

ALL = frozenset(Extra)
STEPS = [1, 4, 64]
A, B, C, D, E = 1, 2, 3, 4, 5

# The example worked by hand: five apps, four days; D is an alias of B, E is hidden.
WORKED_APPS = [
    App(A, name="A", url="https://a.example", categories=("cli-agent",)),
    App(B, name="B", url="https://b.example", categories=("cli-agent",)),
    App(C, name="C", url="https://c.example", categories=("roleplay", "game")),
    App(D, name="D", canonical_id=B, categories=("game",)),
    App(E, name="E", visibility="hidden"),
]
WORKED_USAGE = [(10, 40, 0, 0, 500), (20, 40, 7, 0, 500), (30, 40, 7, 5, 500), (61, 40, 7, 5, 500)]
WORKED = {
    (date(2026, 3, day), app_id): (1, tokens)
    for day, usage in enumerate(WORKED_USAGE, start=1)
    for app_id, tokens in enumerate(usage, start=1)
    if tokens
}
MARCH = date(2026, 3, 1)
LAST_DAY = Window(date(2026, 3, 4), date(2026, 3, 4))
LAST_TWO = Window(date(2026, 3, 3), date(2026, 3, 4))


def parts(figures: Figures, apps: list[App], floor: date = FLOOR, step: int = 1) -> tuple[Cube, Roster]:
    cube, roster = Cube(floor, step), Roster()
    cube.replace_days(rows_of(figures), {day for day, _ in figures})
    roster.update(apps)
    return cube, roster


def ask(window: Window, sort: Sort = Sort.POPULAR) -> Question:
    return Question(sort, None, None, window, limit=100, offset=0)


def worked(window: Window, sort: Sort = Sort.POPULAR) -> dict[str, RankedApp]:
    return {row.name: row for row in rank(*parts(WORKED, WORKED_APPS), ask(window, sort), ALL).rows}


def test_nothing_that_was_not_asked_for_is_told() -> None:
    cube, roster = parts(WORKED, WORKED_APPS)
    plain = rank(cube, roster, ask(LAST_DAY)).rows
    assert [(row.url, row.categories, row.split, row.trend, row.history, row.previous) for row in plain] == [
        (None,) * 6
    ] * 3
    for extra in ALL:
        (row, *_) = rank(cube, roster, ask(LAST_DAY), {extra}).rows
        told = {name for name in ("url", "categories", "split", "trend", "history", "previous") if getattr(row, name)}
        assert ({extra.value} - {"totals"}) == told


def test_the_worked_example_s_trends() -> None:
    rows = worked(LAST_DAY)
    assert Trend(61, (30, 20, 10)) == rows["A"].trend
    assert Trend(45, (45, 40, 40)) == rows["B"].trend
    assert Trend(7, (7, 7, 0)) == rows["C"].trend
    assert [123, 10, 7] == [row.trend.excess_times_three for row in rows.values() if row.trend]
    assert [Fraction(41), Fraction(10, 3), Fraction(7, 3)] == [row.trend.excess for row in rows.values() if row.trend]
    assert [243, 190, 35] == [row.trend.excess_times_three for row in worked(LAST_TWO).values() if row.trend]


def test_growth_is_the_excess_as_a_share_of_the_mean_before_and_unknown_without_any() -> None:
    assert Fraction(1) == Trend(20, (10, 10, 10)).growth
    assert Fraction(-1, 2) == Trend(5, (10, 10, 10)).growth
    assert Trend(5, (0, 0, 0)).growth is None


def test_the_worked_example_s_other_extras() -> None:
    rows = worked(LAST_TWO)
    assert [(30, 61), (45, 45), (7, 7)] == [row.history for row in rows.values()]
    assert [2, 1, 3] == [row.previous for row in rows.values()]
    assert [("cli-agent",), ("cli-agent", "game"), ("roleplay", "game")] == [row.categories for row in rows.values()]
    assert rows["B"].url == "https://b.example"
    assert Split(26 + 3 + 26 + 3, 90 - 58, 13 + 1 + 13 + 1, 3 + 0 + 3 + 0) == rows["B"].split


def test_a_rank_before_is_one_of_the_same_sort_and_category() -> None:
    by_day = [(16, 5), (5, 6), (8, 9)]
    figures = {(at(day), app_id): (1, by_day[day][app_id - 1]) for day in range(3) for app_id in (1, 2)}
    cube, roster = parts(figures, [App(1, categories=("game",)), App(2, categories=("legal",))])
    today = Window(at(2), at(2))
    assert [(2, 1), (1, 2)] == [(row.app_id, row.previous) for row in rank(cube, roster, ask(today), ALL).rows]
    in_game = Question(Sort.POPULAR, None, "game", today, limit=1, offset=0)
    assert [(1, 1)] == [(row.app_id, row.previous) for row in rank(cube, roster, in_game, ALL).rows]
    trending = rank(cube, roster, ask(today, Sort.TRENDING), ALL).rows
    assert [(2, 1), (1, None)] == [(row.app_id, row.previous) for row in trending]


@pytest.mark.parametrize("floor", [date.min, date.min + timedelta(days=1), FLOOR])
def test_windows_before_the_dataset_hold_nothing(floor: date) -> None:
    window = Window(floor, floor + timedelta(days=365))
    cube, roster = parts({(floor + timedelta(days=1), 1): (1, 10)}, [App(1)], floor)
    (row,) = rank(cube, roster, ask(window), ALL).rows
    assert (Trend(10, (0, 0, 0)), None) == (row.trend, row.previous)
    later = Window(floor + timedelta(days=2), floor + timedelta(days=3))
    assert rank(cube, roster, ask(later), ALL).rows == ()


@pytest.mark.parametrize("floor", [date.min, date.min + timedelta(days=1), FLOOR])
def test_of_a_window_that_begins_before_the_dataset_counts_what_is_in_it(floor: date) -> None:
    figures = {(floor, 1): (1, 5), (floor + timedelta(days=1), 1): (1, 10)}
    cube, roster = parts(figures, [App(1)], floor)
    window = Window(floor + timedelta(days=1), floor + timedelta(days=4))
    (row,) = rank(cube, roster, ask(window), {Extra.TREND}).rows
    assert Trend(10, (5, 0, 0)) == row.trend


def test_of_equal_apps_the_smaller_id_stands_before_the_other() -> None:
    cube, roster = parts({(at(0), app_id): (3, 7) for app_id in (1, 2, 3)}, [App(1), App(2), App(3)])
    question = ask(Window(at(0), at(0)))
    assert [1, 2, 3] == [found.rank for n in (1, 2, 3) if (found := placement(cube, roster, n, question))]
    days, view = cube.window_days(at(0), at(0)), roster_view(cube, roster, None, None)
    assert [[1], [2], [3]] == [daily_ranks(days, view, app_id, RankMetric.TOKENS) for app_id in (1, 2, 3)]


def test_by_requests_too_only_apps_with_tokens_are_listed() -> None:
    cube, roster = parts({(at(0), 1): (1, 7), (at(0), 2): (9, 0), (at(0), 3): (2, 1)}, [App(1), App(2), App(3)])
    question = replace(ask(Window(at(0), at(0))), metric=RankMetric.REQUESTS)
    assert [3, 1] == [row.app_id for row in rank(cube, roster, question).rows]
    assert placement(cube, roster, 2, question) is None
    assert Placement(2, 2, 7, 1) == placement(cube, roster, 1, question)
    days, view = cube.window_days(at(0), at(0)), roster_view(cube, roster, None, None)
    assert [[2], [None], [1]] == [daily_ranks(days, view, app_id, RankMetric.REQUESTS) for app_id in (1, 2, 3)]


@pytest.mark.parametrize("app_id", [0, 4, 5, 77, -1])
def test_an_alias_a_hidden_app_and_one_nobody_knows_stand_nowhere(app_id: int) -> None:
    cube, roster = parts(WORKED, WORKED_APPS)
    assert placement(cube, roster, app_id, ask(LAST_TWO)) is None
    assert days_of(cube, roster, app_id, LAST_TWO) is None
    assert figures_of(cube, roster, [app_id], LAST_TWO) == {}
    assert last_days_of(cube, roster, [app_id]) == {}


def test_the_worked_example_s_placements() -> None:
    cube, roster = parts(WORKED, WORKED_APPS)
    assert Placement(2, 3, 90, 4) == placement(cube, roster, B, ask(LAST_TWO))
    in_game = Question(Sort.POPULAR, None, "game", LAST_TWO, limit=1, offset=0)
    assert Placement(1, 2, 90, 4) == placement(cube, roster, B, in_game)
    assert placement(cube, roster, A, in_game) is None
    by_requests = replace(ask(LAST_TWO), metric=RankMetric.REQUESTS)
    assert Placement(2, 3, 91, 2) == placement(cube, roster, A, by_requests)


@settings(max_examples=examples(100), deadline=None)
@given(figures=datasets(numbers) | datasets(huge), apps=app_lists, question=questions, step=st.sampled_from(STEPS))
def test_all_that_a_row_tells_is_what_plain_rules_give(
    figures: Figures, apps: list[App], question: Question, step: int
) -> None:
    known = {app.id: app for app in apps}
    cube, roster = parts(figures, apps, step=step)
    window = question.window
    before = reference_ranks(figures, known, FLOOR, replace(question, window=window.previous()))
    ranking = rank(cube, roster, question, ALL)
    assert rank(cube, roster, question).totals == ranking.totals
    for row in ranking.rows:
        requests, history, prompt, cached, reasoning = zip(
            *daily(figures, known, FLOOR, row.app_id, window), strict=True
        )
        tokens = [
            window_figures(figures, known, FLOOR, each.start, each.end).get(row.app_id, [0, 0])[1]
            for each in (window, *(window.previous(n) for n in (1, 2, 3)))
        ]
        expected = RankedApp(
            row.app_id,
            known[row.app_id].name,
            row.rank,
            sum(requests),
            sum(history),
            url=known[row.app_id].url,
            categories=categories_of(known, row.app_id),
            split=Split(sum(prompt), sum(history) - sum(prompt), sum(cached), sum(reasoning)),
            trend=Trend(tokens[0], (tokens[1], tokens[2], tokens[3])),
            history=history,
            previous=before.get(row.app_id),
        )
        assert expected == row
        assert row.trend is not None
        assert {int} == {type(value) for value in (*(row.history or ()), row.trend.window, *row.trend.baselines)}


@settings(max_examples=examples(100), deadline=None)
@given(
    figures=datasets(numbers) | datasets(huge),
    apps=app_lists,
    question=questions,
    app_id=st.integers(0, 12),
    step=st.sampled_from(STEPS),
)
def test_all_that_is_told_of_one_app_is_what_plain_rules_give(
    figures: Figures, apps: list[App], question: Question, app_id: int, step: int
) -> None:
    known = {app.id: app for app in apps}
    cube, roster = parts(figures, apps, step=step)
    window = question.window
    sums = window_figures(figures, known, FLOOR, window.start, window.end)
    ranks = reference_ranks(figures, known, FLOOR, question)
    place = ranks.get(app_id)
    expected = Placement(place, len(ranks), *reversed(sums[app_id])) if place else None
    assert expected == placement(cube, roster, app_id, question)
    shown = is_visible(known, app_id)
    by_day = daily(figures, known, FLOOR, app_id, window)
    requests, tokens, prompt, cached, reasoning = zip(*by_day, strict=True)
    days = AppDays(window, tokens, requests, prompt, cached, reasoning)
    found = days_of(cube, roster, app_id, window)
    assert (days if shown else None) == found
    assert found is None or [sum(each[1:2]) - each[2] for each in by_day] == list(found.completion)
    visible = {each: sums.get(each, [0, 0]) for each in range(12) if is_visible(known, each)}
    assert {each: Share(tokens, requests) for each, (requests, tokens) in visible.items()} == figures_of(
        cube, roster, range(12), window
    )
    used = Window(FLOOR, at(20))
    last = {
        each: max(at(n) for n, values in enumerate(daily(figures, known, FLOOR, each, used)) if any(values))
        for each in visible
        if any(map(any, daily(figures, known, FLOOR, each, used)))
    }
    assert last == last_days_of(cube, roster, range(12))


@settings(max_examples=examples(80), deadline=None)
@given(
    figures=datasets(numbers) | datasets(huge),
    apps=app_lists,
    window=windows,
    app_id=st.integers(1, 9),
    category=st.none() | st.sampled_from(["coding", "creative"]),
    metric=st.sampled_from(RankMetric),
)
def test_the_rank_of_each_day_is_that_of_a_window_of_one_day(
    figures: Figures, apps: list[App], window: Window, app_id: int, category: str | None, metric: RankMetric
) -> None:
    known = {app.id: app for app in apps}
    cube, roster = parts(figures, apps)
    expected = []
    for number in range(window.days):
        day = window.start + timedelta(days=number)
        question = Question(Sort.POPULAR, category, None, Window(day, day), 1, 0, metric)
        expected.append(reference_ranks(figures, known, FLOOR, question).get(app_id))
    days, view = cube.window_days(window.start, window.end), roster_view(cube, roster, category, None)
    assert expected == daily_ranks(days, view, app_id, metric)
