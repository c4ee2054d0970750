"""What charts say: exact figures, whole names, in words and in tips."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.charts.figures import LAST, days, every_chart, ten, values
from tests.web.names import HOSTILE
from tokenboard.web.charts import Series, Share, Size, hours, lines, ranks, shares, single, stacked_days, window_name
from tokenboard.web.charts.bins import bins_of
from tokenboard.web.charts.scale import scale_to


def test_a_tip_tells_day_name_and_the_exact_figure() -> None:
    drawing = stacked_days(days(1), [Series("Cline", 1, (1_234_567_890,))], Size.WIDE, title="Top apps")
    assert ("20 Nov · Cline · 1.23B tokens (1,234,567,890)",) == drawing.tips


def test_figures_beyond_what_a_float_holds_are_told_to_the_last_digit() -> None:
    drawing = single(days(2), (2**53 + 1, 10**30 + 7), Size.PHONE, title="Tokens")
    assert "19 Nov · 9.01Q tokens (9,007,199,254,740,993)" == drawing.tips[0]
    assert drawing.tips[1].endswith("(1,000,000,000,000,000,000,000,000,000,007)")


def test_no_name_and_no_figure_reaches_vega() -> None:
    for size in Size:
        for drawing in every_chart(size):
            spec = drawing.spec.decode()
            assert not [name for name in HOSTILE if len(name) > 1 and name[:12] in spec]
            assert drawing.title not in spec


def test_a_title_keeps_the_marks_that_isolate_a_name_and_no_other() -> None:
    drawing = single(days(1), (1,), Size.WIDE, title="Tokens of \u2068محرر\u2069,\n\u202eby\x00 day")
    assert "Tokens of \u2068محرر\u2069, by day" == drawing.title
    assert "Tokens of محرر" == single(days(1), (1,), Size.WIDE, title="Tokens of \u2068محرر").title


def test_a_day_of_nothing_has_no_mark() -> None:
    drawing = single(days(3), (1, 0, 2), Size.WIDE, title="Requests", unit="requests")
    assert ("18 Nov · 1 request", "20 Nov · 2 requests") == drawing.tips


def test_past_120_days_a_bar_is_of_seven_and_the_words_say_so() -> None:
    whole = stacked_days(days(120), ten(120), Size.WIDE, title="Top apps")
    binned = stacked_days(days(366), ten(366), Size.WIDE, title="Top apps")
    assert "Each bar" not in whole.description
    assert "Each bar sums 7 days; the first sums 2 days." in binned.description
    assert binned.tips[1].startswith("22–28 Nov · Application 0 · ")


def test_equal_drawings_have_equal_keys_and_a_figure_more_changes_it() -> None:
    one, same, other = (
        stacked_days(days(2), [Series("a", 1, (5_000_000, last))], Size.WIDE, title="t") for last in (7, 7, 8)
    )
    renamed = stacked_days(days(2), [Series("b", 1, (5_000_000, 7))], Size.WIDE, title="t")
    assert one.key == same.key
    assert 3 == len({one.key, other.key, renamed.key})


def test_series_of_another_length_than_the_days_are_refused() -> None:
    with pytest.raises(ValueError, match="2 values for 3 days"):
        stacked_days(days(3), [Series("a", 1, (1, 2))], Size.WIDE, title="t")
    with pytest.raises(ValueError, match="2 values for 3 days"):
        lines(days(3), [Series("a", 1, (1, 2))], Size.WIDE, title="t")
    with pytest.raises(ValueError, match="2 places for 3 days"):
        ranks(days(3), (1, 2), Size.WIDE, title="t")


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="a place is 1 or more"):
        ranks(days(1), (0,), Size.WIDE, title="t")
    with pytest.raises(ValueError, match="no weekday 8"):
        hours([(8, 0, 1)], Size.WIDE, title="t")
    with pytest.raises(ValueError, match="at most 30"):
        shares([Share("a", 1, 0.1)] * 31, Size.WIDE, title="t")


def test_the_words_of_a_ranks_chart_name_best_and_last() -> None:
    drawing = ranks(days(4), (3, None, 2, 5), Size.WIDE, title="Rank")
    assert "Place by UTC day, 17–20 Nov 2026. Listed on 3 days, best #2 on 19 Nov, last #5." == drawing.description
    assert "18 Nov · no tokens" == drawing.tips[1]


def test_the_words_of_an_hours_chart_name_the_busiest() -> None:
    drawing = hours([(1, 9, 500), (7, 23, 1_500_000)], Size.WIDE, title="Hours")
    assert drawing.description.endswith("1.5M in all, most on Sunday from 23:00, 1.5M.")
    assert "Sunday 23–00 UTC · 1.5M tokens (1,500,000)" in drawing.tips


def test_windows_are_named_by_their_days() -> None:
    assert "20 Nov 2026" == window_name(LAST, LAST)
    assert "14–20 Nov 2026" == window_name(LAST - timedelta(days=6), LAST)
    assert "22 Oct – 20 Nov 2026" == window_name(LAST - timedelta(days=29), LAST)
    assert "20 Nov 2025 – 20 Nov 2026" == window_name(LAST - timedelta(days=365), LAST)


@given(st.integers(0, 366))
def test_bins_hold_every_day_once_and_the_last_is_whole(count: int) -> None:
    bins = bins_of(days(count))
    assert list(range(count)) == [day for start, end in bins.edges for day in range(start, end)]
    assert sum(values(count)) == sum(bins.sums(values(count)))
    assert (count > 120) == bins.weekly
    if bins.weekly:
        assert {7} == {end - start for start, end in bins.edges[1:]}


@given(st.integers(1, 366), st.sampled_from(Size), st.integers(0, 365))
def test_labels_are_no_more_than_there_is_room_for(count: int, size: Size, back: int) -> None:
    bins = bins_of([day - timedelta(days=back) for day in days(count)])
    ticks = bins.ticks(size)
    assert 0 < len(ticks) <= size.across + 1
    assert set(ticks) <= set(range(len(bins.edges)))
    assert sorted(ticks) == list(ticks)


@given(st.integers(1, 10**6), st.integers(2, 6))
def test_a_scale_is_the_finest_of_round_steps(highest: int, most: int) -> None:
    steps = [factor * 10**power for power in range(8) for factor in (1, 2, 5)]
    step = next(step for step in steps if -(-highest // step) <= most)
    scale = scale_to(highest, most)
    assert (step * -(-highest // step), -(-highest // step)) == (scale.top, scale.steps)


@given(st.integers(1, 10**40), st.integers(0, 10**40))
def test_a_part_of_a_scale_is_within_it_whatever_the_size(highest: int, value: int) -> None:
    assert 0 <= scale_to(highest, 4).part(min(value, highest)) <= 1
