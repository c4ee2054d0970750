"""Movements: what a slow and obvious reader of the rules finds, the same from wherever one begins to look."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise, permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from tokenboard.web.feeds.movements import LEVELS, LOOKBACK, RANKED, AppSeries, Movement, movements, slack

FIRST = date(2026, 1, 1)


def days(count: int) -> list[date]:
    return [FIRST + timedelta(days=day) for day in range(count)]


def ranked(
    weeks: Mapping[int, Sequence[int]], before: Mapping[int, Sequence[int]] | None = None
) -> dict[int, AppSeries]:
    """Return courses of apps whose weekly tokens these are: ranks follow."""
    ranks: dict[int, list[int | None]] = {app_id: [] for app_id in weeks}
    for day in range(len(next(iter(weeks.values()), ()))):
        listed = sorted((-tokens[day], app_id) for app_id, tokens in weeks.items() if tokens[day])
        places = {app_id: place for place, (_, app_id) in enumerate(listed, start=1)}
        for app_id in weeks:
            place = places.get(app_id)
            ranks[app_id].append(place if place is None or place <= RANKED + slack(RANKED) else None)
    nothing = {app_id: [0] * len(tokens) for app_id, tokens in weeks.items()}
    return {app_id: AppSeries(tokens, (before or nothing)[app_id], ranks[app_id]) for app_id, tokens in weeks.items()}


def turned(states: Sequence[int], day: int) -> bool:
    """Whether a state is high on a day and, of the thirty days before, the last that was not between was low."""
    if states[day] != 1:
        return False
    for earlier in range(day - 1, max(day - LOOKBACK, 0) - 1, -1):
        if states[earlier]:
            return states[earlier] == -1
    return False


def compare(one: int, other: int) -> int:
    if one * 100 >= other * 105 and one > other:
        return 1
    return -1 if other * 100 >= one * 105 and other > one else 0


def by_the_rules(at: list[date], series_of_apps: dict[int, AppSeries], shown: int) -> list[Movement]:
    found = []
    for day in range(max(len(at) - shown, 0), len(at)):
        within = {
            a: rank
            for a, course in series_of_apps.items()
            if (rank := course.ranks[day]) is not None and rank <= RANKED
        }
        for app_id, rank in within.items():
            course = series_of_apps[app_id]
            inside = {
                level: [-1 if r is None or r > level + slack(level) else int(r <= level) for r in course.ranks]
                for level in LEVELS
            }
            hot = [
                (-1 if not week else 0) if not three else 1 if 3 * week >= 2 * three else -1 if 2 * week < three else 0
                for week, three in zip(course.tokens, course.before, strict=True)
            ]
            entered = [level for level in LEVELS if turned(inside[level], day)]
            passed = [
                (their, other)
                for other, their in within.items()
                if turned(
                    [compare(*pair) for pair in zip(course.tokens, series_of_apps[other].tokens, strict=True)], day
                )
            ]
            trends = turned(hot, day)
            if entered or passed or trends:
                beaten = tuple(other for _, other in sorted(passed))
                level = min(entered, default=None)
                found.append(
                    Movement(at[day], app_id, rank, course.tokens[day], course.before[day], level, beaten, trends)
                )
    return sorted(found, key=lambda each: (-each.day.toordinal(), each.rank))


figure = st.one_of(st.integers(0, 120), st.integers(95, 106), st.integers(2**62, 2**66))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[date], dict[int, AppSeries], int]:
    count = draw(st.integers(0, 70))
    apps = draw(st.integers(0, 6))
    runs = st.lists(st.tuples(figure, st.integers(1, 40)), min_size=1, max_size=8)

    def course() -> list[int]:
        values = [value for value, times in draw(runs) for _ in range(times)]
        return (values * 70)[:count]

    weeks = {app_id: course() for app_id in range(1, apps + 1)}
    before = {app_id: course() for app_id in weeks}
    return days(count), ranked(weeks, before), draw(st.integers(0, 40))


@settings(deadline=None, max_examples=60)
@given(histories())
def test_what_moved_is_what_the_rules_say(history: tuple[list[date], dict[int, AppSeries], int]) -> None:
    assert by_the_rules(*history) == movements(*history)


@settings(deadline=None, max_examples=60)
@given(histories(), st.integers(0, 10))
def test_a_days_movements_are_the_same_however_long_ago_it_was(
    history: tuple[list[date], dict[int, AppSeries], int], later: int
) -> None:
    at, series_of_apps, _ = history
    if len(at) <= LOOKBACK + later:
        return
    today = movements(at, series_of_apps, len(at) - LOOKBACK)
    cut = {
        app_id: AppSeries(one.tokens[later:], one.before[later:], one.ranks[later:])
        for app_id, one in series_of_apps.items()
    }
    again = movements(at[later:], cut, len(at) - later - LOOKBACK)
    assert [each for each in today if each.day >= at[later + LOOKBACK]] == again


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(960, 1040), min_size=LOOKBACK + 2, max_size=70))
def test_two_apps_of_about_equal_use_never_pass_each_other(weeks: list[int]) -> None:
    series_of_apps = ranked({1: [1_000] * len(weeks), 2: weeks})
    assert [] == [each for each in movements(days(len(weeks)), series_of_apps, len(weeks)) if each.passed]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(1, 200), min_size=40, max_size=40), min_size=2, max_size=4))
def test_between_two_passes_of_a_pair_the_other_was_ahead_by_five_percent(weeks: list[list[int]]) -> None:
    by_id = dict(enumerate(weeks, start=1))
    found = movements(days(40), ranked(by_id), 40)
    for one, other in permutations(by_id, 2):
        passes = sorted((each.day - FIRST).days for each in found if each.app_id == one and other in each.passed)
        for earlier, later in pairwise(passes):
            assert any(compare(by_id[other][day], by_id[one][day]) == 1 for day in range(earlier, later))


def test_an_app_at_the_edge_of_the_top_enters_it_once() -> None:
    ranks: list[int | None] = [None] * 31 + [10, 11, 10, 12, 13, 9, 11, 10] + [14] + [10]
    tokens = [0 if rank is None else 1_000 - rank for rank in ranks]
    course = AppSeries(tokens, [0] * len(ranks), ranks)
    found = movements(days(len(ranks)), {1: course}, 11)
    assert [(days(len(ranks))[40], 10), (days(len(ranks))[31], 10)] == [(each.day, each.entered) for each in found]


def test_an_app_that_jumps_is_told_once_with_the_highest_level_and_all_it_passed() -> None:
    weeks = {app_id: [1_000 - 50 * app_id] * 40 for app_id in range(1, 6)} | {9: [0] * 39 + [5_000]}
    (movement,) = movements(days(40), ranked(weeks), 1)
    assert (9, 1, 3, (1, 2, 3, 4, 5)) == (movement.app_id, movement.rank, movement.entered, movement.passed)


def test_an_app_trends_at_twice_its_mean_and_not_again_before_it_was_calm() -> None:
    weeks = [100] * 31 + [199, 200, 180, 210, 149, 200]
    series_of_apps = {1: AppSeries(weeks, [300] * len(weeks), [1] * len(weeks))}
    found = movements(days(len(weeks)), series_of_apps, 6)
    assert [36, 32] == [(each.day - FIRST).days for each in found if each.trending]


def test_no_apps_and_no_days_are_no_movements() -> None:
    assert [] == movements([], {}, 30)
    assert [] == movements(days(60), {}, 30)
