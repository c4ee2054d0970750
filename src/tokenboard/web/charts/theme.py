"""Colours of drawings: names in the style sheet, values in both themes, and the inks that stand for them meanwhile.

A drawing is described in inks, colours that no theme has. A finished SVG has the style sheet's variables in their
place, so that a page's own theme reaches a drawing put into it; a PNG has the light theme's values.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

SLOTS: Final = 9
"""Colours for series: slots 1 to 9; slot 0 is the colour of everything else."""

LIGHT: Final[Mapping[str, str]] = {
    "--page": "#ffffff",
    "--raised": "#f6f7f9",
    "--line": "#e3e6ea",
    "--text": "#14171c",
    "--muted": "#59636f",
    "--accent": "#3d4fc4",
    "--c1": "#8856c5",
    "--c2": "#c78709",
    "--c3": "#8d2003",
    "--c4": "#13a697",
    "--c5": "#54339a",
    "--c6": "#a15c12",
    "--c7": "#602054",
    "--c8": "#aa7eec",
    "--c9": "#327a74",
    "--c-other": "#8b939c",
}
"""The same values as in static/board.css, by the same names; a test compares."""

DARK: Final[Mapping[str, str]] = {
    "--page": "#14171c",
    "--raised": "#1c2027",
    "--line": "#2b313a",
    "--text": "#eceef1",
    "--muted": "#a3adb8",
    "--accent": "#a0b0ff",
    "--c1": "#7484d3",
    "--c2": "#c9981f",
    "--c3": "#66efd6",
    "--c4": "#4c5db4",
    "--c5": "#32c49f",
    "--c6": "#865c00",
    "--c7": "#f0ce5b",
    "--c8": "#c25776",
    "--c9": "#bda8fd",
    "--c-other": "#6f7883",
}

INKS: Final[Mapping[str, str]] = {name: f"#010c{index:02x}" for index, name in enumerate(LIGHT)}
"""What stands in a description for each variable."""

UNSEEN: Final = "#010dff"
"""The ink of what is only there to be pointed at."""

NAMES: Final[Mapping[str, str]] = {ink: name for name, ink in INKS.items()}

FONTS: Final = "system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, Liberation Sans, sans-serif"


def ink_of(slot: int) -> str:
    """Return the ink of a series' slot; raises ValueError outside 0 to 9."""
    if not 0 <= slot <= SLOTS:
        raise ValueError(f"a slot is 0 to {SLOTS}, not {slot}")
    return INKS[f"--c{slot}"] if slot else INKS["--c-other"]


def _declarations(theme: Mapping[str, str]) -> str:
    return ";".join(f"{name}:{value}" for name, value in theme.items())


STYLE: Final = (
    f"svg{{color-scheme:light dark;font-family:{FONTS};{_declarations(LIGHT)}}}"
    f"@media(prefers-color-scheme:dark){{svg{{{_declarations(DARK)}}}}}"
)
"""The style sheet inside each SVG, for when it stands alone; a page that takes a drawing in leaves it out."""

SVG_POLICY: Final = (
    "default-src 'none'; style-src 'sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode() + "'"
)
"""The Content-Security-Policy to send an SVG with: nothing but its own style sheet, by its hash."""
