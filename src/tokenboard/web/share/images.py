"""The three share images: of a ranking, of an app, of a model. Pure: from plain figures to a `Picture`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tokenboard.web.charts.drawing import Picture
from tokenboard.web.numbers import compact, percent
from tokenboard.web.share.canvas import INNER, MARGIN, WIDTH, Canvas

ROWS: Final = 5
"""How many places a ranking's image shows."""

_FIRST_ROW: Final = 236
_ROW: Final = 74
_FIGURES_TOP: Final = 356
_SKYLINE_TOP: Final = 440


@dataclass(frozen=True, slots=True)
class Place:
    """One row of a ranking: its place, name, a note (a host, an author), and its exact figure."""

    rank: int
    name: str
    note: str
    value: int


def ranking_image(*, board: str, title: str, window: str, rows: Sequence[Place], unit: str = "tokens") -> Picture:
    """Return the image of a ranking's first five rows, bars as long as their part of the first.

    ``board`` is the board's title, ``window`` says which days, such as ``14-20 Nov 2026``.
    """
    canvas = Canvas()
    canvas.brand(board, f"{window} · {unit}")
    canvas.heading(title, 170, (56, 46))
    shown = rows[:ROWS]
    top = max((row.value for row in shown), default=0) or 1
    for position, row in enumerate(shown):
        y = _FIRST_ROW + position * _ROW
        canvas.text(f"{row.rank:,}", MARGIN, y + 18, 30, 56, colour="--muted")
        used = canvas.text(row.name, MARGIN + 64, y + 18, 30, 560, bold=True)
        canvas.text(row.note, MARGIN + 64 + used + 18, y + 18, 24, max(780 - used - 18, 0), colour="--muted")
        canvas.text(compact(row.value), WIDTH - MARGIN, y + 18, 30, 190, bold=True, end=True)
        canvas.bar(MARGIN + 64, y + 34, INNER - 64, 10, "--line")
        canvas.bar(MARGIN + 64, y + 34, max((INNER - 64) * (row.value / top), 10 if row.value else 0), 10, "--accent")
    if not shown:
        canvas.text(f"No {unit} in this window yet", MARGIN, _FIRST_ROW + 40, 30, INNER, colour="--muted")
    return canvas.picture(title, f"{title}, {window}, by {unit}")


def app_image(
    *,
    board: str,
    name: str,
    host: str,
    window: str,
    rank: int | None,
    listed: int,
    tokens: int,
    requests: int,
    days: Sequence[int],
) -> Picture:
    """Return the image of one app: its place among the ``listed`` apps, its figures, its tokens day by day."""
    figures = [
        (f"#{rank:,}" if rank is not None else "–", f"of {listed:,} apps" if listed != 1 else "of 1 app"),
        (compact(tokens), "token" if tokens == 1 else "tokens"),
        (compact(requests), "request" if requests == 1 else "requests"),
    ]
    return _subject(board, name, host, window, figures, days)


def model_image(
    *,
    board: str,
    model: str,
    author: str | None,
    window: str,
    rank: int | None,
    tokens: int,
    share: float,
    apps: int,
    days: Sequence[int],
) -> Picture:
    """Return the image of one model: its place, tokens, share of all tokens (0-1), how many listed apps use it."""
    figures = [
        (f"#{rank:,}" if rank is not None else "–", "among models"),
        (compact(tokens), "token" if tokens == 1 else "tokens"),
        (percent(share), "of all tokens"),
        (compact(apps), "app" if apps == 1 else "apps"),
    ]
    return _subject(board, model, f"by {author}" if author else "", window, figures, days)


def _subject(
    board: str, name: str, note: str, window: str, figures: Sequence[tuple[str, str]], days: Sequence[int]
) -> Picture:
    canvas = Canvas()
    canvas.skyline(days, _SKYLINE_TOP)
    canvas.brand(board, window)
    canvas.heading(name, 200, (68, 56, 46))
    canvas.text(note, MARGIN, 252, 30, INNER, colour="--muted")
    room = INNER / len(figures)
    for position, (value, words) in enumerate(figures):
        x = MARGIN + position * room
        canvas.text(value, x, _FIGURES_TOP, 56, room - 24, bold=True, colour="--accent" if position == 0 else "--text")
        canvas.text(words, x, _FIGURES_TOP + 38, 26, room - 24, colour="--muted")
    summary = ", ".join(f"{value} {words}" for value, words in figures)
    return canvas.picture(name, f"{name}, {window}: {summary}")
