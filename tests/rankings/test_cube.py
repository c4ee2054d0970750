from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.rankings.fakes import Figures, rows_of, split
from tokenboard.rankings import METRICS, Cube, Metric
from tokenboard.rankings.cube import MAX_STEP

FLOOR = date(2026, 1, 1)
WIDTH = 40
STEPS = [1, 2, 4, 8, 64]


def at(offset: int) -> date:
    return FLOOR + timedelta(days=offset)


@pytest.fixture(params=STEPS)
def step(request: pytest.FixtureRequest) -> int:
    """Each form of the cube, from the dense one on."""
    found: int = request.param
    return found


def cube_of(figures: Figures, step: int = 1) -> Cube:
    cube = Cube(FLOOR, step)
    cube.replace_days(rows_of(figures), {day for day, _ in figures})
    return cube


def slow_sums(figures: Figures, metric: Metric, start: date, end: date) -> list[int]:
    sums = [0] * WIDTH
    for (day, app_id), values in figures.items():
        if max(start, FLOOR) <= day <= end:
            requests, tokens = values
            prompt, cached, reasoning = split(tokens)
            kept = {"requests": requests, "tokens": tokens, "prompt": prompt, "cached": cached, "reasoning": reasoning}
            sums[app_id] += kept[metric]
    return sums


def test_an_empty_cube_has_only_zeros() -> None:
    cube = Cube(FLOOR)
    assert cube.window_sums("tokens", date.min, date.max - timedelta(days=1)).tolist() == [0]
    assert cube.nbytes == 0
    assert (cube.width, cube.days) == (1, 0)


@pytest.mark.parametrize("wrong", [0, 3, -2, 2 * MAX_STEP])
def test_a_step_is_a_power_of_two_within_bounds(wrong: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Cube(FLOOR, wrong)


def test_days_before_the_floor_count_as_zero(step: int) -> None:
    cube = cube_of({(at(-1), 1): (1, 100), (at(0), 1): (1, 10)}, step)
    assert cube.window_sums("tokens", at(-5), at(5)).tolist() == [0, 10]


def test_days_after_the_last_known_add_nothing(step: int) -> None:
    cube = cube_of({(at(3), 1): (2, 10)}, step)
    assert cube.window_sums("requests", at(3), at(300)).tolist() == [0, 2]
    assert cube.window_sums("requests", at(4), at(300)).tolist() == [0, 0]


def test_three_before_sums_the_three_equal_windows(step: int) -> None:
    cube = cube_of({(at(day), 1): (1, 10**day) for day in range(9)}, step)
    assert cube.three_before("tokens", at(6), at(7)).tolist() == [0, 111111]


def test_a_day_is_replaced_not_added_to(step: int) -> None:
    cube = cube_of({(at(0), 1): (1, 10), (at(0), 2): (1, 5), (at(1), 1): (1, 1)}, step)
    assert cube.replace_days(rows_of({(at(0), 1): (2, 20)}), [at(0)])
    assert cube.window_sums("tokens", at(0), at(1)).tolist() == [0, 21, 0]
    assert cube.window_sums("requests", at(0), at(1)).tolist() == [0, 3, 0]


def test_replacing_a_day_with_the_same_figures_changes_nothing(step: int) -> None:
    figures = {(at(0), 1): (1, 10)}
    assert not cube_of(figures, step).replace_days(rows_of(figures), [at(0), at(7)])


def test_rows_of_the_same_day_and_app_add_up(step: int) -> None:
    rows = rows_of({(at(0), 1): (1, 10), (at(0), 2): (1, 5)})
    rows.app_id[:] = 1
    cube = Cube(FLOOR, step)
    cube.replace_days(rows, [at(0)])
    assert cube.window_sums("tokens", at(0), at(0)).tolist() == [0, 15]


def test_window_sums_are_as_wide_as_asked(step: int) -> None:
    cube = cube_of({(at(0), 1): (1, 10)}, step)
    assert cube.window_sums("tokens", at(0), at(0), 4).tolist() == [0, 10, 0, 0]
    assert cube.window_sums("tokens", at(0), at(0), 1).tolist() == [0, 10]


def test_window_sums_do_not_follow_later_changes(step: int) -> None:
    cube = cube_of({(at(0), 1): (1, 10)}, step)
    sums = cube.window_sums("tokens", at(0), at(0))
    cube.replace_days(rows_of({}), [at(0)])
    assert sums.tolist() == [0, 10]


def test_figures_stay_int64_while_three_times_all_of_them_fits(step: int) -> None:
    most = (2**63 - 1) // 3
    assert np.int64 == cube_of({(at(0), 1): (1, most)}, step).window_sums("tokens", at(0), at(0)).dtype
    assert object == cube_of({(at(0), 1): (1, most + 1)}, step).window_sums("tokens", at(0), at(0)).dtype
    assert (
        object == cube_of({(at(0), 1): (1, most), (at(1), 2): (1, 1)}, step).window_sums("tokens", at(0), at(0)).dtype
    )


def test_figures_of_earlier_replacements_count_towards_what_still_fits(step: int) -> None:
    cube = cube_of({(at(0), 1): (1, (2**63 - 1) // 3)}, step)
    assert cube.window_sums("tokens", at(0), at(0)).dtype == np.int64
    cube.replace_days(rows_of({(at(1), 2): (1, 1)}), [at(1)])
    assert cube.window_sums("tokens", at(0), at(0)).dtype == object


def test_one_metric_turns_exact_without_the_other_and_keeps_its_figures(step: int) -> None:
    cube = cube_of({(at(0), 1): (3, 2**53 + 1)}, step)
    cube.replace_days(rows_of({(at(1), 2): (1, 2**70 + 1)}), [at(1)])
    assert cube.window_sums("tokens", at(0), at(1)).tolist() == [0, 2**53 + 1, 2**70 + 1]
    assert np.int64 == cube.window_sums("requests", at(0), at(1)).dtype


def test_memory_is_what_figures_and_checkpoints_take() -> None:
    figures = {(at(day), app_id): (1, 2**40) for day in range(40) for app_id in range(1, 4)}
    # By app and day: the app's id, tokens and prompt in 64 bits, requests, cached and reasoning.
    of_days = 40 * 3 * (4 + 8 + 1 + 8 + 8 + 8)
    assert of_days + (2 * 40 + 3) * 4 * 8 == cube_of(figures).nbytes
    assert of_days + (2 * 5 + 3) * 4 * 8 == cube_of(figures, 8).nbytes


def test_a_day_is_kept_as_narrow_as_its_figures_allow() -> None:
    per_app = [cube_of({(at(0), 1): (1, tokens)}, 64).nbytes for tokens in (100, 255, 1000, 70_000, 2**33)]
    # The app's id, requests, tokens, prompt, cached, reasoning.
    assert [4 + 1 + 1 + 1 + 1 + 1] * 2 + [
        4 + 1 + 2 + 2 + 2 + 1,
        4 + 1 + 4 + 2 + 2 + 2,
        4 + 1 + 8 + 8 + 4 + 4,
    ] == per_app


def test_thinning_leaves_every_other_checkpoint_out_until_there_is_nothing_to_gain() -> None:
    figures = {(at(day), app_id): (1, 10**day % 997) for day in range(70) for app_id in range(1, 9)}
    cube = cube_of(figures)
    while True:
        assert (
            slow_sums(figures, "tokens", at(13), at(57)) == cube.window_sums("tokens", at(13), at(57), WIDTH).tolist()
        )
        assert cube_of(figures, cube.step).nbytes == cube.nbytes
        if not cube.thin():
            break
    assert cube.step == MAX_STEP


def test_apps_that_come_later_widen_no_earlier_checkpoint() -> None:
    figures = {(at(day), 100 * day + 1): (1, 1) for day in range(20)}
    assert sum(100 * day + 2 for day in range(20)) * 8 * 2 + 20 * 9 == cube_of(figures).nbytes


def test_figures_of_other_days_are_refused_and_change_nothing() -> None:
    cube = cube_of({(at(0), 1): (1, 10)})
    with pytest.raises(ValueError, match="not to be replaced"):
        cube.replace_days(rows_of({(at(0), 1): (1, 1), (at(1), 1): (1, 1)}), [at(0)])
    assert cube.window_sums("tokens", at(0), at(9)).tolist() == [0, 10]


@pytest.mark.parametrize("figures", [{(at(0), -1): (1, 1)}, {(at(0), 1): (-1, 1)}, {(at(0), 1): (1, -1)}])
def test_negative_app_ids_and_figures_are_refused(figures: Figures) -> None:
    with pytest.raises(ValueError, match="negative"):
        cube_of(figures)


def test_columns_of_unequal_length_are_refused() -> None:
    rows = rows_of({(at(0), 1): (1, 1)})
    shorter = replace(rows, requests=rows.requests[:0])
    with pytest.raises(ValueError, match="length"):
        Cube(FLOOR).replace_days(shorter, [at(0)])


def test_more_prompt_tokens_than_tokens_are_refused() -> None:
    rows = rows_of({(at(0), 1): (1, 10)})
    with pytest.raises(ValueError, match="more prompt tokens"):
        Cube(FLOOR).replace_days(replace(rows, prompt=rows.tokens + 1), [at(0)])


def test_an_app_id_past_32_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bits"):
        cube_of({(at(0), 2**32): (1, 1)})


def test_windows_that_end_before_they_start_are_refused() -> None:
    for ask in (Cube(FLOOR).window_sums, Cube(FLOOR).three_before):
        with pytest.raises(ValueError, match="after its end"):
            ask("tokens", at(1), at(0))


def test_preparing_changes_no_figure(step: int) -> None:
    cube = cube_of({(at(0), 1): (1, 10)}, step)
    replacement = cube.prepare(rows_of({(at(99), 99): (1, 2**80)}), [at(0), at(99)])
    assert cube.window_sums("tokens", at(0), at(99)).tolist() == [0, 10]
    assert cube.apply(replacement)
    assert sum(cube.window_sums("tokens", at(0), at(99)).tolist()) == 2**80


def test_a_replacement_prepared_for_earlier_figures_is_refused() -> None:
    cube = Cube(FLOOR)
    rows = rows_of({(at(0), 1): (1, 10)})
    first, second = cube.prepare(rows, [at(0)]), cube.prepare(rows, [at(0)])
    cube.apply(first)
    with pytest.raises(ValueError, match="changed since"):
        cube.apply(second)


amounts = st.sampled_from([0, 1, 2, 3, 2**53, 2**53 + 1, 2**61, 2**63 - 1, 2**63, 2**70]) | st.integers(0, 10)
small = st.integers(0, 1000)
app_ids = st.integers(0, WIDTH - 1)
offsets = st.integers(-3, 30)


def portions(values: st.SearchStrategy[int]) -> st.SearchStrategy[list[dict[int, dict[int, tuple[int, int]]]]]:
    """A series of replacements: by day the figures by app."""
    figures = st.dictionaries(app_ids, st.tuples(small, values), max_size=6)
    return st.lists(st.dictionaries(offsets, figures, min_size=1, max_size=4), max_size=8)


@settings(max_examples=examples(100), deadline=None)
@given(
    series=portions(small) | portions(amounts),
    start=offsets,
    length=st.integers(1, 12),
    step=st.sampled_from(STEPS),
    thinned_after=st.integers(0, 8),
)
def test_days_replaced_in_any_order_give_what_a_dict_gives_in_every_form(
    series: list[dict[int, dict[int, tuple[int, int]]]], start: int, length: int, step: int, thinned_after: int
) -> None:
    cube = Cube(FLOOR, step)
    figures: dict[tuple[date, int], tuple[int, int]] = {}
    for number, portion in enumerate(series):
        days = {at(offset) for offset in portion}
        new = {(at(offset), app_id): values for offset, apps in portion.items() for app_id, values in apps.items()}
        before = {key: values for key, values in figures.items() if any(values)}
        figures = {key: values for key, values in figures.items() if key[0] not in days} | new
        after = {key: values for key, values in figures.items() if any(values)}
        changed = {key: values for key, values in before.items() if key[0] >= FLOOR} != {
            key: values for key, values in after.items() if key[0] >= FLOOR
        }
        assert changed == cube.replace_days(rows_of(new), days)
        if number == thinned_after:
            cube.thin()
    rebuilt = cube_of(figures, step)
    first, last = at(start), at(start + length - 1)
    back = timedelta(days=length)
    some = np.array([3, 0, 17, 5, 39])
    for metric in METRICS:
        expected = slow_sums(figures, metric, first, last)
        before_it = slow_sums(figures, metric, first - 3 * back, first - timedelta(days=1))
        by_day = [slow_sums(figures, metric, day, day) for day in (at(start + n) for n in range(length))]
        for each in (cube, rebuilt):
            assert expected == each.window_sums(metric, first, last, WIDTH).tolist()
            assert before_it == each.three_before(metric, first, last, WIDTH).tolist()
            assert [expected[app_id] for app_id in some] == each.sums_of(metric, some, first, last).tolist()
            (found,) = each.series((metric,), some, first, last)
            assert [[sums[app_id] for app_id in some] for sums in by_day] == found.tolist()
    for each in (cube, rebuilt):
        assert [used_on(figures, app_id) for app_id in some.tolist()] == each.last_days(some)


def used_on(figures: Figures, app_id: int) -> date | None:
    """The last day of the dataset on which the app had any figure."""
    return max(
        (day for (day, app), values in figures.items() if app == app_id and any(values) and day >= FLOOR), default=None
    )
