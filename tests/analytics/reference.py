"""The slow, obvious way to every figure of the Data API: over a list of uses, one at a time."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.analytics.rig import FLOOR, Use
from tokenboard.attribution import GROUPS, MAX_APP_CATEGORIES
from tokenboard.catalog import App


@dataclass(frozen=True)
class Span:
    start: date
    end: date

    @property
    def days(self) -> list[date]:
        return [self.start + timedelta(days=n) for n in range((self.end - self.start).days + 1)]

    def before(self, n: int) -> "Span":
        back = timedelta(days=n * len(self.days))
        return Span(self.start - back, self.end - back)

    def holds(self, use: Use) -> bool:
        return FLOOR <= use.day and self.start <= use.day <= self.end


@dataclass
class Reference:
    """``uses`` with the id each was seen under (0: unattributed), and the apps as the catalog tells them."""

    uses: list[tuple[int, Use]]
    apps: dict[int, App]

    # --- who counts for whom ------------------------------------------------------------------------------------

    def root(self, app_id: int) -> int:
        while app_id and (target := self.apps[app_id].canonical_id) is not None:
            app_id = target
        return app_id

    def visible(self, app_id: int) -> bool:
        app = self.apps.get(app_id)
        return app is not None and app.visibility == "public" and app.canonical_id is None

    def aliases(self, app_id: int) -> list[int]:
        return [alias for alias in sorted(self.apps) if alias != app_id and self.root(alias) == app_id]

    def categories(self, app_id: int) -> list[str]:
        found: list[str] = []
        for each in (app_id, *self.aliases(app_id)):
            found += [name for name in self.apps[each].categories if name not in found]
        return found[:MAX_APP_CATEGORIES]

    def in_category(self, app_id: int, category: str | None, subcategory: str | None) -> bool:
        wanted = [subcategory] if subcategory else list(GROUPS[category]) if category else None
        return wanted is None or any(name in wanted for name in self.categories(app_id))

    # --- sums ---------------------------------------------------------------------------------------------------

    def within(self, span: Span, app_id: int | None = None) -> Iterable[Use]:
        return [use for seen, use in self.uses if span.holds(use) and app_id in {None, self.root(seen)}]

    def sums(self, span: Span) -> dict[int, tuple[int, int]]:
        """Tokens and requests by canonical app."""
        found: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for seen, use in self.uses:
            if span.holds(use):
                tokens, requests = found[self.root(seen)]
                found[self.root(seen)] = (tokens + use.tokens, requests + (not use.failed))
        return found

    def tokens(self, span: Span, app_id: int) -> int:
        return self.sums(span).get(app_id, (0, 0))[0]

    def ranked(
        self, span: Span, sort: str = "popular", category: str | None = None, subcategory: str | None = None
    ) -> list[int]:
        score: Callable[[int], int] = lambda app_id: self.tokens(span, app_id)  # noqa: E731
        if sort == "trending":
            score = lambda app_id: self.excess(span, app_id)  # noqa: E731
        listed = [
            app_id
            for app_id, (tokens, _) in self.sums(span).items()
            if self.visible(app_id) and tokens and self.in_category(app_id, category, subcategory)
        ]
        return sorted((each for each in listed if score(each) > 0), key=lambda each: (-score(each), each))

    def excess(self, span: Span, app_id: int) -> int:
        return 3 * self.tokens(span, app_id) - sum(self.baselines(span, app_id))

    def baselines(self, span: Span, app_id: int) -> list[int]:
        return [self.tokens(span.before(n), app_id) for n in (1, 2, 3)]

    # --- answers ------------------------------------------------------------------------------------------------

    def app_rankings(self, span: Span, sort: str, category: str | None, subcategory: str | None) -> list[Any]:
        ranked, sums = self.ranked(span, sort, category, subcategory), self.sums(span)
        before = self.ranked(span.before(1), sort, category, subcategory)
        rows = []
        for place, app_id in enumerate(ranked, start=1):
            uses = list(self.within(span, app_id))
            baselines, excess = self.baselines(span, app_id), self.excess(span, app_id)
            rows.append(
                {
                    "app_id": app_id,
                    "app_name": self.apps[app_id].name,
                    "rank": place,
                    "total_requests": sums[app_id][1],
                    "total_tokens": str(sums[app_id][0]),
                    "url": self.apps[app_id].url,
                    "categories": self.categories(app_id),
                    "split": {
                        "prompt_tokens": str(sum(use.prompt for use in uses)),
                        "completion_tokens": str(sum(use.completion for use in uses)),
                        "cached_tokens": str(sum(use.cached for use in uses)),
                        "reasoning_tokens": str(sum(use.reasoning for use in uses)),
                    },
                    "trend": {
                        "window": str(sums[app_id][0]),
                        "baselines": [str(each) for each in baselines],
                        "excess": thirds(excess),
                        "excess_times_three": str(excess),
                        "growth": float(Fraction(excess, sum(baselines))) if sum(baselines) else None,
                    },
                    "history": [
                        {"date": str(day), "total_tokens": str(self.tokens(Span(day, day), app_id))}
                        for day in span.days
                    ],
                    "previous_rank": before.index(app_id) + 1 if app_id in before else None,
                }
            )
        return rows

    def totals(self, span: Span, sums: dict[int, tuple[int, int]] | None = None) -> dict[str, Any]:
        sums = self.sums(span) if sums is None else sums
        listed = [app_id for app_id, (tokens, _) in sums.items() if self.visible(app_id) and tokens]
        shares: dict[str, list[int]] = {
            "all": list(sums),
            "listed": listed,
            "unlisted": [app_id for app_id in sums if app_id and app_id not in listed],
            "unattributed": [0],
        }
        return {
            name: {
                "total_requests": sum(sums.get(each, (0, 0))[1] for each in ids),
                "total_tokens": str(sum(sums.get(each, (0, 0))[0] for each in ids)),
            }
            for name, ids in shares.items()
        }

    def directory(self, span: Span, sort: str, search: str) -> list[Any]:
        ranked, sums = self.ranked(span), self.sums(span)
        shown = [app_id for app_id in self.apps if self.visible(app_id)]
        orders: dict[str, Callable[[int], Any]] = {
            "popular": lambda each: (-sums.get(each, (0, 0))[0], each),
            "trending": lambda each: (-self.excess(span, each), each),
            "name": lambda each: (self.apps[each].name.casefold(), each),
            "newest": lambda each: (-self.apps[each].first_seen_ms, each),
        }
        if sort == "trending":
            shown = self.ranked(span, "trending")
        shown = [
            each for each in shown if search.casefold() in f"{self.apps[each].name}\n{self.apps[each].url}".casefold()
        ]
        rows = []
        for app_id in sorted(shown, key=orders[sort]):
            tokens, requests = sums.get(app_id, (0, 0))
            baselines = sum(self.baselines(span, app_id))
            rows.append(
                {
                    "app_id": app_id,
                    "rank": ranked.index(app_id) + 1 if app_id in ranked else None,
                    "total_requests": requests,
                    "total_tokens": str(tokens),
                    "growth": (3 * tokens - baselines) / baselines if baselines else None,
                }
            )
        return rows

    def placement(self, span: Span, app_id: int) -> dict[str, Any]:
        ranked, (tokens, requests) = self.ranked(span), self.sums(span).get(app_id, (0, 0))
        return {
            "start_date": str(span.start),
            "end_date": str(span.end),
            "rank": ranked.index(app_id) + 1 if app_id in ranked else None,
            "listed": len(ranked),
            "total_requests": requests,
            "total_tokens": str(tokens),
        }

    def usage(self, span: Span, app_id: int, models: int) -> list[Any]:
        uses = list(self.within(span, app_id))
        by_model: dict[str, int] = defaultdict(int)
        for use in uses:
            by_model[use.model] += use.tokens
        top = sorted((m for m in by_model if by_model[m]), key=lambda model: (-by_model[model], model))[:models]
        rows: dict[tuple[date, int], list[Use]] = defaultdict(list)
        for use in uses:
            rows[use.day, top.index(use.model) if use.model in top else len(top)].append(use)
        return [
            {"date": str(day), "model": top[place] if place < len(top) else None, **consumption(rows[day, place])}
            for day, place in sorted(rows)
        ]

    def model_apps(self, span: Span, model: str) -> tuple[list[Any], dict[str, Any]]:
        only = Reference([(seen, use) for seen, use in self.uses if use.model == model], self.apps)
        sums, overall = only.sums(span), self.ranked(span)
        whole = sum(tokens for tokens, _ in sums.values())
        rows = [
            {
                "app_id": app_id,
                "rank": place,
                "overall_rank": overall.index(app_id) + 1,
                "total_requests": sums[app_id][1],
                "total_tokens": str(sums[app_id][0]),
                "share": sums[app_id][0] / whole,
            }
            for place, app_id in enumerate(only.ranked(span), start=1)
        ]
        return rows, only.totals(span)

    def rankings_daily(self, span: Span, period: str, top: int = 50) -> list[Any]:
        sums: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for use in self.within(span):
            sums[first_day(use.day, period)][use.model] += use.tokens
        rows = []
        for day in sorted(sums):
            models = {model: tokens for model, tokens in sums[day].items() if tokens}
            named = sorted((m for m in models if m != "other"), key=lambda model: (-models[model], model))[:top]
            rows += [(day, model, models[model]) for model in named]
            rest = sum(tokens for model, tokens in models.items() if model not in named)
            rows += [(day, "other", rest)] if rest else []
        return [{"date": str(day), "model_permaslug": model, "total_tokens": str(n)} for day, model, n in rows]


def consumption(uses: list[Use]) -> dict[str, Any]:
    cost = sum((use.cost for use in uses), Decimal(0))
    return {
        "total_requests": sum(not use.failed for use in uses),
        "failed_requests": sum(use.failed for use in uses),
        "prompt_tokens": str(sum(use.prompt for use in uses)),
        "completion_tokens": str(sum(use.completion for use in uses)),
        "cached_tokens": str(sum(use.cached for use in uses)),
        "reasoning_tokens": str(sum(use.reasoning for use in uses)),
        "total_tokens": str(total_of(uses)),
        "cost": f"{cost.normalize():f}",
    }


def total_of(uses: list[Use]) -> int:
    return sum(use.tokens for use in uses)


def first_day(day: date, period: str) -> date:
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


def thirds(number: int) -> str:
    """A third of a number as a decimal of six places, without them where it is whole."""
    if number % 3 == 0:
        return str(number // 3)
    sign, number = "-" if number < 0 else "", abs(number)
    return f"{sign}{number // 3}.{'333333' if number % 3 == 1 else '666667'}"
