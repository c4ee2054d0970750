"""Bars by day: stacked by series, in two parts, or plain."""

from collections.abc import Sequence
from datetime import date

from tokenboard.web.charts.bins import Bins, bins_of
from tokenboard.web.charts.drawing import Drawing, Series, Size
from tokenboard.web.charts.layout import Json, chart, data, days_axis, figure, name_of, sentences, values_axis
from tokenboard.web.charts.scale import scale_to
from tokenboard.web.charts.theme import INKS, SLOTS, ink_of
from tokenboard.web.numbers import compact, percent


def stacked_days(
    days: Sequence[date], series: Sequence[Series], size: Size, *, title: str, unit: str = "tokens"
) -> Drawing:
    """Return bars of each UTC day, one part for each series, the first at the bottom.

    Days ascend without a gap; past 120 of them bars are of seven days. A tip is ``8 Nov · Cline · 1.23B tokens
    (1,234,567,890)``, exact whatever the value. Raises ValueError when a series is not as long as ``days``.
    """
    bins = bins_of(days)
    sums = [bins.sums(one.values) for one in series]
    return chart(
        title=title,
        description=_stacked_words(bins, series, sums, unit),
        size=size,
        body=_bars(bins, sums, [one.slot for one in series], size),
        tips=_tips(bins, series, sums, unit),
    )


def parts_by_day(
    days: Sequence[date], prompt: Sequence[int], completion: Sequence[int], size: Size, *, title: str
) -> Drawing:
    """Return bars of each UTC day in two parts, prompt tokens (slot 1) and above them completion tokens (slot 7)."""
    series = (Series("prompt", 1, tuple(prompt)), Series("completion", 7, tuple(completion)))
    return stacked_days(days, series, size, title=title)


def single(days: Sequence[date], values: Sequence[int], size: Size, *, title: str, unit: str = "tokens") -> Drawing:
    """Return bars of each UTC day in the accent colour; past 120 days bars are of seven."""
    bins = bins_of(days)
    sums = bins.sums(values)
    body = _bars(bins, [sums], [0], size)
    body["mark"] = {"type": "bar", "color": INKS["--accent"], "cornerRadiusEnd": 2}
    del body["encoding"]["color"]
    return chart(
        title=title,
        description=sentences(_opening(bins, unit), _most(bins, sums, unit), bins.note()),
        size=size,
        body=body,
        tips=[f"{bins.name(index)} · {figure(value, unit)}" for index, value in enumerate(sums) if value],
    )


def _bars(bins: Bins, sums: Sequence[Sequence[int]], slots: Sequence[int], size: Size) -> Json:
    scale = scale_to(max((sum(parts) for parts in zip(*sums, strict=True)), default=0), size.up)
    rows: list[Json] = []
    for order, (values, slot) in enumerate(zip(sums, slots, strict=True)):
        for index, value in enumerate(values):
            if value:
                rows.append({"x": index, "o": order, "v": scale.part(value), "c": slot, "t": len(rows)})
    return {
        "data": data(rows),
        "mark": {"type": "bar", "stroke": INKS["--page"], "strokeWidth": 0.5},
        "encoding": {
            "x": days_axis(bins, size),
            "y": {
                "field": "v",
                "type": "quantitative",
                "stack": "zero",
                "scale": {"domain": [0, 1], "nice": False},
                "axis": values_axis(scale),
            },
            "order": {"field": "o", "type": "quantitative"},
            "color": {
                "field": "c",
                "type": "nominal",
                "scale": {"domain": list(range(SLOTS + 1)), "range": [ink_of(slot) for slot in range(SLOTS + 1)]},
                "legend": None,
            },
            "description": {"field": "t", "type": "nominal"},
        },
    }


def _tips(bins: Bins, series: Sequence[Series], sums: Sequence[Sequence[int]], unit: str) -> list[str]:
    return [
        f"{bins.name(index)} · {name} · {figure(value, unit)}"
        for name, values in zip([name_of(one.name) for one in series], sums, strict=True)
        for index, value in enumerate(values)
        if value
    ]


def _stacked_words(bins: Bins, series: Sequence[Series], sums: Sequence[Sequence[int]], unit: str) -> str:
    totals = [sum(values) for values in sums]
    everything = sum(totals)
    if not everything:
        return sentences(_opening(bins, unit), f"No {unit}")
    parts = ", ".join(
        f"{name_of(one.name)} {compact(total)} ({percent(total / everything)})"
        for one, total in zip(series, totals, strict=True)
    )
    return sentences(_opening(bins, unit), f"{compact(everything)} in all: {parts}", bins.note())


def _opening(bins: Bins, unit: str) -> str:
    return f"{unit.capitalize()} by UTC day, {bins.whole()}"


def _most(bins: Bins, sums: Sequence[int], unit: str) -> str:
    highest = max(sums, default=0)
    if not highest:
        return f"No {unit}"
    return f"{compact(sum(sums))} in all, most with {compact(highest)} on {bins.name(sums.index(highest))}"
