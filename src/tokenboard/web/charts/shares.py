"""Parts of a whole: a list of bars, each with its name and figure above it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tokenboard.web.charts.drawing import Drawing, Size
from tokenboard.web.charts.layout import TYPE_SIZE, Json, chart, data, figure, name_of, sentences
from tokenboard.web.charts.svg import label
from tokenboard.web.charts.theme import INKS, ink_of
from tokenboard.web.numbers import compact, percent
from tokenboard.web.text_metrics import Face, fitted, width

MOST: Final = 30
"""Most rows of one drawing."""

_ROW: Final = 40
_BAR: Final = 8
_GAP: Final = 16.0


@dataclass(frozen=True, slots=True)
class Share:
    """One part: its exact figure, and its share of the whole, 0-1. ``slot`` None is the accent colour."""

    name: str
    value: int
    share: float
    slot: int | None = None


def shares(rows: Sequence[Share], size: Size, *, title: str, unit: str = "tokens") -> Drawing:
    """Return a bar for each share, as long as its part of the whole; as high as its rows.

    Raises ValueError for more than 30 rows.
    """
    if len(rows) > MOST:
        raise ValueError(f"{len(rows)} rows; at most {MOST} are drawn")
    names, figures, tips = [], [], []
    bars: list[Json] = []
    for number, row in enumerate(rows):
        said = f"{compact(row.value)} · {percent(row.share)}"
        room = (size.width - _GAP - 16) / TYPE_SIZE - width(said, Face.SANS)
        names.append(fitted(row.name, Face.SANS, room * 0.95))
        figures.append(said)
        tips.append(f"{name_of(row.name)} · {figure(row.value, unit)} · {percent(row.share)}")
        part = round(min(max(row.share, 0.0), 1.0), 5)
        ink = INKS["--accent"] if row.slot is None else ink_of(row.slot)
        bars.append({"y": number, "v": part, "k": ink, "n": label(number), "s": label(len(rows) + number), "t": number})
    vertical: Json = {
        "field": "y",
        "type": "ordinal",
        "scale": {"domain": list(range(len(rows))), "padding": 0},
        "axis": None,
    }
    across: Json = {"field": "v", "type": "quantitative", "scale": {"domain": [0, 1], "nice": False}, "axis": None}
    description = {"field": "t", "type": "nominal"}
    text = {"type": "text", "baseline": "alphabetic", "dy": -4}
    bar = {"type": "bar", "height": _BAR, "yOffset": 8, "cornerRadius": 2}
    return chart(
        title=title,
        description=_words(rows, unit),
        size=size,
        height=_ROW * max(len(rows), 1) + 10,
        body={
            "data": data(bars),
            "encoding": {"y": vertical},
            "layer": [
                {
                    "mark": {**bar, "color": INKS["--line"]},
                    "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "description": description},
                },
                {
                    "mark": bar,
                    "encoding": {
                        "x": across,
                        "color": {"field": "k", "type": "nominal", "scale": None, "legend": None},
                        "description": description,
                    },
                },
                {
                    "mark": {**text, "align": "left", "color": INKS["--text"]},
                    "encoding": {"x": {"value": 0}, "text": {"field": "n", "type": "nominal"}},
                },
                {
                    "mark": {**text, "align": "right", "color": INKS["--muted"]},
                    "encoding": {"x": {"value": "width"}, "text": {"field": "s", "type": "nominal"}},
                },
            ],
        },
        tips=tips,
        labels=[*names, *figures],
    )


def _words(rows: Sequence[Share], unit: str) -> str:
    if not rows:
        return f"No {unit}."
    return sentences(
        f"Shares of {unit}: "
        + ", ".join(f"{name_of(row.name)} {percent(row.share)} ({compact(row.value)})" for row in rows)
    )
