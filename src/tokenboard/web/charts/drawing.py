"""What is to be drawn: frozen, complete, without any access to where its figures come from."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

_encoder = msgspec.json.Encoder(order="deterministic")


class Size(StrEnum):
    """Where a drawing will stand: its width and height in px, the most labels along each axis.

    Text is 12 px in each. WIDE is for a page's full width from 60rem on, HALF for a column or from 40rem on, PHONE
    below: scaled to fit, text stays at 11 px or more.
    """

    WIDE = "wide"
    HALF = "half"
    PHONE = "phone"

    @property
    def width(self) -> int:
        """Width in px."""
        return _EXTENTS[self][0]

    @property
    def height(self) -> int:
        """Height in px; a list of bars is as high as its rows ask for."""
        return _EXTENTS[self][1]

    @property
    def across(self) -> int:
        """Labels along the time axis, at most."""
        return _EXTENTS[self][2]

    @property
    def up(self) -> int:
        """Steps of the value axis, at most."""
        return _EXTENTS[self][3]


_EXTENTS: Final = {Size.WIDE: (1104, 300, 12, 5), Size.HALF: (540, 260, 7, 5), Size.PHONE: (344, 220, 5, 4)}


@dataclass(frozen=True, slots=True)
class Series:
    """One named series: ``values`` has one exact figure for each day. ``slot`` 1-9 is its colour, 0 everything else."""

    name: str
    slot: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart: ``spec`` is its Vega-Lite description as JSON, in inks, and knows its texts only by number.

    ``tips`` are the texts that marks show when pointed at, ``labels`` those drawn. Neither passes through Vega: names
    come from outside, and Vega has a language of its own. ``description`` says in words what the chart shows.
    """

    title: str
    description: str
    width: int
    height: int
    spec: bytes
    tips: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A hash of all that decides how it looks, hexadecimal: equal drawings have equal keys."""
        return _hash("chart", self.title, self.description, self.spec, *self.tips, "", *self.labels)


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG in fixed colours, ready to be made a PNG of; ``texts`` are all texts in it, before they are cut."""

    title: str
    description: str
    width: int
    height: int
    svg: str
    texts: tuple[str, ...]

    @property
    def key(self) -> str:
        """A hash of its content, hexadecimal."""
        return _hash("picture", self.svg)


def describe(spec: Mapping[str, Any]) -> bytes:
    """Return a Vega-Lite description as JSON, its keys in order."""
    return _encoder.encode(spec)


def _hash(*parts: str | bytes) -> str:
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        content = part if isinstance(part, bytes) else part.encode("utf-8", "replace")
        found.update(len(content).to_bytes(8, "big"))
        found.update(content)
    return found.hexdigest()
