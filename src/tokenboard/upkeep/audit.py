"""What an audit finds, and the comparison of the cube with the figures it was filled from."""

from collections.abc import Iterator
from datetime import date, timedelta

import msgspec
import numpy as np

from tokenboard.ledger import FIGURES, DayRows, RollupCheck
from tokenboard.rankings import Figures, Rankings, RankMetric

_EPOCH = date(1970, 1, 1)


class Difference(msgspec.Struct, frozen=True):
    """One figure that has two values: by raw events (for the rankings: by the rollup they read) and by ``table``.

    ``at`` is a UTC day or hour, or a month for the sums of a whole month. Figures are exact, as text.
    """

    table: str
    at: str
    of: str
    figure: str
    expected: str
    found: str


class Audited(msgspec.Struct, frozen=True):
    """One month, compared: its number, whether its raw events took part, and what differs.

    ``untold`` is how many more keys of its rollups differ than ``differences`` lists.
    """

    month: int
    raw: bool
    differences: tuple[Difference, ...]
    untold: int = 0


def rollup_differences(check: RollupCheck) -> Iterator[Difference]:
    """Yield each figure in which a rollup differs from its raw events: by key, then the sums of the month."""
    for one in check.differences:
        parts = [f"app {one.app_id}" if one.app_id is not None else "", one.model or ""]
        parts.append("/".join(part or "unknown" for part in one.kind) if one.kind is not None else "")
        parts.append(f"key {one.key_id}" if one.key_id is not None else "")
        of = ", ".join(part for part in parts if part)
        for figure, raw, held in zip(FIGURES, one.raw, one.held, strict=True):
            if raw != held:
                yield Difference(check.rollup, one.at, of, figure, str(raw), str(held))
    for figure, raw, held in zip(FIGURES, check.raw, check.held, strict=True):
        if raw != held:
            yield Difference(check.rollup, str(check.month), "in total", figure, str(raw), str(held))


def cube_differences(rows: DayRows, rankings: Rankings, first: date, last: date) -> Iterator[Difference]:
    """Yield where the rankings' own sums, from ``first`` to ``last``, differ from the ledger's figures per day and app.

    And where the window's totals, as an answer has them, differ from the sum of these figures.
    """
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        of_day = np.flatnonzero(rows.day == (day - _EPOCH).days)
        known: dict[int, tuple[int, int]] = {}
        for at in of_day.tolist():
            app_id = int(rows.app_id[at])
            tokens, requests = known.get(app_id, (0, 0))
            known[app_id] = tokens + int(rows.tokens[at]), requests + int(rows.requests[at])
        answered = _answered(rankings, day)
        for app_id in sorted(known.keys() | answered.keys()):
            expected, found = known.get(app_id, (0, 0)), answered.get(app_id, (0, 0))
            for metric, is_, was in zip(RankMetric, expected, found, strict=True):
                if is_ != was:
                    yield Difference("rankings", str(day), f"app {app_id}", metric.value, str(is_), str(was))
    in_window = (rows.day >= (first - _EPOCH).days) & (rows.day <= (last - _EPOCH).days)
    expected_total = Figures(
        tokens=sum(int(tokens) for tokens in rows.tokens[in_window].tolist()),
        requests=sum(int(requests) for requests in rows.requests[in_window].tolist()),
    )
    yield from _total_differences(rankings, first, last, expected_total)


def _answered(rankings: Rankings, day: date) -> dict[int, tuple[int, int]]:
    """Return tokens and requests per app of one day, before aliases are folded, of apps that have any."""
    tokens, requests = rankings.read(
        lambda cube, _: (cube.window_sums("tokens", day, day), cube.window_sums("requests", day, day))
    )
    apps = np.flatnonzero((tokens != 0) | (requests != 0)).tolist()
    return {int(app): (int(tokens[app]), int(requests[app])) for app in apps}


def _total_differences(rankings: Rankings, first: date, last: date, expected: Figures) -> Iterator[Difference]:
    totals = rankings.answer(rankings.question({"start_date": str(first), "end_date": str(last)})).ranking.totals
    shares = (totals.listed, totals.unlisted, totals.unattributed)
    added = Figures(sum(share.tokens for share in shares), sum(share.requests for share in shares))
    window = f"{first} to {last}"
    for of, found in (("in total", totals.all_traffic), ("listed, unlisted, unattributed together", added)):
        for metric in RankMetric:
            is_, was = metric.of(expected), metric.of(found)
            if is_ != was:
                yield Difference("rankings", window, of, metric.value, str(is_), str(was))
