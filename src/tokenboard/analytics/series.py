"""One app over time: by day and model, by hour, and when in a week."""

from datetime import UTC, date, datetime, time, timedelta

from tokenboard.analytics.answers import AppUsage, Grain, HourCell, HourPattern, ModelShare, UsagePoint
from tokenboard.analytics.models import share_of
from tokenboard.analytics.visibility import VisibleApp
from tokenboard.ledger import HOURS_KEPT_DAYS, NOTHING, Analyst, Consumption
from tokenboard.query import Window


def usage_by_day(analyst: Analyst, shown: VisibleApp, window: Window, models: int, as_of: datetime) -> AppUsage:
    """Return an app's use by UTC day, its ``models`` top ones by name."""
    found = analyst.app_days(shown.app_ids, window.start, window.end, models)
    sums: dict[str | None, Consumption] = {}
    for each in found:
        sums[each.model] = sums.get(each.model, NOTHING) + each.figures
    order = sorted(sums, key=lambda model: (model is None, -sums[model].tokens, model or ""))
    places = {model: place for place, model in enumerate(order)}
    total = sum(sums.values(), NOTHING)
    points = [UsagePoint(_midnight(each.day), each.model, each.figures) for each in found]
    points.sort(key=lambda point: (point.start, places[point.model]))
    shares = tuple(ModelShare(model, sums[model], share_of(sums[model].tokens, total.tokens)) for model in order)
    return AppUsage(shown.listing.app_id, window, Grain.DAY, shares, tuple(points), total, as_of)


def usage_by_hour(analyst: Analyst, shown: VisibleApp, window: Window, today: date, as_of: datetime) -> AppUsage:
    """Return an app's use by UTC hour, all models together, of what of the window hours are kept for."""
    kept = kept_hours(window, today)
    found = analyst.app_hours(shown.app_ids, kept.start, kept.end)
    points = tuple(UsagePoint(each.starts, None, each.figures) for each in found)
    total = sum((point.figures for point in points), NOTHING)
    shares = (ModelShare(None, total, share_of(total.tokens, total.tokens)),) if points else ()
    return AppUsage(shown.listing.app_id, kept, Grain.HOUR, shares, points, total, as_of)


def hour_pattern(analyst: Analyst, shown: VisibleApp, window: Window, today: date, as_of: datetime) -> HourPattern:
    """Return when in a week an app is used."""
    kept = kept_hours(window, today)
    found = {(each.weekday, each.hour): each for each in analyst.app_week(shown.app_ids, kept.start, kept.end)}
    cells = []
    for weekday in range(1, 8):
        for hour in range(24):
            cell = found.get((weekday, hour))
            cells.append(HourCell(weekday, hour, cell.tokens if cell else 0, cell.requests if cell else 0))
    return HourPattern(shown.listing.app_id, kept, tuple(cells), as_of)


def kept_hours(window: Window, today: date) -> Window:
    """Return what of a window figures by hour are kept for in full; its last day when that is none of it."""
    earliest = today - timedelta(days=HOURS_KEPT_DAYS - 1)
    return Window(min(max(window.start, earliest), window.end), window.end)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
