"""Colours as people see them: contrast (WCAG 2.2), OKLab (Ottosson 2020), colour blindness (Machado et al. 2009).

Machado's matrices are those of full severity and are applied to linear RGB, as in the paper and in browsers.
"""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.float64]

STYLE = Path(__file__).parent.parent.parent / "src" / "tokenboard" / "web" / "static" / "board.css"
SLOTS = range(1, 10)

VISIONS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}

_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def themes() -> dict[str, dict[str, str]]:
    """Return the style sheet's colours by theme and name."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE.read_text("utf-8"), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return {"light": colours, "dark": colours | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))}


def linear(colour: str) -> Rgb:
    """Return the light of a colour written as sRGB, 0-1 by channel."""
    coded = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1-21."""
    darker, lighter = sorted(float(linear(colour) @ _LUMINANCE) for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def distance(one: str, other: str, vision: str) -> float:
    """Return how far apart two colours look, in OKLab; black and white are 1 apart."""
    first, second = (_lab(np.clip(VISIONS[vision] @ linear(colour), 0, 1)) for colour in (one, other))
    return float(np.linalg.norm(first - second))


def closest(colours: dict[str, str], vision: str) -> tuple[float, int, int]:
    """Return the least distance between two of the nine chart colours, and which they are."""
    pairs = combinations(SLOTS, 2)
    return min((distance(colours[f"c{one}"], colours[f"c{other}"], vision), one, other) for one, other in pairs)


def neighbours(colours: dict[str, str], vision: str) -> float:
    """Return the least distance between two chart colours that follow each other, as stacked bars do."""
    return min(distance(colours[f"c{slot}"], colours[f"c{slot + 1}"], vision) for slot in SLOTS[:-1])


def _lab(light: Rgb) -> Rgb:
    lab: Rgb = _TO_LAB @ np.cbrt(_TO_CONES @ light)
    return lab
