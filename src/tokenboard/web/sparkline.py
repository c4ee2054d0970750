"""The small line in a table's row; its exact figures are those of the row's own page."""

from collections.abc import Sequence

HEIGHT = 30
"""The box is as wide as there are steps from value to value, and so high: whole numbers keep a page small."""


def points(values: Sequence[int]) -> str:
    """Return the points of a polyline: 0 at the bottom, the largest value at the top; nothing for less than two."""
    if len(values) < 2:
        return ""
    top = max(values) or 1
    # In integers: values may be beyond what a float holds.
    return " ".join(f"{step},{HEIGHT - value * HEIGHT // top}" for step, value in enumerate(values))
