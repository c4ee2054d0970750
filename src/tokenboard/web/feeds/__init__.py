"""Feeds: what moved in the weekly app rankings of the last thirty completed days.

    rankings ─▶ weeks (each app's course, day by day) ─▶ movements (pure, with hysteresis) ─▶ atom (RFC 4287)

Nothing is remembered between two requests: what moved on a day follows from that day and the thirty before it, so a
feed of the same figures always has the same entries.
"""

from tokenboard.web.feeds.atom import Entry, Feed, write_atom
from tokenboard.web.feeds.movements import Movement
from tokenboard.web.feeds.weeks import News, read_news

__all__ = ["Entry", "Feed", "Movement", "News", "read_news", "write_atom"]
