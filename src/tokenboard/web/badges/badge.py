"""A badge: a label and a message, as an SVG of our own or in the form that shields.io's endpoint badge reads."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from tokenboard.web.text_metrics import Face, clean, fitted, isolated, width, xml

HEIGHT: Final = 20
"""Height of a badge, in px."""

LABEL_ROOM: Final = 24.0
"""Room for the label, in ems of 11 px; it is cut beyond."""

MESSAGE_ROOM: Final = 40.0
"""Room for the message, in ems."""

_TYPE_SIZE: Final = 11
_PADDING: Final = 6
_LABEL_COLOUR: Final = "3b424b"


class Style(StrEnum):
    """How a badge looks: round corners, or square ones. No other style of shields.io's is drawn."""

    FLAT = "flat"
    FLAT_SQUARE = "flat-square"


class Colour(StrEnum):
    """The message's background; white text stands out from each by more than 4.5:1."""

    ACCENT = "3d4fc4"
    QUIET = "59636f"


class _Endpoint(msgspec.Struct, frozen=True):
    schemaVersion: int  # noqa: N815 - as shields.io calls it
    label: str
    message: str
    color: str


@dataclass(frozen=True, slots=True)
class Badge:
    """``label`` on the left, ``message`` on the right; both on one line, harmless whatever they hold."""

    label: str
    message: str
    colour: Colour = Colour.ACCENT

    def svg(self, style: Style = Style.FLAT) -> bytes:
        """Return the badge as an SVG, UTF-8: titled for screen readers, no script, style or link in it."""
        label = fitted(self.label, Face.VERDANA, LABEL_ROOM)
        message = fitted(self.message, Face.VERDANA, MESSAGE_ROOM)
        left, right = _length(label), _length(message)
        whole = left + right
        words = f"{isolated(self.label)}: {isolated(self.message)}" if label else isolated(self.message)
        radius = 3 if style is Style.FLAT else 0
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{HEIGHT}" role="img" '
            f'aria-label="{xml(words)}"><title>{xml(words)}</title>'
            f'<rect width="{whole}" height="{HEIGHT}" rx="{radius}" fill="#{self.colour}"/>'
            f"{_left_part(left, radius)}"
            f'<g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" '
            f'font-size="{_TYPE_SIZE}" aria-hidden="true">{_line(label, left / 2, left)}'
            f"{_line(message, left + right / 2, right)}</g></svg>"
        ).encode("utf-8", "replace")

    def endpoint(self) -> bytes:
        """Return the badge as JSON for shields.io's endpoint badge (https://shields.io/badges/endpoint-badge)."""
        return msgspec.json.encode(_Endpoint(1, clean(self.label), clean(self.message), str(self.colour)))


def _length(text: str) -> int:
    return round(width(text, Face.VERDANA) * _TYPE_SIZE) + 2 * _PADDING if text else 0


def _left_part(left: int, radius: int) -> str:
    """Return the label's background: its right edge is straight."""
    if not left:
        return ""
    edge = HEIGHT - radius
    return (
        f'<path fill="#{_LABEL_COLOUR}" d="M{radius},0H{left}V{HEIGHT}H{radius}'
        + (f"A{radius},{radius} 0 0 1 0,{edge}V{radius}A{radius},{radius} 0 0 1 {radius},0Z" if radius else "V0Z")
        + '"/>'
    )


def _line(text: str, middle: float, length: int) -> str:
    """Return one line; readers' fonts differ, ``textLength`` makes each fit the room measured."""
    if not text:
        return ""
    room = length - 2 * _PADDING
    return f'<text x="{middle:g}" y="14" textLength="{room}" lengthAdjust="spacingAndGlyphs">{xml(text)}</text>'
