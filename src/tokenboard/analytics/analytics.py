"""The questions that pages and the Data API ask, and their answers from rankings, ledger and catalog."""

from collections.abc import Callable, Hashable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tokenboard.analytics import models as model_answers
from tokenboard.analytics import series
from tokenboard.analytics.answers import (
    COMPLETED,
    PERIOD_DAYS,
    Activity,
    AppBar,
    AppDetail,
    AppPlacement,
    AppsDaily,
    AppUsage,
    Authors,
    DailyRankings,
    DirectoryPage,
    DirectoryRow,
    Found,
    Grain,
    HourPattern,
    Listing,
    ModelApps,
    ModelDetail,
    ModelPage,
    NotFound,
    Order,
    Period,
    RankPoint,
)
from tokenboard.analytics.cache import AnswerCache
from tokenboard.analytics.directory import AppIndexCache
from tokenboard.analytics.sums import WindowSums, day_sums, descending, window_sums
from tokenboard.analytics.visibility import VisibleApp, VisibleApps
from tokenboard.attribution import RefererError, canonical_url, searchable
from tokenboard.catalog import AmbiguousApp, Catalog, UnknownApp
from tokenboard.ledger import ANY_KIND, Analyst, RequestKind
from tokenboard.query import Window
from tokenboard.rankings import NotFilledError, Rankings, RankMetric

MAX_DAYS = 366
MAX_LIMIT = 100
MAX_MODELS = 50
"""Most models that one app's usage names."""

MAX_SEARCH = 200
"""Longest text to search for, in characters."""

_ROOM = 32 * 2**20  # bytes of answers and their questions
_WINDOWS_ROOM = 12  # windows' sums; each takes 34 bytes per app
_UNKNOWN_URL = "unknown_url"
_AMBIGUOUS_URL = "ambiguous_url"

Answer = TypeVar("Answer")


class Analytics:
    """Answers, for any number of threads; every call blocks, so an event loop calls it from a thread.

    ``floor`` is the dataset's first UTC day; ``clock`` returns the present time with its time zone. Answers are kept as
    long as nothing they show has changed. Hidden and private apps, and aliases, appear in none; see `VisibleApps`.

    Raises, from any method: NotFilledError before the rankings are filled, CatalogUnavailable, LedgerUnavailable, and
    ValueError for a window of more than 366 days or a limit out of range, which is the caller's fault.
    """

    def __init__(
        self,
        rankings: Rankings,
        catalog: Catalog,
        analyst: Analyst,
        *,
        floor: date,
        clock: Callable[[], datetime],
    ) -> None:
        self._rankings = rankings
        self._catalog = catalog
        self._analyst = analyst
        self._floor = floor
        self._clock = clock
        self._visible_apps = VisibleApps(rankings)
        self._index = AppIndexCache(rankings)
        self._answers: AnswerCache[Any] = AnswerCache(_ROOM)
        self._sums: AnswerCache[WindowSums] = AnswerCache(_WINDOWS_ROOM, lambda _, __: 1)

    @property
    def today(self) -> date:
        """The present UTC day."""
        return self._clock().astimezone(UTC).date()

    @property
    def stamp(self) -> Hashable:
        """Differs whenever any answer may differ: figures, apps, or the day have changed. Never blocks."""
        rankings = self._rankings
        return rankings.epoch, rankings.reads, rankings.catalog_revision, self.today

    def window(self, period: Period) -> Window:
        """Return today, the last completed UTC day, or the last 7 or 30, without what lies before the floor."""
        today = self.today
        last = max(today if period is Period.TODAY else today - timedelta(days=1), self._floor)
        return Window(max(last - timedelta(days=PERIOD_DAYS[period] - 1), self._floor), last)

    def activity(self, window: Window) -> Activity:
        """Return whether anything was used in a window, and whether any of it is ranked."""
        sums = self._window_sums(window)
        return Activity(ranked=sums.listed > 0, used=bool(sums.requests.any()))

    def directory(
        self,
        *,
        search: str = "",
        category: str | None = None,
        subcategory: str | None = None,
        sort: Order = Order.POPULAR,
        window: Window | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> DirectoryPage:
        """Return a page of the visible apps; ``window`` defaults to the last 7 completed days.

        ``trending`` lists those that grow: 3 x the window's tokens less those of the three windows before, descending,
        where that is above 0. The other orders list all, also those without tokens in the window. ``search`` looks in
        names and URLs, whatever the case.
        """
        _check_page(limit, offset)
        if len(search) > MAX_SEARCH:
            raise ValueError(f"the search text has {len(search)} characters; at most {MAX_SEARCH} are allowed")
        asked = window or self.window(Period.WEEK)

        def make() -> DirectoryPage:
            as_of = self._rankings.as_of
            sums = self._window_sums(asked, category, subcategory)
            order = self._ordered(sums, sort)
            if search:
                order = order[self._index.index().matching(search, sums.tokens.size)[order]]
            page = order[offset : offset + limit].tolist()
            shown = self._visible_apps.listings(page)
            rows = (_directory_row(shown[app_id], sums) for app_id in page if app_id in shown)
            return DirectoryPage(tuple(rows), int(order.size), asked, as_of)

        question = ("directory", search, category, subcategory, sort, asked, limit, offset)
        return self._answer(asked, question, make)

    def app(self, app_id: int) -> AppDetail | None:
        """Return what a page of one app needs; None when there is no visible app of this id, or behind this alias."""

        def make() -> AppDetail | None:
            as_of = self._rankings.as_of
            shown = self._visible_apps.find(app_id)
            if shown is None:
                return None
            places = {period: self._placement(shown.listing.app_id, self.window(period)) for period in Period}
            return AppDetail(
                app=shown.listing,
                asked_id=app_id,
                last_day=self._rankings.last_day(shown.listing.app_id),
                placements={period: places[period] for period in COMPLETED},
                today=places[Period.TODAY],
                as_of=as_of,
            )

        return self._answer(None, ("app", app_id), make)

    def aliases(self, app_id: int) -> tuple[Listing, ...]:
        """Return the public aliases of a visible app, by ascending id. For the Data API: pages do not show them."""
        return self._visible_apps.aliases(app_id)

    def canonical_id(self, app_id: int) -> int | None:
        """Return the id of the visible app that an id's usage counts for; None when either may not be shown.

        None before the rankings are filled, too: until then it is not known what may be shown.
        """
        try:
            shown = self._visible_apps.find(app_id)
        except NotFilledError:
            return None
        return None if shown is None else shown.listing.app_id

    def lookup(self, url: str) -> Found | NotFound:
        """Return the visible app of a URL by the attribution rules, also of an alias's, or what was tried and why not.

        Docs/attribution.md has the rules.
        """
        try:
            tried = canonical_url(url)
        except RefererError as error:
            return NotFound(None, error.reason.value, str(error))
        folded = False
        try:
            ids: tuple[int, ...] = (self._catalog.find(tried).id,)
        except UnknownApp:
            # It has not been seen yet, but its host may be folded: then it counts for the fold's app already.
            ids = self._resolved(tried)
            folded = bool(ids)
        except AmbiguousApp as error:
            ids = error.ids
        shown = {app_id: found for app_id in ids if (found := self._visible_apps.find(app_id)) is not None}
        roots = {found.listing.app_id for found in shown.values()}
        if not roots:
            return NotFound(tried, _UNKNOWN_URL, f"No app with the URL {tried} is listed here.")
        if len(roots) > 1:
            return NotFound(tried, _AMBIGUOUS_URL, f"Several apps share {tried}; look them up by their names.")
        (root,) = roots
        return Found(root, tried, by_alias=folded or root not in shown)

    def _resolved(self, url: str) -> tuple[int, ...]:
        try:
            return (self._catalog.resolve(url).id,)
        except (UnknownApp, AmbiguousApp):
            return ()

    def usage(self, app_id: int, window: Window, by: Grain = Grain.DAY, models: int = 8) -> AppUsage | None:
        """Return an app's use over time, its ``models`` (0–50) top ones by name; None when it may not be shown.

        By hour it has no models, and `AppUsage.window` is what of the window hours are kept for.
        """
        if not 0 <= models <= MAX_MODELS:
            raise ValueError(f"models is {models}; it must be between 0 and {MAX_MODELS}")

        def make(shown: VisibleApp, as_of: datetime) -> AppUsage:
            if by is Grain.DAY:
                return series.usage_by_day(self._analyst, shown, window, models, as_of)
            return series.usage_by_hour(self._analyst, shown, window, self.today, as_of)

        return self._of_app(app_id, window, ("usage", by, models), make)

    def hours(self, app_id: int, window: Window) -> HourPattern | None:
        """Return when in a week an app is used, of what of the window hours are kept for; None as in `usage`."""
        return self._of_app(
            app_id,
            window,
            ("hours",),
            lambda shown, as_of: series.hour_pattern(self._analyst, shown, window, self.today, as_of),
        )

    def rank_history(self, app_id: int, window: Window) -> tuple[RankPoint, ...] | None:
        """Return an app's place on each day of a window among all visible apps; None as in `usage`."""

        def make(shown: VisibleApp, _: datetime) -> tuple[RankPoint, ...] | None:
            app_id = shown.listing.app_id
            ranks, days = self._rankings.rank_history(app_id, window), self._rankings.days(app_id, window)
            if ranks is None or days is None:
                return None
            return tuple(
                RankPoint(window.start + timedelta(days=day), rank, tokens)
                for day, (rank, tokens) in enumerate(zip(ranks, days.tokens, strict=True))
            )

        return self._of_app(app_id, window, ("rank_history",), make)

    def models(self, window: Window, *, limit: int = 50, offset: int = 0, search: str = "") -> ModelPage:
        """Return a page of the models with tokens in the window; a search leaves their ranks as they are."""
        _check_page(limit, offset)
        ranking = self._model_ranking(window)
        wanted = searchable(search)
        rows = [row for row in ranking.rows if wanted in searchable(row.model)] if wanted else ranking.rows
        return ModelPage(tuple(rows[offset : offset + limit]), len(rows), ranking.all_traffic, window, ranking.as_of)

    def model(self, model: str, window: Window) -> ModelDetail | None:
        """Return one model in a window, day by day; None when it has never answered."""

        def make() -> ModelDetail | None:
            return model_answers.model_detail(self._analyst, self._model_ranking(window), model, window)

        return self._answer(window, ("model", model, window), make)

    def model_apps(self, model: str, window: Window, limit: int = 20) -> ModelApps | None:
        """Return the top visible apps of one model in a window; None when it has never answered."""
        _check_page(limit, 0)

        def make() -> ModelApps | None:
            overall = self._window_sums(window)
            return model_answers.model_apps(
                self._analyst, self._visible_apps, self._rankings, overall, model, window, limit
            )

        return self._answer(window, ("model_apps", model, window, limit), make)

    def rankings_daily(
        self, window: Window, period: Period = Period.DAY, kind: RequestKind = ANY_KIND
    ) -> DailyRankings:
        """Return the top models of each calendar day, week (from Monday) or month of a window, by one kind of requests.

        Requests of unknown kind count for none; the answer has their tokens apart.
        """
        return self._answer(
            window,
            ("rankings_daily", window, period, kind),
            lambda: model_answers.daily_rankings(self._analyst, self._rankings, window, period, kind),
        )

    def authors(self, window: Window) -> Authors:
        """Return the market share of each author of models."""
        ranking = self._model_ranking(window)
        return Authors(model_answers.authors_of(ranking), ranking.all_traffic, window, ranking.as_of)

    def apps_daily(
        self,
        window: Window,
        *,
        top: int = 9,
        metric: RankMetric = RankMetric.TOKENS,
        category: str | None = None,
        subcategory: str | None = None,
    ) -> AppsDaily:
        """Return the ``top`` (1–100) apps of a window by ``metric``, day by day, and the others together."""
        _check_page(top, 0)

        def make() -> AppsDaily:
            as_of = self._rankings.as_of
            sums = self._window_sums(window, category, subcategory)
            figures = metric.of(sums)
            best = descending(figures, sums.eligible & (figures > 0))[:top].tolist()
            shown = self._visible_apps.listings(best)
            named = [app_id for app_id in best if app_id in shown]
            days = day_sums(self._rankings, window, metric, sums, named)
            bars = (AppBar(shown[app_id], tuple(days.named[app_id]), sum(days.named[app_id])) for app_id in named)
            return AppsDaily(
                days=tuple(window.start + timedelta(days=day) for day in range(window.days)),
                bars=tuple(bars),
                other=tuple(days.other),
                unlisted=tuple(days.unlisted),
                unattributed=tuple(days.unattributed),
                window=window,
                as_of=as_of,
            )

        return self._answer(window, ("apps_daily", window, top, metric, category, subcategory), make)

    def _answer(self, window: Window | None, question: Hashable, make: Callable[[], Answer]) -> Answer:
        if window is not None and window.days > MAX_DAYS:
            raise ValueError(f"the window has {window.days} days; at most {MAX_DAYS} are allowed")
        answer: Answer = self._answers.get(self.stamp, question, make)
        return answer

    def _of_app(
        self,
        app_id: int,
        window: Window,
        question: tuple[Hashable, ...],
        make: Callable[[VisibleApp, datetime], Answer],
    ) -> Answer | None:
        def of_shown() -> Answer | None:
            as_of = self._rankings.as_of
            shown = self._visible_apps.find(app_id)
            return None if shown is None else make(shown, as_of)

        return self._answer(window, (*question, app_id, window), of_shown)

    def _window_sums(self, window: Window, category: str | None = None, subcategory: str | None = None) -> WindowSums:
        return self._sums.get(
            self.stamp,
            (window, category, subcategory),
            lambda: window_sums(self._rankings, window, category, subcategory),
        )

    def _model_ranking(self, window: Window) -> model_answers.ModelRanking:
        return self._answer(
            window,
            ("model_ranking", window),
            lambda: model_answers.model_ranking(self._analyst, self._rankings, window),
        )

    def _placement(self, app_id: int, window: Window) -> AppPlacement:
        sums = self._window_sums(window)
        tokens, requests = sums.of(app_id)
        return AppPlacement(window, sums.place(app_id), tokens, requests, sums.listed)

    def _ordered(self, sums: WindowSums, sort: Order) -> NDArray[np.int64]:
        if sort is Order.POPULAR:
            return descending(sums.tokens, sums.eligible)
        if sort is Order.TRENDING:
            excess = 3 * sums.tokens - sums.before
            return descending(excess, sums.eligible & (sums.tokens > 0) & (excess > 0))
        index = self._index.index()
        ids = index.by_name if sort is Order.NAME else index.by_newest
        ids = ids[ids < sums.eligible.size]
        return ids[sums.eligible[ids]]


def _directory_row(listing: Listing, sums: WindowSums) -> DirectoryRow:
    app_id = listing.app_id
    tokens, requests = sums.of(app_id)
    return DirectoryRow(listing, sums.place(app_id), tokens, requests, int(sums.before[app_id]))


def _check_page(limit: int, offset: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit is {limit}; it must be between 1 and {MAX_LIMIT}")
    if offset < 0:
        raise ValueError(f"offset is {offset}; it must not be negative")
