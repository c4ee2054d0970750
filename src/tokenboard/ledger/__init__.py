"""The ledger: all usage, summed by day; the only code that speaks ClickHouse.

    drain ─▶ insert(batch) ─▶ usage ─▶ app_daily · app_model_daily · model_daily · app_hourly (materialized views)
                          └─▶ day_changes ─▶ rankings re-read the days that changed

The same SQL runs embedded and on a server; ``schema/`` holds numbered files, ``queries/`` one file a question, named
after its caller, and ``engines`` the only difference between the two.
"""

from tokenboard.ledger.columns import Rows, arrange_rows
from tokenboard.ledger.errors import LedgerError, LedgerOutdated, LedgerUnavailable
from tokenboard.ledger.generation import Generation
from tokenboard.ledger.ledger import ROLLUPS, DayRows, Ledger, Totals
from tokenboard.ledger.spending import Spending

__all__ = [
    "ROLLUPS",
    "DayRows",
    "Generation",
    "Ledger",
    "LedgerError",
    "LedgerOutdated",
    "LedgerUnavailable",
    "Rows",
    "Spending",
    "Totals",
    "arrange_rows",
]
