"""When an app is used: a heat map of weekdays and hours."""

from collections.abc import Iterable
from typing import Final

from tokenboard.web.charts.drawing import Drawing, Size
from tokenboard.web.charts.layout import chart, data, figure, sentences
from tokenboard.web.charts.theme import INKS
from tokenboard.web.numbers import compact

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LEVELS: Final = 8
"""Shades above nothing; each is an equal part of the busiest hour's figure."""

_HEIGHTS: Final = {Size.WIDE: 260, Size.HALF: 220, Size.PHONE: 200}
_EVERY: Final = {Size.WIDE: 2, Size.HALF: 3, Size.PHONE: 6}


def hours(cells: Iterable[tuple[int, int, int]], size: Size, *, title: str, unit: str = "tokens") -> Drawing:
    """Return a heat map of ``(weekday, hour, figure)``: weekdays 1 (Monday) to 7, hours 0 to 23, UTC.

    Cells not given are nothing; one given twice is summed. Raises ValueError for a weekday or an hour out of range.
    """
    found = {(weekday, hour): 0 for weekday in range(1, 8) for hour in range(24)}
    for weekday, hour, value in cells:
        if (weekday, hour) not in found:
            raise ValueError(f"no weekday {weekday}, hour {hour}")
        found[weekday, hour] += value
    busiest = max(found.values())
    rows = []
    tips: list[str] = []
    for (weekday, hour), value in found.items():
        # Rounded up: whatever is not nothing is seen.
        level = -(-value * LEVELS // busiest) if value > 0 else 0
        ink = INKS["--accent" if level else "--line"]
        opacity = round(0.1 + 0.9 * level / LEVELS, 2) if level else 0.5
        rows.append({"x": hour, "y": weekday, "k": ink, "f": opacity, "t": len(tips)})
        tips.append(f"{WEEKDAYS[weekday - 1]} {hour:02}–{(hour + 1) % 24:02} UTC · {figure(value, unit)}")
    every = _EVERY[size]
    short = [name[:3] for name in WEEKDAYS]
    return chart(
        title=title,
        description=_words(found, busiest, unit),
        size=size,
        height=_HEIGHTS[size],
        body={
            "data": data(sorted(rows, key=lambda row: (row["k"], row["f"], row["t"]))),
            "mark": "rect",
            "encoding": {
                "x": {
                    "field": "x",
                    "type": "ordinal",
                    "scale": {"domain": list(range(24)), "padding": 0.08},
                    "axis": {
                        "values": list(range(0, 24, every)),
                        "labelExpr": "pad(datum.value, 2, '0', 'left')",
                        "grid": False,
                        "labelAngle": 0,
                        "labelPadding": 8,
                    },
                },
                "y": {
                    "field": "y",
                    "type": "ordinal",
                    "scale": {"domain": list(range(1, 8)), "padding": 0.12},
                    "axis": {"grid": False, "labelExpr": f"{short!r}[datum.value - 1]"},
                },
                "color": {"field": "k", "type": "nominal", "scale": None, "legend": None},
                "fillOpacity": {"field": "f", "type": "quantitative", "scale": None, "legend": None},
                "description": {"field": "t", "type": "nominal"},
            },
        },
        tips=tips,
    )


def _words(found: dict[tuple[int, int], int], busiest: int, unit: str) -> str:
    opening = f"{unit.capitalize()} by weekday and hour, UTC"
    if busiest <= 0:
        return sentences(opening, f"No {unit}")
    weekday, hour = max(found, key=lambda cell: (found[cell], -cell[0], -cell[1]))
    when = f"{WEEKDAYS[weekday - 1]} from {hour:02}:00"
    return sentences(opening, f"{compact(sum(found.values()))} in all, most on {when}, {compact(busiest)}")
