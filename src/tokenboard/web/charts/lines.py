"""Lines by day: several series over one axis, and the places an app had."""

from collections.abc import Iterable, Sequence
from datetime import date

from tokenboard.web.charts.bins import Bins, bins_of
from tokenboard.web.charts.drawing import Drawing, Series, Size
from tokenboard.web.charts.layout import HIT, Json, chart, data, days_axis, figure, name_of, sentences, values_axis
from tokenboard.web.charts.scale import scale_to
from tokenboard.web.charts.theme import INKS, SLOTS, ink_of
from tokenboard.web.numbers import compact


def lines(
    days: Sequence[date],
    series: Sequence[Series],
    size: Size,
    *,
    title: str,
    unit: str = "tokens",
    filled: bool = False,
) -> Drawing:
    """Return a line for each series; ``filled`` tints the area below it.

    Past 120 days a point is of seven. Pointing at a day shows every series' figure. Raises ValueError when a series
    is not as long as ``days``.
    """
    bins = bins_of(days)
    sums = [bins.sums(one.values) for one in series]
    names = [name_of(one.name) for one in series]
    scale = scale_to(max((value for values in sums for value in values), default=0), size.up)
    rows = [
        {"x": index, "v": scale.part(value), "c": one.slot, "s": order}
        for order, (one, values) in enumerate(zip(series, sums, strict=True))
        for index, value in enumerate(values)
    ]
    vertical: Json = {
        "field": "v",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "nice": False},
        "axis": values_axis(scale),
    }
    encoding = {"x": {**days_axis(bins, size), "type": "ordinal"}, "y": vertical, "color": _COLOUR}
    detail = {"field": "s", "type": "nominal"}
    layers: list[Json] = []
    if filled:
        layers.append({"mark": {"type": "area", "fillOpacity": 0.14}, "encoding": {"y": {**vertical, "stack": None}}})
    layers.append({"mark": {"type": "line", "strokeWidth": 2, "strokeJoin": "round"}})
    body: Json = {
        "layer": [
            {"data": data(rows), "encoding": {**encoding, "detail": detail}, "layer": layers},
            _strips(len(bins.edges)),
        ],
    }
    tips = [
        " · ".join(
            [bins.name(index)]
            + [f"{name} {figure(values[index], unit)}" for name, values in zip(names, sums, strict=True)]
        )
        for index in range(len(bins.edges))
    ]
    totals = ", ".join(f"{name} {compact(sum(values))}" for name, values in zip(names, sums, strict=True))
    opening = f"{unit.capitalize()} by UTC day, {bins.whole()}"
    return chart(
        title=title,
        description=sentences(opening, totals, bins.note()),
        size=size,
        body=body,
        tips=tips,
    )


def ranks(days: Sequence[date], places: Sequence[int | None], size: Size, *, title: str) -> Drawing:
    """Return the line of an app's places, 1 on top; it breaks where there is none. Every day is its own point.

    Raises ValueError when ``places`` is not as long as ``days``, or a place is below 1.
    """
    if len(places) != len(days):
        raise ValueError(f"{len(places)} places for {len(days)} days")
    held = [place for place in places if place is not None]
    if any(place < 1 for place in held):
        raise ValueError("a place is 1 or more")
    bins = bins_of(days, weekly_beyond=len(days))
    top, bottom, steps = _place_axis(held, size)
    rows = [{"x": index, "v": place} for index, place in enumerate(places)]
    encoding = {
        "x": days_axis(bins, size),
        "y": {
            "field": "v",
            "type": "quantitative",
            "scale": {"domain": [top, bottom], "reverse": True, "nice": False, "zero": False},
            "axis": {"values": steps, "labelExpr": "'#' + datum.value"},
        },
    }
    accent = INKS["--accent"]
    line: Json = {
        "type": "line",
        "color": accent,
        "strokeWidth": 2,
        "strokeJoin": "round",
        "invalid": "break-paths-filter-domains",
    }
    layers: list[Json] = [{"data": data(rows), "mark": line}]
    alone = [row for row, alone in zip(rows, _alone(places), strict=True) if alone]
    if alone:
        layers.append(
            {"data": data(alone), "mark": {"type": "point", "filled": True, "color": accent, "size": 36, "opacity": 1}}
        )
    return chart(
        title=title,
        description=sentences(f"Place by UTC day, {bins.whole()}", _places_words(bins, places, held)),
        size=size,
        body={"layer": [{"encoding": encoding, "layer": layers}, _strips(len(days))]},
        tips=[
            f"{bins.name(index)} · " + ("no tokens" if place is None else f"#{place:,}")
            for index, place in enumerate(places)
        ],
    )


_COLOUR: Json = {
    "field": "c",
    "type": "nominal",
    "scale": {"domain": list(range(SLOTS + 1)), "range": [ink_of(slot) for slot in range(SLOTS + 1)]},
    "legend": None,
}


def _strips(count: int) -> Json:
    """Return what is pointed at: a strip over the whole height for each bin, with the bin's tip."""
    return {
        "data": data({"x": index, "t": index} for index in range(count)),
        "mark": {**HIT, "width": {"band": 1.32}},
        "encoding": {
            "x": {"field": "x", "type": "ordinal"},
            "y": {"value": 0},
            "y2": {"value": "height"},
            "description": {"field": "t", "type": "nominal"},
        },
    }


def _alone(places: Sequence[int | None]) -> Iterable[bool]:
    """Return which places have no neighbour to draw a line to; and the last, which is where the app stands now."""
    for index, place in enumerate(places):
        before = places[index - 1] if index else None
        after = places[index + 1] if index + 1 < len(places) else None
        yield place is not None and (index == len(places) - 1 or (before is None and after is None))


def _place_axis(held: Sequence[int], size: Size) -> tuple[float, float, list[int]]:
    """Return the ends of the axis and the places that are labelled: from 1, unless all are far below it."""
    best, last = min(held, default=1), max(held, default=1)
    far = best > 5 and best > last - best
    first = best if far else 1
    step = _step(last - first, size)
    ticks = [place for place in range(0 if far else step, last + 1, step) if place >= first]
    if not far and (not ticks or ticks[0] != 1):
        ticks.insert(0, 1)
    room = max(0.06 * (last - first), 0.5)
    return first - room, last + room, ticks


def _step(reach: int, size: Size) -> int:
    scale = scale_to(reach, size.up)
    return max(scale.top // max(scale.steps, 1), 1)


def _places_words(bins: Bins, places: Sequence[int | None], held: Sequence[int]) -> str:
    if not held:
        return "On no day was it listed"
    best = min(held)
    days = "1 day" if len(held) == 1 else f"{len(held)} days"
    return f"Listed on {days}, best #{best:,} on {bins.name(places.index(best))}, last #{held[-1]:,}"
