"""The ledger: all usage, summed by day; the only code that speaks ClickHouse.

    drain ─▶ insert(batch) ─▶ usage ─▶ app_daily · app_model_daily · model_daily · app_hourly · key_daily (views)
                          └─▶ day_changes ─▶ rankings re-read the days that changed

The same SQL runs embedded and on a server; ``schema/`` holds numbered files, ``queries/`` one file a question, named
after its caller, and ``engines`` the only difference between the two.
"""

from tokenboard.ledger.analyst import HOURS_KEPT_DAYS, NOTHING, Analyst, Consumption
from tokenboard.ledger.batches import UNOWNED, BatchId
from tokenboard.ledger.columns import OUT_OF_TIME, Rows, arrange_table, fit_events, misfit_times
from tokenboard.ledger.errors import LedgerError, LedgerMisplaced, LedgerOutdated, LedgerUnavailable, TwoWriters
from tokenboard.ledger.generation import Generation
from tokenboard.ledger.inspection import Finding
from tokenboard.ledger.kinds import ANY_KIND, ContextBucket, Output, RequestKind, ToolUse
from tokenboard.ledger.ledger import DayRows, Ledger, Totals
from tokenboard.ledger.rollups import FIGURES, ROLLUPS, RollupCheck, RollupDifference, first_of, last_of
from tokenboard.ledger.spending import Spending

__all__ = [
    "ANY_KIND",
    "FIGURES",
    "HOURS_KEPT_DAYS",
    "NOTHING",
    "OUT_OF_TIME",
    "ROLLUPS",
    "UNOWNED",
    "Analyst",
    "BatchId",
    "Consumption",
    "ContextBucket",
    "DayRows",
    "Finding",
    "Generation",
    "Ledger",
    "LedgerError",
    "LedgerMisplaced",
    "LedgerOutdated",
    "LedgerUnavailable",
    "Output",
    "RequestKind",
    "RollupCheck",
    "RollupDifference",
    "Rows",
    "Spending",
    "ToolUse",
    "Totals",
    "TwoWriters",
    "arrange_table",
    "first_of",
    "fit_events",
    "last_of",
    "misfit_times",
]
