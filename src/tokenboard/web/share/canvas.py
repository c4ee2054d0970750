"""A share image in the making: 1200 x 630, light, its texts measured, cut and kept for the record."""

from collections.abc import Sequence
from typing import Final

from tokenboard.web.charts.drawing import Picture
from tokenboard.web.charts.theme import LIGHT
from tokenboard.web.text_metrics import Face, clean, fitted, width, xml

WIDTH: Final = 1200
HEIGHT: Final = 630
MARGIN: Final = 72
INNER: Final = WIDTH - 2 * MARGIN

# The renderer brings this family along: the same on every machine. Others follow for scripts it does not have.
_FAMILY: Final = "Liberation Sans, Arial, Helvetica, Noto Sans, DejaVu Sans, sans-serif"
_SPARE: Final = 0.97  # of the measured room, as some scripts are wider than judged


class Canvas:
    """Takes shapes and texts from back to front; `picture` is what came of it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._texts: list[str] = []

    def text(
        self,
        text: str,
        x: float,
        y: float,
        size: int,
        room: float,
        *,
        bold: bool = False,
        colour: str = "--text",
        end: bool = False,
    ) -> float:
        """Write one line with its baseline at ``y``, from ``x`` on, or up to it with ``end``; return its width in px.

        What is wider than ``room`` px is cut, and clipped besides.
        """
        said = clean(text)
        if not said:
            return 0.0
        face = Face.SANS_BOLD if bold else Face.SANS
        shown = fitted(said, face, room * _SPARE / size)
        self._texts.append(said)
        clip = f"t{len(self._texts)}"
        left = x - room if end else x
        weight = ' font-weight="bold"' if bold else ""
        anchor = ' text-anchor="end"' if end else ""
        self._parts.append(
            f'<clipPath id="{clip}"><rect x="{left:g}" y="{y - 1.2 * size:g}" width="{room:g}" '
            f'height="{1.6 * size:g}"/></clipPath>'
            f'<g clip-path="url(#{clip})"><text x="{x:g}" y="{y:g}" font-size="{size}"{weight}{anchor} '
            f'fill="{LIGHT[colour]}">{xml(shown)}</text></g>'
        )
        return min(width(shown, face) * size, room)

    def heading(self, text: str, y: float, sizes: Sequence[int]) -> None:
        """Write a bold line over the whole width in the first of the sizes that has room for it, or cut in the last."""
        ems = width(clean(text), Face.SANS_BOLD)
        fits = (size for size in sizes if ems * size <= INNER * _SPARE)
        self.text(text, MARGIN, y, next(fits, sizes[-1]), INNER, bold=True)

    def bar(self, x: float, y: float, length: float, height: float, colour: str) -> None:
        """Draw a rounded bar."""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{round(length, 1):g}" height="{height:g}" rx="{height / 2:g}" '
            f'fill="{LIGHT[colour]}"/>'
        )

    def skyline(self, values: Sequence[int], top: float) -> None:
        """Draw values, two at least, as a line over a tinted area along the image's foot, the largest at ``top``."""
        if len(values) < 2:
            return
        most = max(1, *values)
        step = WIDTH / (len(values) - 1)
        room = HEIGHT - 6 - top
        # The quotient of two integers is exact to a float's last digit, whatever their size.
        points = " ".join(
            f"{round(n * step, 1):g},{round(top + room * (1 - value / most), 1):g}" for n, value in enumerate(values)
        )
        accent = LIGHT["--accent"]
        self._parts.append(
            f'<polygon points="{points} {WIDTH},{HEIGHT} 0,{HEIGHT}" fill="{accent}" fill-opacity="0.12"/>'
            f'<polyline points="{points}" fill="none" stroke="{accent}" stroke-width="4" '
            f'stroke-linejoin="round" stroke-linecap="round"/>'
        )

    def brand(self, board: str, window: str) -> None:
        """Draw the board's mark and title on top, and on the other side the window the figures are of."""
        accent = LIGHT["--accent"]
        for x, y, height in ((0, 17, 12), (11, 2, 27), (22, 10, 19)):
            self._parts.append(
                f'<rect x="{MARGIN + x}" y="{52 + y}" width="7" height="{height}" rx="2" fill="{accent}"/>'
            )
        self.text(board, MARGIN + 44, 80, 28, 560, bold=True)
        self.text(window, WIDTH - MARGIN, 80, 24, 420, colour="--muted", end=True)

    def picture(self, title: str, description: str) -> Picture:
        """Return what was drawn."""
        parts = "".join(self._parts)
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'font-family="{_FAMILY}"><rect width="{WIDTH}" height="{HEIGHT}" fill="{LIGHT["--page"]}"/>'
            f'<rect width="{WIDTH}" height="8" fill="{LIGHT["--accent"]}"/>{parts}</svg>'
        )
        return Picture(
            clean(title, worded=True), clean(description, worded=True), WIDTH, HEIGHT, svg, tuple(self._texts)
        )
