"""The answers: frozen, complete, ready to be shown. Times are UTC, tokens exact integers, cost USD."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from tokenboard.ledger import Consumption
from tokenboard.query import Window
from tokenboard.rankings import Figures


class Period(StrEnum):
    """Today so far, or a span of completed UTC days that ends with the last one: 1, 7 or 30 days.

    As a grain, a calendar period: that is any of `COMPLETED`.
    """

    TODAY = "today"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


COMPLETED = (Period.DAY, Period.WEEK, Period.MONTH)
"""The spans whose days are over, so that their figures stay; the periods that the Data API has."""

PERIOD_DAYS = {Period.TODAY: 1, Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 30}
"""How many days a span has."""


class Order(StrEnum):
    """How a directory is sorted; ties by ascending app id."""

    POPULAR = "popular"
    TRENDING = "trending"
    NAME = "name"
    NEWEST = "newest"


class Grain(StrEnum):
    """The width of one bucket of a series."""

    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Listing:
    """A visible app: what every list shows of it. ``categories`` are the effective ones, its aliases' included."""

    app_id: int
    name: str
    url: str
    categories: tuple[str, ...]
    first_seen: datetime


@dataclass(frozen=True, slots=True)
class DirectoryRow:
    """An app of the directory with its figures in the page's window.

    ``rank`` is its place by tokens among all visible apps (of the category asked for), None without tokens in the
    window. ``before`` sums the tokens of the three windows of equal length immediately before.
    """

    app: Listing
    rank: int | None
    tokens: int
    requests: int
    before: int

    @property
    def growth(self) -> float | None:
        """How much the window's tokens are above the mean of the three before, 0.5 for half as much again.

        None when there were none before.
        """
        return (3 * self.tokens - self.before) / self.before if self.before else None


@dataclass(frozen=True, slots=True)
class DirectoryPage:
    """A page of the directory; ``total`` counts the apps on all pages."""

    rows: tuple[DirectoryRow, ...]
    total: int
    window: Window
    as_of: datetime


@dataclass(frozen=True, slots=True, order=True)
class Activity:
    """Whether there is anything to show of a window; the larger of two shows more.

    ``ranked``: some visible app has tokens in it; ``used``: there were requests at all, anybody's.
    """

    ranked: bool
    used: bool


@dataclass(frozen=True, slots=True)
class AppPlacement:
    """An app among all visible ones in a window; ``rank`` is None without tokens, of ``listed`` apps that have some."""

    window: Window
    rank: int | None
    tokens: int
    requests: int
    listed: int


@dataclass(frozen=True, slots=True)
class AppDetail:
    """What a page of one app needs. ``asked_id`` is the id asked for: an alias's, unless it is ``app.app_id``.

    ``last_day`` is the last UTC day with usage, None before the first. ``placements`` has every period of `COMPLETED`,
    ``today`` is the placement so far.
    """

    app: Listing
    asked_id: int
    last_day: date | None
    placements: dict[Period, AppPlacement]
    today: AppPlacement
    as_of: datetime

    @property
    def by_alias(self) -> bool:
        """Whether an alias was asked for; a page redirects then."""
        return self.asked_id != self.app.app_id


@dataclass(frozen=True, slots=True)
class Found:
    """A URL's app: ``app_id`` is canonical and visible. ``tried`` is the canonical form of the URL asked for."""

    app_id: int
    tried: str
    by_alias: bool


@dataclass(frozen=True, slots=True)
class NotFound:
    """No visible app has the URL: ``tried`` is its canonical form, None when it has none; ``reason`` is a code.

    ``reason`` is ``unknown_url``, ``ambiguous_url`` (a loopback address that several apps share), or why the URL has no
    canonical form, as in docs/attribution.md. ``message`` says it in a sentence.
    """

    tried: str | None
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ModelShare:
    """One model's part of an app's usage; ``share`` of its tokens, 0–1. ``model`` None sums the models not named."""

    model: str | None
    figures: Consumption
    share: float


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """One bucket's figures of one model; ``start`` is the bucket's first instant. ``model`` None as in `ModelShare`."""

    start: datetime
    model: str | None
    figures: Consumption


@dataclass(frozen=True, slots=True)
class AppUsage:
    """One app's usage, its aliases' included: ``points`` ascend by time, then in the order of ``models``.

    Buckets without usage are left out. ``models`` descend by tokens, the rest (None) last. Hours are kept without
    their models: by hour there is one ``ModelShare`` of None.
    """

    app_id: int
    window: Window
    by: Grain
    models: tuple[ModelShare, ...]
    points: tuple[UsagePoint, ...]
    total: Consumption
    as_of: datetime


@dataclass(frozen=True, slots=True)
class HourCell:
    """The sums of one hour of one weekday (1 is Monday, as ISO 8601 counts; hours 0–23, UTC) over a window."""

    weekday: int
    hour: int
    tokens: int
    requests: int


@dataclass(frozen=True, slots=True)
class HourPattern:
    """168 cells, by weekday and hour; ``window`` is what of the window asked for hours are kept for."""

    app_id: int
    window: Window
    cells: tuple[HourCell, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model in a ranking: ``rank`` by tokens over all models, ``previous`` one window earlier (None: not listed).

    ``author`` is the part before the slash, None without one; ``share`` is of all tokens, 0–1.
    """

    model: str
    author: str | None
    rank: int
    previous: int | None
    figures: Consumption
    share: float


@dataclass(frozen=True, slots=True)
class ModelPage:
    """A page of the models with tokens in the window; ``total`` counts those that match, ``all_traffic`` sums all."""

    rows: tuple[ModelRow, ...]
    total: int
    all_traffic: Consumption
    window: Window
    as_of: datetime


@dataclass(frozen=True, slots=True)
class AuthorRow:
    """The market share of one author of models; None gathers the models without an author in their name."""

    author: str | None
    rank: int
    models: int
    figures: Consumption
    share: float


@dataclass(frozen=True, slots=True)
class Authors:
    """All authors with tokens in the window, by tokens."""

    rows: tuple[AuthorRow, ...]
    all_traffic: Consumption
    window: Window
    as_of: datetime


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One UTC day's sums."""

    day: date
    figures: Consumption


@dataclass(frozen=True, slots=True)
class ModelDetail:
    """One model in a window. ``rank`` and ``previous`` as in `ModelRow`, None without tokens; days without use are out.

    ``share`` is of the tokens of all models, 0–1.
    """

    model: str
    author: str | None
    rank: int | None
    previous: int | None
    total: Consumption
    share: float
    days: tuple[DayFigures, ...]
    window: Window
    as_of: datetime


@dataclass(frozen=True, slots=True)
class ModelAppRow:
    """An app that uses a model: ``rank`` among the model's apps by tokens, ``overall_rank`` among all apps.

    ``share`` is of all the model's tokens, those of unlisted and unattributed traffic included, 0–1.
    """

    app: Listing
    rank: int
    tokens: int
    requests: int
    share: float
    overall_rank: int | None


@dataclass(frozen=True, slots=True)
class ModelApps:
    """The top visible apps of a model; ``listed`` counts all that have tokens of it.

    ``all_traffic`` of the model is what listed apps, ``unlisted`` ones (hidden, private, without tokens) and
    ``unattributed`` traffic add up to.
    """

    model: str
    rows: tuple[ModelAppRow, ...]
    listed: int
    all_traffic: Figures
    listed_traffic: Figures
    unlisted: Figures
    unattributed: Figures
    window: Window
    as_of: datetime


@dataclass(frozen=True, slots=True)
class DailyRow:
    """One model's tokens in the period that begins on ``day``; the model ``other`` sums those beyond the top 50."""

    day: date
    model: str
    tokens: int


@dataclass(frozen=True, slots=True)
class DailyRankings:
    """Rows by ascending day, then descending tokens, then name, ``other`` last of its period.

    A period that the window cuts has the figures of its days inside the window, under the period's own first day.
    ``unknown_tokens`` are those of requests of which it is unknown whether they are of the requested kind.
    """

    rows: tuple[DailyRow, ...]
    window: Window
    as_of: datetime
    unknown_tokens: int = 0


@dataclass(frozen=True, slots=True)
class AppBar:
    """One app of a stacked chart: its figure of each day of the window, and their sum."""

    app: Listing
    values: tuple[int, ...]
    total: int


@dataclass(frozen=True, slots=True)
class AppsDaily:
    """The top apps day by day, each array as long as ``days``.

    ``other`` sums the visible apps that are not named (of the category, when one was asked for), ``unlisted`` hidden,
    private and unknown ones, ``unattributed`` traffic without an app, both whatever the category.
    """

    days: tuple[date, ...]
    bars: tuple[AppBar, ...]
    other: tuple[int, ...]
    unlisted: tuple[int, ...]
    unattributed: tuple[int, ...]
    window: Window
    as_of: datetime


@dataclass(frozen=True, slots=True)
class RankPoint:
    """An app's place on one day among all visible apps, None without tokens that day."""

    day: date
    rank: int | None
    tokens: int
