"""Analytics: every question that a page or the Data API asks beyond a plain ranking, answered once per state of data.

    rankings (figures per app and day, in memory) ─┐
    ledger's analyst (by model, by hour) ──────────┼─▶ Analytics ─▶ frozen answers ─▶ api · web
    catalog (URLs) ────────────────────────────────┘      └─ visibility: what may be shown, decided in one place

Answers are kept per state of figures, apps and day; of many who ask the same one works and the others wait.
"""

from tokenboard.analytics.analytics import MAX_DAYS, MAX_LIMIT, MAX_MODELS, MAX_SEARCH, Analytics
from tokenboard.analytics.answers import (
    COMPLETED,
    PERIOD_DAYS,
    Activity,
    AppBar,
    AppDetail,
    AppPlacement,
    AppsDaily,
    AppUsage,
    AuthorRow,
    Authors,
    DailyRankings,
    DailyRow,
    DayFigures,
    DirectoryPage,
    DirectoryRow,
    Found,
    Grain,
    HourCell,
    HourPattern,
    Listing,
    ModelAppRow,
    ModelApps,
    ModelDetail,
    ModelPage,
    ModelRow,
    ModelShare,
    NotFound,
    Order,
    Period,
    RankPoint,
    UsagePoint,
)
from tokenboard.analytics.cache import OVERHEAD, AnswerCache
from tokenboard.analytics.weight import weight
from tokenboard.ledger import Consumption
from tokenboard.query import Window
from tokenboard.rankings import Figures

__all__ = [
    "COMPLETED",
    "MAX_DAYS",
    "MAX_LIMIT",
    "MAX_MODELS",
    "MAX_SEARCH",
    "OVERHEAD",
    "PERIOD_DAYS",
    "Activity",
    "Analytics",
    "AnswerCache",
    "AppBar",
    "AppDetail",
    "AppPlacement",
    "AppUsage",
    "AppsDaily",
    "AuthorRow",
    "Authors",
    "Consumption",
    "DailyRankings",
    "DailyRow",
    "DayFigures",
    "DirectoryPage",
    "DirectoryRow",
    "Figures",
    "Found",
    "Grain",
    "HourCell",
    "HourPattern",
    "Listing",
    "ModelAppRow",
    "ModelApps",
    "ModelDetail",
    "ModelPage",
    "ModelRow",
    "ModelShare",
    "NotFound",
    "Order",
    "Period",
    "RankPoint",
    "UsagePoint",
    "Window",
    "weight",
]
