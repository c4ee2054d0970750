"""What a badge says of an app: its place and its figure over a period."""

from enum import StrEnum
from typing import Final

from tokenboard.web.badges.badge import Badge, Colour
from tokenboard.web.numbers import compact, counted
from tokenboard.web.text_metrics import Face, fitted

_GROUP_ROOM: Final = 16.0


class Metric(StrEnum):
    """What a badge shows: tokens or requests beside the place by them, or the place by tokens alone."""

    TOKENS = "tokens"
    REQUESTS = "requests"
    RANK = "rank"


def app_badge(
    *,
    label: str,
    metric: Metric,
    period: str,
    rank: int | None,
    figure: int,
    group: str = "",
) -> Badge:
    """Return an app's badge: ``#3 in coding · 1.2B/week``.

    ``period`` is ``today``, ``day``, ``week`` or ``month``; ``rank`` its place in that period by the metric, in the
    category or subcategory called ``group`` if there is one; ``figure`` its exact tokens or requests. Without a place
    the badge is quiet and says that there is nothing.
    """
    within = f" in {fitted(group, Face.VERDANA, _GROUP_ROOM)}" if group else ""
    when = {"today": "today", "day": "yesterday"}.get(period, f"this {period}")
    unit = "requests" if metric is Metric.REQUESTS else "tokens"
    if rank is None:
        return Badge(label, f"no {unit}{within} {when}", Colour.QUIET)
    place = f"#{rank:,}{within}"
    if metric is Metric.RANK:
        return Badge(label, f"{place} {when}")
    if period == "today":
        return Badge(label, f"{place} · {counted(figure, 'request' if metric is Metric.REQUESTS else 'token')} today")
    amount = counted(figure, "request") if metric is Metric.REQUESTS else compact(figure)
    return Badge(label, f"{place} · {amount}/{period}")


def no_badge(label: str, message: str = "not listed") -> Badge:
    """Return the badge for what cannot be shown, the same whether an app is unknown, hidden or private."""
    return Badge(label, message, Colour.QUIET)
