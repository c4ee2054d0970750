"""Rankings: which apps used how much, in any window of days, exactly and at once.

The way of a figure: ``Rankings.refresh`` reads the ledger's changed days into the ``Cube``, running sums per app and
UTC day, and the catalog's changed apps into the ``Roster``: aliases, visibility, categories. ``parse_question`` makes a
frozen ``Question`` of query parameters; ``rank`` answers it from the two with a ``Ranking``. Only ``Rankings`` knows of
locks, time and stores; the rest takes values and gives values.
"""

from tokenboard.rankings.cube import Cube
from tokenboard.rankings.days import Day
from tokenboard.rankings.extras import Split, Trend
from tokenboard.rankings.following import LedgerFollower
from tokenboard.rankings.history import AppDays, days_of, last_days_of
from tokenboard.rankings.metric import METRICS, Metric, RankMetric
from tokenboard.rankings.question import MAX_OFFSET, NO_EXTRAS, Extra, Question, Sort, parse_extras, parse_question
from tokenboard.rankings.ranking import Figures, Placement, RankedApp, Ranking, Totals, figures_of, placement, rank
from tokenboard.rankings.rankings import DEFAULT_MEMORY_BUDGET, Answer, NotFilledError, Rankings
from tokenboard.rankings.roster import Roster, RosterEntry
from tokenboard.rankings.sources import AppChanges, AppRow, CatalogReader, DayRows, LedgerReader

__all__ = [
    "DEFAULT_MEMORY_BUDGET",
    "MAX_OFFSET",
    "METRICS",
    "NO_EXTRAS",
    "Answer",
    "AppChanges",
    "AppDays",
    "AppRow",
    "CatalogReader",
    "Cube",
    "Day",
    "DayRows",
    "Extra",
    "Figures",
    "LedgerFollower",
    "LedgerReader",
    "Metric",
    "NotFilledError",
    "Placement",
    "Question",
    "RankMetric",
    "RankedApp",
    "Ranking",
    "Rankings",
    "Roster",
    "RosterEntry",
    "Sort",
    "Split",
    "Totals",
    "Trend",
    "days_of",
    "figures_of",
    "last_days_of",
    "parse_extras",
    "parse_question",
    "placement",
    "rank",
]
