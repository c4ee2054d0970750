"""Badges: "#3 in coding · 1.2B/week", to be put into a README. Pure: plain figures in, an SVG or JSON out.

placement ─▶ app_badge ─▶ Badge ─▶ svg(style) · endpoint()
"""

from tokenboard.web.badges.app_badge import BadgeFigure, app_badge, no_badge
from tokenboard.web.badges.badge import Badge, Colour, Style

__all__ = ["Badge", "BadgeFigure", "Colour", "Style", "app_badge", "no_badge"]
