"""A metric knows its column, its words and its figure of whatever has both."""

from datetime import date

import pytest

from tokenboard.query import Window
from tokenboard.rankings import METRICS, AppDays, Figures, RankMetric


@pytest.mark.parametrize(
    ("metric", "words", "figure", "by_day"),
    [
        (RankMetric.TOKENS, ("tokens", "token", "Tokens"), 30, (1, 2)),
        (RankMetric.REQUESTS, ("requests", "request", "Requests"), 4, (3, 1)),
    ],
)
def test_a_metric_has_its_words_and_finds_its_figure(
    metric: RankMetric, words: tuple[str, str, str], figure: int, by_day: tuple[int, int]
) -> None:
    days = AppDays(Window(date(2026, 5, 1), date(2026, 5, 2)), (1, 2), (3, 1), (0, 0), (0, 0), (0, 0))

    assert words == (metric.unit, metric.noun, metric.label)
    assert figure == metric.of(Figures(tokens=30, requests=4))
    assert by_day == metric.of(days)


def test_every_metric_has_a_column_of_its_own_in_the_cube() -> None:
    columns = [metric.column for metric in RankMetric]

    assert set(columns) <= set(METRICS)
    assert len(columns) == len(set(columns))
