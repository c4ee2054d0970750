"""Reads series of apps from the rankings: each day's weekly ranking, and the weeks of all apps in one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate

from tokenboard.query import Window
from tokenboard.rankings import Cube, Question, Rankings, Roster, Sort
from tokenboard.web.feeds.movements import LOOKBACK, RANKED, AppSeries, Movement, movements, slack

SHOWN_DAYS = 30
"""Completed days whose movements are in the feed."""

_WEEK = 7
_BEFORE = 3 * _WEEK


@dataclass(frozen=True, slots=True)
class News:
    """What moved, latest first, and what the apps in it are called. ``until`` is the end of the last completed day."""

    movements: tuple[Movement, ...]
    names: dict[int, str]
    until: datetime


def read_news(rankings: Rankings, *, floor: date, today: date) -> News:
    """Return what moved in the weekly rankings of the last completed days; raises NotFilledError.

    Only apps that may be shown are in it: an app that passed, or was passed by, another one is not.
    """
    last = today - timedelta(days=1)
    until = datetime.combine(today, time(), UTC)
    days = [last - timedelta(days=back) for back in range(SHOWN_DAYS + LOOKBACK - 1, -1, -1)]
    names: dict[int, str] = {}
    ranks: list[dict[int, int]] = []
    for place, day in enumerate(days):
        ranked: dict[int, int] = {}
        if day >= floor:
            question = Question(Sort.POPULAR, None, None, _week_to(day), limit=RANKED + slack(RANKED), offset=0)
            for row in rankings.answer(question).ranking.rows:
                ranked[row.app_id] = row.rank
                if row.rank <= RANKED and place >= LOOKBACK:
                    names[row.app_id] = row.name
        ranks.append(ranked)
    lead = _WEEK + _BEFORE - 1
    window = Window(days[0] - timedelta(days=lead), last)
    series_of_apps = {
        app_id: _app_series(tokens, lead, [ranked.get(app_id) for ranked in ranks])
        for app_id, tokens in rankings.read(lambda cube, roster: _tokens(cube, roster, names, window)).items()
    }
    return News(tuple(movements(days, series_of_apps, SHOWN_DAYS)), names, until)


def _week_to(day: date) -> Window:
    return Window(day - timedelta(days=_WEEK - 1), day)


def _tokens(cube: Cube, roster: Roster, app_ids: Iterable[int], window: Window) -> dict[int, list[int]]:
    """Return each day's tokens of those of these apps that may be shown, aliases included."""
    shown = [app_id for app_id in app_ids if roster.is_visible(app_id)]
    members, places = roster.members(shown)
    (series,) = cube.series(("tokens",), members, window.start, window.end)
    sums = {app_id: [0] * window.days for app_id in shown}
    for place, tokens in zip(places.tolist(), series.T.tolist(), strict=True):
        own = sums[shown[place]]
        sums[shown[place]] = [have + more for have, more in zip(own, tokens, strict=True)]
    return sums


def _app_series(tokens: Sequence[int], lead: int, ranks: list[int | None]) -> AppSeries:
    """Return a course from each day's tokens, which begin ``lead`` days before the first day of ``ranks``."""
    sums = [0, *accumulate(tokens)]
    ends = range(lead + 1, len(sums))
    return AppSeries(
        tokens=[sums[end] - sums[end - _WEEK] for end in ends],
        before=[sums[end - _WEEK] - sums[end - _WEEK - _BEFORE] for end in ends],
        ranks=ranks,
    )
