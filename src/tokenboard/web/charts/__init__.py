"""Charts: from plain figures to a description, from that to an SVG that a page's theme reaches, or to a PNG.

    figures ─▶ stacked_days · parts_by_day · single · lines · ranks · hours · shares   (pure)
                  └─▶ Drawing: Vega-Lite in inks, texts by number, a hash of it all
                         └─▶ Renderer: one thread, Vega in a process of its own, svg.themed ─▶ bytes, kept

Tips show exact integers, whatever their size: figures reach Vega only as parts of the axis' top, names not at all.
"""

from tokenboard.web.charts.bars import parts_by_day, single, stacked_days
from tokenboard.web.charts.bins import window_name
from tokenboard.web.charts.drawing import Drawing, Picture, Series, Size
from tokenboard.web.charts.hours import hours
from tokenboard.web.charts.lines import lines, ranks
from tokenboard.web.charts.renderer import Renderer, RenderError
from tokenboard.web.charts.shares import Share, shares
from tokenboard.web.charts.theme import SVG_POLICY

__all__ = [
    "SVG_POLICY",
    "Drawing",
    "Picture",
    "RenderError",
    "Renderer",
    "Series",
    "Share",
    "Size",
    "hours",
    "lines",
    "parts_by_day",
    "ranks",
    "shares",
    "single",
    "stacked_days",
    "window_name",
]
