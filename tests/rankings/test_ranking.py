import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.rankings.fakes import App, Figures, rows_of
from tests.rankings.reference import is_visible, reference_rows, window_figures
from tests.rankings.strategies import FLOOR, app_lists, at, datasets, huge, numbers, questions
from tokenboard.query import Window
from tokenboard.rankings import Cube, Question, RankedApp, Ranking, Roster, Sort, rank
from tokenboard.rankings import Figures as Share
from tokenboard.rankings.ranking import select_best


def ask(start: int, end: int, *, sort: Sort = Sort.POPULAR, limit: int = 100, offset: int = 0) -> Question:
    return Question(sort, None, None, Window(at(start), at(end)), limit, offset)


def board(figures: Figures, apps: list[App], question: Question) -> Ranking:
    cube = Cube(FLOOR)
    cube.replace_days(rows_of(figures), {day for day, _ in figures})
    roster = Roster()
    roster.update(apps)
    return rank(cube, roster, question)


def ids(ranking: Ranking) -> list[int]:
    return [row.app_id for row in ranking.rows]


def test_nothing_at_all_is_an_empty_ranking() -> None:
    zero = Share(0, 0)
    ranking = board({}, [], ask(0, 0))
    assert (ranking.rows, ranking.listed) == ((), 0)
    assert (zero, zero, zero, zero) == (
        ranking.totals.all_traffic,
        ranking.totals.listed,
        ranking.totals.unlisted,
        ranking.totals.unattributed,
    )


def test_rows_hold_plain_integers() -> None:
    (row,) = board({(at(0), 1): (2, 10)}, [App(1, name="Cline")], ask(0, 0)).rows
    assert RankedApp(1, "Cline", 1, 2, 10) == row
    assert {int} == {type(value) for value in (row.app_id, row.rank, row.requests, row.tokens)}


def test_ties_go_to_the_smaller_id_also_across_pages() -> None:
    figures = {(at(0), app_id): (1, 7) for app_id in range(1, 31)}
    apps = [App(app_id) for app_id in range(1, 31)]
    assert list(range(1, 11)) == ids(board(figures, apps, ask(0, 0, limit=10)))
    assert list(range(11, 21)) == ids(board(figures, apps, ask(0, 0, limit=10, offset=10)))


def test_ranks_are_absolute_and_an_offset_past_the_end_is_empty() -> None:
    figures = {(at(0), app_id): (1, app_id) for app_id in (1, 2, 3)}
    apps = [App(1), App(2), App(3)]
    ranking = board(figures, apps, ask(0, 0, offset=2))
    assert [(row.app_id, row.rank) for row in ranking.rows] == [(1, 3)]
    assert ranking.listed == 3
    past = board(figures, apps, ask(0, 0, offset=3))
    assert (past.rows, past.listed) == ((), 3)


def test_one_token_decides_where_floats_could_not_tell() -> None:
    for base in (2**53, 2**60, 2**63, 2**80):
        figures = {(at(0), 1): (1, base), (at(0), 2): (1, base + 1)}
        assert ids(board(figures, [App(1), App(2)], ask(0, 0))) == [2, 1]


def test_trending_lists_an_excess_of_a_third_and_not_one_of_zero() -> None:
    before = {(at(day), app_id): (1, 10) for day in (0, 1, 2) for app_id in (1, 2)}
    figures = {**before, (at(2), 2): (1, 9), (at(3), 1): (1, 10), (at(3), 2): (1, 10)}
    assert ids(board(figures, [App(1), App(2)], ask(3, 3, sort=Sort.TRENDING))) == [2]


def test_days_before_the_floor_count_as_zero_in_trending() -> None:
    assert ids(board({(at(-1), 1): (1, 99), (at(0), 1): (1, 1)}, [App(1)], ask(0, 0, sort=Sort.TRENDING))) == [1]


def test_a_hidden_alias_counts_for_its_visible_root_and_a_hidden_root_hides_its_aliases() -> None:
    figures = {(at(0), app_id): (1, 10) for app_id in (1, 2, 3, 4)}
    apps = [
        App(1),
        App(2, canonical_id=1, visibility="hidden"),
        App(3, visibility="hidden"),
        App(4, canonical_id=3),
    ]
    ranking = board(figures, apps, ask(0, 0))
    assert [(row.app_id, row.tokens) for row in ranking.rows] == [(1, 20)]
    assert Share(20, 2) == ranking.totals.unlisted


def test_requests_without_tokens_are_unlisted() -> None:
    ranking = board({(at(0), 1): (5, 0), (at(0), 0): (1, 3)}, [App(1)], ask(0, 0))
    assert ranking.rows == ()
    assert (Share(3, 6), Share(0, 5), Share(3, 1)) == (
        ranking.totals.all_traffic,
        ranking.totals.unlisted,
        ranking.totals.unattributed,
    )


def test_usage_of_an_app_the_catalog_does_not_know_is_unlisted() -> None:
    ranking = board({(at(0), 9): (1, 10)}, [App(1)], ask(0, 0))
    assert (0, Share(10, 1)) == (ranking.listed, ranking.totals.unlisted)


def test_an_alias_s_root_may_have_no_usage_of_its_own() -> None:
    assert ids(board({(at(0), 1): (1, 10)}, [App(1, canonical_id=9), App(9)], ask(0, 0))) == [9]


def test_totals_are_those_of_the_window_whatever_is_asked_of_it() -> None:
    figures = {(at(day), app_id): (1, 10 * app_id) for day in (0, 1) for app_id in (0, 1, 2)}
    apps = [App(1, categories=("game",)), App(2)]
    window = Window(at(1), at(1))
    expected = board(figures, apps, ask(1, 1)).totals
    for sort in Sort:
        question = Question(sort, "coding", None, window, limit=1, offset=0)
        assert expected == board(figures, apps, question).totals


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(numbers) | st.lists(huge), st.integers(1, 12))
def test_the_best_are_those_a_full_sort_puts_first(scores: list[int], count: int) -> None:
    exact = any(score >= 2**63 for score in scores)
    found = select_best(np.array(scores, object if exact else np.int64), np.arange(len(scores)) + 10, count)
    assert sorted(range(10, 10 + len(scores)), key=lambda app_id: (-scores[app_id - 10], app_id))[:count] == found


@settings(max_examples=examples(200), deadline=None)
@given(
    figures=datasets(numbers) | datasets(huge),
    apps=app_lists,
    question=questions,
)
def test_every_ranking_is_what_plain_rules_give(figures: Figures, apps: list[App], question: Question) -> None:
    known = {app.id: app for app in apps}
    ranking = board(figures, apps, question)
    expected = reference_rows(figures, known, FLOOR, question)
    assert len(expected) == ranking.listed
    assert [
        RankedApp(app_id, known[app_id].name, place, requests, tokens)
        for place, (app_id, requests, tokens) in enumerate(expected, start=1)
    ][question.offset : question.offset + question.limit] == list(ranking.rows)
    sums = window_figures(figures, known, FLOOR, question.window.start, question.window.end)
    listed = [entry for app_id, entry in sums.items() if is_visible(known, app_id) and entry[1] > 0]
    totals = ranking.totals
    assert (
        Share(sum(entry[1] for entry in sums.values()), sum(entry[0] for entry in sums.values())) == totals.all_traffic
    )
    assert Share(sum(entry[1] for entry in listed), sum(entry[0] for entry in listed)) == totals.listed
    assert Share(*reversed(sums.get(0, [0, 0]))) == totals.unattributed
    for metric in ("tokens", "requests"):
        parts = [getattr(share, metric) for share in (totals.listed, totals.unlisted, totals.unattributed)]
        assert getattr(totals.all_traffic, metric) == sum(parts)
        assert min(parts) >= 0


@pytest.mark.parametrize("sort", list(Sort))
def test_many_apps_agree_with_a_full_sort(sort: Sort) -> None:
    random = np.random.default_rng(7)
    figures = {(at(day), app_id): (1, int(random.integers(0, 50))) for day in range(4) for app_id in range(1, 1001)}
    apps = {app_id: App(app_id, canonical_id=app_id - 1 if app_id % 7 == 0 else None) for app_id in range(1, 1001)}
    question = ask(3, 3, sort=sort, limit=100, offset=100)
    expected = [app_id for app_id, _, _ in reference_rows(figures, apps, FLOOR, question)][100:200]
    assert expected == ids(board(figures, list(apps.values()), question))
