"""What all charts have in common: calm axes, no frame, no legend; Vega-Lite's own words for it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from tokenboard.web.charts.bins import Bins
from tokenboard.web.charts.drawing import Drawing, Size, describe
from tokenboard.web.charts.scale import Scale
from tokenboard.web.charts.theme import INKS, UNSEEN
from tokenboard.web.numbers import compact, exact
from tokenboard.web.text_metrics import Face, clean, fitted, isolated

TYPE_SIZE: Final = 12
"""Size of all text, in px."""

NAME_ROOM: Final = 24.0
"""Room for a name in a tip or a description, in ems."""

Json = dict[str, Any]

_MEASURED_IN = "Liberation Sans"
_json = msgspec.json.Encoder()


def name_of(name: str) -> str:
    """Return a name as tips and descriptions have it: cleaned, cut, and kept apart from the words around it."""
    return isolated(fitted(name, Face.SANS, NAME_ROOM))


def figure(value: int, unit: str) -> str:
    """Return ``1.23B tokens (1,234,567,890)``; what is short enough is not said twice."""
    words = f"{compact(value)} {unit if value != 1 else unit.removesuffix('s')}"
    return words if abs(value) < 1000 else f"{words} ({exact(value)})"


def sentences(*parts: str) -> str:
    """Return the parts that are not empty as sentences."""
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)


def data(rows: Iterable[Json]) -> Json:
    """Return rows as inline data."""
    return {"values": list(rows)}


def days_axis(bins: Bins, size: Size) -> Json:
    """Return the channel of bins, field ``x``: a band for each, few of them labelled."""
    ticks = bins.ticks(size)
    return {
        "field": "x",
        "type": "ordinal",
        "scale": {"domain": list(range(len(bins.edges))), "paddingInner": 0.24, "paddingOuter": 0.12},
        "axis": {
            "values": list(ticks),
            "labelExpr": f"({_json.encode({str(index): text for index, text in ticks.items()}).decode()})[datum.value]",
            "grid": False,
            "labelAngle": 0,
            "labelPadding": 8,
        },
    }


def values_axis(scale: Scale) -> Json:
    """Return the axis of values whose positions are parts of the scale's top."""
    return {
        "values": scale.positions(),
        "labelExpr": f"{_json.encode(scale.labels()).decode()}[round(datum.value*{scale.steps})]",
    }


def chart(
    *,
    title: str,
    description: str,
    size: Size,
    body: Mapping[str, Any],
    tips: Iterable[str] = (),
    labels: Iterable[str] = (),
    height: int | None = None,
) -> Drawing:
    """Return a drawing of a view: data, marks and encodings."""
    spec: Json = {
        "width": size.width,
        "height": height or size.height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": _PADDING,
        "background": None,
        "config": _CONFIG,
        **body,
    }
    return Drawing(
        title=clean(title, worded=True),
        description=" ".join(description.split()),
        width=size.width,
        height=height or size.height,
        spec=describe(spec),
        tips=tuple(tips),
        labels=tuple(labels),
    )


# Labels are measured in one font and drawn in the reader's, which may be wider.
_PADDING: Final[Json] = {"left": 6, "top": 8, "right": 10, "bottom": 2}

_CONFIG: Final[Json] = {
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "title": None,
        "grid": True,
        "gridColor": INKS["--line"],
        "gridWidth": 1,
        "labelColor": INKS["--muted"],
        "labelFont": _MEASURED_IN,
        "labelFontSize": TYPE_SIZE,
        "labelPadding": 10,
        "labelOverlap": False,
    },
    "text": {"font": _MEASURED_IN, "fontSize": TYPE_SIZE},
}

HIT: Final[Json] = {"type": "bar", "color": UNSEEN}
"""A mark that is not seen, only pointed at."""
