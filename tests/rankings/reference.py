"""The rules of a ranking, written slowly and plainly over dicts."""

from collections.abc import Mapping
from datetime import date, timedelta

from tests.rankings.fakes import App, Figures, split
from tokenboard.attribution import GROUPS, merge_categories
from tokenboard.query import Window
from tokenboard.rankings import Question, RankMetric


def link_of(apps: Mapping[int, App], app_id: int) -> int | None:
    app = apps.get(app_id)
    return app.canonical_id if app is not None and app.canonical_id in apps else None


def in_ring(apps: Mapping[int, App], app_id: int) -> bool:
    here: int | None = app_id
    for _ in range(len(apps) + 1):
        here = link_of(apps, here) if here is not None else None
        if here == app_id:
            return True
    return False


def root_of(apps: Mapping[int, App], app_id: int) -> int:
    link = link_of(apps, app_id)
    return app_id if link is None or in_ring(apps, app_id) else root_of(apps, link)


def is_visible(apps: Mapping[int, App], app_id: int) -> bool:
    return app_id in apps and root_of(apps, app_id) == app_id and apps[app_id].visibility == "public"


def categories_of(apps: Mapping[int, App], app_id: int) -> tuple[str, ...]:
    categories = apps[app_id].categories
    for alias in sorted(apps):
        if alias != app_id and root_of(apps, alias) == app_id:
            categories = merge_categories(categories, apps[alias].categories)
    return categories


def window_figures(
    figures: Figures, apps: Mapping[int, App], floor: date, start: date, end: date
) -> dict[int, list[int]]:
    """[requests, tokens] by root."""
    sums: dict[int, list[int]] = {}
    for (day, app_id), (requests, tokens) in figures.items():
        if floor <= day and start <= day <= end:
            entry = sums.setdefault(root_of(apps, app_id), [0, 0])
            entry[0] += requests
            entry[1] += tokens
    return sums


def reference_rows(
    figures: Figures, apps: Mapping[int, App], floor: date, question: Question
) -> list[tuple[int, int, int]]:
    """All pages: (app_id, requests, tokens) in order."""
    window = question.window
    length = timedelta(days=window.days)
    now = window_figures(figures, apps, floor, window.start, window.end)
    before = [
        window_figures(figures, apps, floor, window.start - n * length, window.end - n * length) for n in (1, 2, 3)
    ]
    wanted = set(GROUPS[question.category]) if question.category else None
    if question.subcategory:
        wanted = {question.subcategory}
    scored = []
    for app_id, (requests, tokens) in now.items():
        if not is_visible(apps, app_id) or tokens == 0:
            continue
        if wanted is not None and not wanted & set(categories_of(apps, app_id)):
            continue
        place = 1 if question.metric is RankMetric.TOKENS else 0
        score = (requests, tokens)[place]
        if question.sort == "trending":
            score = 3 * score - sum(sums.get(app_id, [0, 0])[place] for sums in before)
            if score <= 0:
                continue
        scored.append((-score, app_id, requests, tokens))
    return [(app_id, requests, tokens) for _, app_id, requests, tokens in sorted(scored)]


def reference_ranks(figures: Figures, apps: Mapping[int, App], floor: date, question: Question) -> dict[int, int]:
    """The rank of every listed app."""
    rows = reference_rows(figures, apps, floor, question)
    return {app_id: place for place, (app_id, _, _) in enumerate(rows, start=1)}


def daily(figures: Figures, apps: Mapping[int, App], floor: date, app_id: int, window: Window) -> list[tuple[int, ...]]:
    """(requests, tokens, prompt, cached, reasoning) of a root for each day of the window."""
    days = []
    for number in range(window.days):
        sums = [0] * 5
        for (day, own_id), (requests, tokens) in figures.items():
            if day >= floor and day == window.start + timedelta(days=number) and root_of(apps, own_id) == app_id:
                sums = list(map(sum, zip(sums, (requests, tokens, *split(tokens)), strict=True)))
        days.append(tuple(sums))
    return days
