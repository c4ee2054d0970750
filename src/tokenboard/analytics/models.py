"""Models: their ranking in a window, one model's days and apps, tokens per period, market share by author."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tokenboard.analytics.answers import (
    AuthorRow,
    DailyRankings,
    DailyRow,
    DayFigures,
    ModelAppRow,
    ModelApps,
    ModelDetail,
    ModelRow,
    Period,
)
from tokenboard.analytics.sums import WindowSums
from tokenboard.analytics.visibility import VisibleApps
from tokenboard.ledger import ANY_KIND, NOTHING, Analyst, Consumption, RequestKind
from tokenboard.ledger.analyst import ModelSums
from tokenboard.query import Window
from tokenboard.rankings import Figures, Rankings

OTHER = "other"
"""The name under which daily rankings sum the models beyond the top ones."""

TOP_MODELS = 50
"""Models that daily rankings name per period."""


@dataclass(frozen=True, slots=True)
class ModelRanking:
    """All models with tokens in a window, in the order of their ranks, and all traffic, theirs or not."""

    rows: tuple[ModelRow, ...]
    all_traffic: Consumption
    as_of: datetime


def author_of(model: str) -> str | None:
    """Return the part of a model's name before the first slash; None without one."""
    author, slash, _ = model.partition("/")
    return author if slash and author else None


def share_of(part: int, whole: int) -> float:
    """Return part / whole, 0 of nothing."""
    return part / whole if whole else 0.0


def model_ranking(analyst: Analyst, rankings: Rankings, window: Window) -> ModelRanking:
    """Rank the models of a window by tokens, ties by name."""
    as_of = rankings.as_of
    sums = analyst.models(window.start, window.end)
    all_traffic = sum((each.figures for each in sums), NOTHING)
    before = {
        each.model: place
        for place, each in enumerate(_ranked((each for each in sums if each.tokens_before), before=True), start=1)
    }
    rows = (
        ModelRow(
            model=each.model,
            author=author_of(each.model),
            rank=place,
            previous=before.get(each.model),
            figures=each.figures,
            share=share_of(each.figures.tokens, all_traffic.tokens),
        )
        for place, each in enumerate(_ranked(each for each in sums if each.figures.tokens), start=1)
    )
    return ModelRanking(tuple(rows), all_traffic, as_of)


def authors_of(ranking: ModelRanking) -> tuple[AuthorRow, ...]:
    """Gather a ranking's models by author: by descending tokens, ties by name, those without an author last."""
    gathered: dict[str | None, list[ModelRow]] = {}
    for row in ranking.rows:
        gathered.setdefault(row.author, []).append(row)
    sums = [(author, len(rows), sum((row.figures for row in rows), NOTHING)) for author, rows in gathered.items()]
    sums.sort(key=lambda each: (-each[2].tokens, each[0] is None, each[0] or ""))
    whole = ranking.all_traffic.tokens
    return tuple(
        AuthorRow(author, place, models, figures, share_of(figures.tokens, whole))
        for place, (author, models, figures) in enumerate(sums, start=1)
    )


def model_detail(analyst: Analyst, ranking: ModelRanking, model: str, window: Window) -> ModelDetail | None:
    """Describe one model in a window; None when it has never answered."""
    days = analyst.model_days(model, window.start, window.end)
    if not days and not analyst.model_known(model):
        return None
    total = sum((day.figures for day in days), NOTHING)
    row = next((row for row in ranking.rows if row.model == model), None)
    return ModelDetail(
        model=model,
        author=author_of(model),
        rank=row.rank if row else None,
        previous=row.previous if row else None,
        total=total,
        share=share_of(total.tokens, ranking.all_traffic.tokens),
        days=tuple(DayFigures(*day) for day in days),
        window=window,
        as_of=ranking.as_of,
    )


def model_apps(
    analyst: Analyst,
    visible: VisibleApps,
    rankings: Rankings,
    overall: WindowSums,
    model: str,
    window: Window,
    limit: int,
) -> ModelApps | None:
    """Rank the visible apps that used a model; None when it has never answered."""
    as_of = rankings.as_of
    seen = analyst.model_apps(model, window.start, window.end)
    if not seen and not analyst.model_known(model):
        return None
    roots = rankings.read(lambda _, roster: [roster.root_of(app.app_id) for app in seen])
    sums: dict[int, Figures] = {}
    for app, root in zip(seen, roots, strict=True):
        have = sums.get(root, Figures(0, 0))
        sums[root] = Figures(have.tokens + app.tokens, have.requests + app.requests)
    unattributed = sums.pop(0, Figures(0, 0))
    shown = visible.listings(app_id for app_id, figures in sums.items() if figures.tokens > 0)
    ranked = sorted(shown, key=lambda app_id: (-sums[app_id].tokens, app_id))
    attributed, listed = _sum(sums.values()), _sum(sums[app_id] for app_id in shown)
    whole = _sum((attributed, unattributed))
    rows = (
        ModelAppRow(
            app=shown[app_id],
            rank=place,
            tokens=sums[app_id].tokens,
            requests=sums[app_id].requests,
            share=share_of(sums[app_id].tokens, whole.tokens),
            overall_rank=overall.place(app_id),
        )
        for place, app_id in enumerate(ranked[:limit], start=1)
    )
    return ModelApps(
        model=model,
        rows=tuple(rows),
        listed=len(shown),
        all_traffic=whole,
        listed_traffic=listed,
        unlisted=Figures(attributed.tokens - listed.tokens, attributed.requests - listed.requests),
        unattributed=unattributed,
        window=window,
        as_of=as_of,
    )


def daily_rankings(
    analyst: Analyst, rankings: Rankings, window: Window, period: Period, kind: RequestKind
) -> DailyRankings:
    """Rank the models of each period by their requests of a kind; see `DailyRankings`."""
    as_of = rankings.as_of
    first, last = window.start, window.end
    found = analyst.model_periods(period.value, first, last, top=TOP_MODELS, rest=OTHER, kind=kind)
    rows = tuple(DailyRow(each.starts, OTHER if each.model is None else each.model, each.tokens) for each in found)
    return DailyRankings(rows, window, as_of, analyst.unknown_tokens(first, last, kind) if kind != ANY_KIND else 0)


def _ranked(sums: Iterable[ModelSums], *, before: bool = False) -> list[ModelSums]:
    return sorted(sums, key=lambda each: (-(each.tokens_before if before else each.figures.tokens), each.model))


def _sum(figures: Iterable[Figures]) -> Figures:
    tokens = requests = 0
    for each in figures:
        tokens += each.tokens
        requests += each.requests
    return Figures(tokens, requests)
