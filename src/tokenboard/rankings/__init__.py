"""Rankings: which apps used how much, in any window of days, exactly and at once.

The way of a figure: ``Rankings.refresh`` reads the ledger's changed days into the ``Cube``, running sums per app and
UTC day, and the catalog's changed apps into the ``Roster``: aliases, visibility, categories. ``parse_question`` makes a
frozen ``Question`` of query parameters; ``rank`` answers it from the two with a ``Ranking``. Only ``Rankings`` knows of
locks, time and stores; the rest takes values and gives values.
"""

from tokenboard.rankings.board import Figures, RankedApp, Ranking, Totals, rank
from tokenboard.rankings.cube import METRICS, Cube, Metric
from tokenboard.rankings.question import Question, Sort, parse_question
from tokenboard.rankings.rankings import Answer, NotFilledError, Rankings
from tokenboard.rankings.roster import Roster, RosterEntry
from tokenboard.rankings.sources import AppChanges, AppRow, CatalogReader, DayRows, LedgerReader
from tokenboard.rankings.window import QuestionError, Window, resolve_window

__all__ = [
    "METRICS",
    "Answer",
    "AppChanges",
    "AppRow",
    "CatalogReader",
    "Cube",
    "DayRows",
    "Figures",
    "LedgerReader",
    "Metric",
    "NotFilledError",
    "Question",
    "QuestionError",
    "RankedApp",
    "Ranking",
    "Rankings",
    "Roster",
    "RosterEntry",
    "Sort",
    "Totals",
    "Window",
    "parse_question",
    "rank",
    "resolve_window",
]
