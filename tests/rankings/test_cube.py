from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rankings.fakes import Figures, rows_of
from tokenboard.rankings import METRICS, Cube, Metric

FLOOR = date(2026, 1, 1)
WIDTH = 40


def at(offset: int) -> date:
    return FLOOR + timedelta(days=offset)


def cube_of(figures: Figures) -> Cube:
    cube = Cube(FLOOR)
    cube.replace_days(rows_of(figures), {day for day, _ in figures})
    return cube


def slow_sums(figures: Figures, metric: Metric, start: date, end: date) -> list[int]:
    sums = [0] * WIDTH
    for (day, app_id), values in figures.items():
        if max(start, FLOOR) <= day <= end:
            sums[app_id] += values[0 if metric == "requests" else 1]
    return sums


def test_an_empty_cube_has_only_zeros() -> None:
    cube = Cube(FLOOR)
    assert cube.window_sums("tokens", date.min, date.max - timedelta(days=1)).tolist() == [0]
    assert cube.nbytes == 16


def test_days_before_the_floor_count_as_zero() -> None:
    cube = cube_of({(at(-1), 1): (1, 100), (at(0), 1): (1, 10)})
    assert cube.window_sums("tokens", at(-5), at(5)).tolist() == [0, 10]


def test_days_after_the_last_known_add_nothing() -> None:
    cube = cube_of({(at(3), 1): (2, 10)})
    assert cube.window_sums("requests", at(3), at(300)).tolist() == [0, 2]
    assert cube.window_sums("requests", at(4), at(300)).tolist() == [0, 0]


def test_three_before_sums_the_three_equal_windows() -> None:
    cube = cube_of({(at(day), 1): (1, 10**day) for day in range(9)})
    assert cube.three_before("tokens", at(6), at(7)).tolist() == [0, 111111]


def test_a_day_is_replaced_not_added_to() -> None:
    cube = cube_of({(at(0), 1): (1, 10), (at(0), 2): (1, 5), (at(1), 1): (1, 1)})
    assert cube.replace_days(rows_of({(at(0), 1): (2, 20)}), [at(0)])
    assert cube.window_sums("tokens", at(0), at(1)).tolist() == [0, 21, 0]
    assert cube.window_sums("requests", at(0), at(1)).tolist() == [0, 3, 0]


def test_replacing_a_day_with_the_same_figures_changes_nothing() -> None:
    figures = {(at(0), 1): (1, 10)}
    assert not cube_of(figures).replace_days(rows_of(figures), [at(0), at(7)])


def test_rows_of_the_same_day_and_app_add_up() -> None:
    rows = rows_of({(at(0), 1): (1, 10), (at(0), 2): (1, 5)})
    rows.app_id[:] = 1
    cube = Cube(FLOOR)
    cube.replace_days(rows, [at(0)])
    assert cube.window_sums("tokens", at(0), at(0)).tolist() == [0, 15]


def test_window_sums_are_as_wide_as_asked() -> None:
    cube = cube_of({(at(0), 1): (1, 10)})
    assert cube.window_sums("tokens", at(0), at(0), 4).tolist() == [0, 10, 0, 0]
    assert cube.window_sums("tokens", at(0), at(0), 1).tolist() == [0, 10]


def test_window_sums_do_not_follow_later_changes() -> None:
    cube = cube_of({(at(0), 1): (1, 10)})
    sums = cube.window_sums("tokens", at(0), at(0))
    cube.replace_days(rows_of({}), [at(0)])
    assert sums.tolist() == [0, 10]


def test_figures_stay_int64_while_three_times_all_of_them_fits() -> None:
    most = (2**63 - 1) // 3
    assert np.int64 == cube_of({(at(0), 1): (1, most)}).window_sums("tokens", at(0), at(0)).dtype
    assert object == cube_of({(at(0), 1): (1, most + 1)}).window_sums("tokens", at(0), at(0)).dtype
    assert object == cube_of({(at(0), 1): (1, most), (at(1), 2): (1, 1)}).window_sums("tokens", at(0), at(0)).dtype


def test_figures_of_earlier_replacements_count_towards_what_still_fits() -> None:
    cube = cube_of({(at(0), 1): (1, (2**63 - 1) // 3)})
    assert cube.window_sums("tokens", at(0), at(0)).dtype == np.int64
    cube.replace_days(rows_of({(at(1), 2): (1, 1)}), [at(1)])
    assert cube.window_sums("tokens", at(0), at(0)).dtype == object


def test_one_metric_turns_exact_without_the_other_and_keeps_its_figures() -> None:
    cube = cube_of({(at(0), 1): (3, 2**53 + 1)})
    cube.replace_days(rows_of({(at(1), 2): (1, 2**70 + 1)}), [at(1)])
    assert cube.window_sums("tokens", at(0), at(1)).tolist() == [0, 2**53 + 1, 2**70 + 1]
    assert np.int64 == cube.window_sums("requests", at(0), at(1)).dtype


def test_memory_is_reported_in_bytes_of_both_metrics() -> None:
    assert cube_of({(at(9), 100): (1, 1)}).nbytes == 11 * 101 * 8 * 2


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
    shorter = type(rows)(rows.day, rows.app_id, rows.requests[:0], rows.tokens)
    with pytest.raises(ValueError, match="length"):
        Cube(FLOOR).replace_days(shorter, [at(0)])


def test_windows_that_end_before_they_start_are_refused() -> None:
    for ask in (Cube(FLOOR).window_sums, Cube(FLOOR).three_before):
        with pytest.raises(ValueError, match="after its end"):
            ask("tokens", at(1), at(0))


def test_preparing_changes_no_figure() -> None:
    cube = cube_of({(at(0), 1): (1, 10)})
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


@settings(max_examples=150, deadline=None)
@given(series=portions(small) | portions(amounts), start=offsets, length=st.integers(1, 12))
def test_days_replaced_in_any_order_give_what_a_dict_gives(
    series: list[dict[int, dict[int, tuple[int, int]]]], start: int, length: int
) -> None:
    cube = Cube(FLOOR)
    figures: dict[tuple[date, int], tuple[int, int]] = {}
    for portion in series:
        days = {at(offset) for offset in portion}
        new = {(at(offset), app_id): values for offset, apps in portion.items() for app_id, values in apps.items()}
        before = {key: values for key, values in figures.items() if any(values)}
        figures = {key: values for key, values in figures.items() if key[0] not in days} | new
        after = {key: values for key, values in figures.items() if any(values)}
        changed = {key: values for key, values in before.items() if key[0] >= FLOOR} != {
            key: values for key, values in after.items() if key[0] >= FLOOR
        }
        assert changed == cube.replace_days(rows_of(new), days)
    rebuilt = cube_of(figures)
    first, last = at(start), at(start + length - 1)
    back = timedelta(days=length)
    for metric in METRICS:
        expected = slow_sums(figures, metric, first, last)
        before_it = slow_sums(figures, metric, first - 3 * back, first - timedelta(days=1))
        for each in (cube, rebuilt):
            assert expected == each.window_sums(metric, first, last, WIDTH).tolist()
            assert before_it == each.three_before(metric, first, last, WIDTH).tolist()
