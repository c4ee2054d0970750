"""The query of a request: its parameters, parsed strictly, and the window of days that dates resolve to. Pure.

    pairs of a query ─▶ Parameters ─▶ choice · filter · number · text · categories · window
                                  └▶ ParameterError: which parameter, what is wrong, what it allows

The Data API, the pages and the rankings parse with it: a parameter means the same, and is refused alike, everywhere.
"""

from tokenboard.query.errors import ParameterError, quoted
from tokenboard.query.parameters import Parameters, parse_number
from tokenboard.query.window import Window, resolve_window

__all__ = ["ParameterError", "Parameters", "Window", "parse_number", "quoted", "resolve_window"]
