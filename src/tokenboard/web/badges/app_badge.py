"""What a badge says of an app: its place and its figure over a period."""

from enum import StrEnum
from typing import Final

from tokenboard.rankings import RankMetric
from tokenboard.web.badges.badge import Badge, Colour
from tokenboard.web.numbers import compact, counted
from tokenboard.web.text_metrics import Face, fitted

_GROUP_ROOM: Final = 16.0


class BadgeFigure(StrEnum):
    """What a badge shows: tokens or requests beside the place by them, or the place by tokens alone."""

    TOKENS = "tokens"
    REQUESTS = "requests"
    RANK = "rank"

    @property
    def metric(self) -> RankMetric:
        """What the place goes by."""
        return RankMetric.REQUESTS if self is BadgeFigure.REQUESTS else RankMetric.TOKENS


def app_badge(
    *,
    label: str,
    shows: BadgeFigure,
    period: str,
    rank: int | None,
    figure: int,
    group: str = "",
) -> Badge:
    """Return an app's badge: ``#3 in coding · 1.2B/week``.

    ``period`` is ``today``, ``day``, ``week`` or ``month``; ``rank`` its place in that period by what it shows, in the
    category or subcategory called ``group`` if there is one; ``figure`` its exact tokens or requests. Without a place
    the badge is quiet and says that there is nothing.
    """
    within = f" in {fitted(group, Face.VERDANA, _GROUP_ROOM)}" if group else ""
    when = {"today": "today", "day": "yesterday"}.get(period, f"this {period}")
    metric = shows.metric
    if rank is None:
        return Badge(label, f"no {metric.unit}{within} {when}", Colour.QUIET)
    place = f"#{rank:,}{within}"
    if shows is BadgeFigure.RANK:
        return Badge(label, f"{place} {when}")
    if period == "today":
        return Badge(label, f"{place} · {counted(figure, metric.noun)} today")
    amount = compact(figure) if metric is RankMetric.TOKENS else counted(figure, metric.noun)
    return Badge(label, f"{place} · {amount}/{period}")


def no_badge(label: str, message: str = "not listed") -> Badge:
    """Return the badge for what cannot be shown, the same whether an app is unknown, hidden or private."""
    return Badge(label, message, Colour.QUIET)
