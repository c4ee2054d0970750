"""What a reader may choose on a page: links, each to the same page with one thing changed."""

from dataclasses import dataclass

from tokenboard.analytics import Period
from tokenboard.attribution import GROUPS
from tokenboard.rankings import Question, RankMetric, Sort
from tokenboard.web.layout import Query, address
from tokenboard.web.request import Span, changed, unless
from tokenboard.web.text import label_of

_PERIODS = {
    Period.TODAY: ("Today", "t"),
    Period.DAY: ("Yesterday", "d"),
    Period.WEEK: ("7 days", "w"),
    Period.MONTH: ("30 days", "m"),
}


@dataclass(frozen=True, slots=True)
class FilterOption:
    """One link of a choice; ``key`` is the key that follows it, empty for none."""

    label: str
    href: str
    chosen: bool
    key: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """A named set of links, of which one is in force at most."""

    label: str
    options: tuple[FilterOption, ...]


def periods(path: str, query: Query, span: Span) -> Filter:
    """Return the choice of today, the day before, week and month."""
    rest = changed(query, period="", start_date="", end_date="", offset="")
    return Filter(
        "Period",
        tuple(
            FilterOption(
                label,
                address(path, changed(rest, period="" if period is span.unasked else period.value)),
                period is span.period,
                key,
            )
            for period, (label, key) in _PERIODS.items()
        ),
    )


def sorts(path: str, query: Query, question: Question) -> Filter:
    """Return the choice of popular and trending."""
    return Filter(
        "Sort",
        tuple(
            FilterOption(
                sort.value.capitalize(),
                address(path, changed(query, sort=unless(Sort.POPULAR, sort), offset="")),
                sort is question.sort,
            )
            for sort in Sort
        ),
    )


def metrics(path: str, query: Query, metric: RankMetric) -> Filter:
    """Return the choice of tokens and requests."""
    return Filter(
        "Metric",
        tuple(
            FilterOption(
                each.label,
                address(path, changed(query, metric=unless(RankMetric.TOKENS, each), offset="")),
                each is metric,
            )
            for each in RankMetric
        ),
    )


def categories(path: str, query: Query, category: str | None, subcategory: str | None) -> tuple[Filter, ...]:
    """Return the choice of a group, and, once there is one, of a category in it."""
    rest = changed(query, category="", subcategory="", offset="")
    group = category or next((name for name, members in GROUPS.items() if subcategory in members), None)
    groups = [FilterOption("All", address(path, rest), group is None)]
    groups += [
        FilterOption(label_of(name), address(path, changed(rest, category=name)), name == group and subcategory is None)
        for name in GROUPS
    ]
    choices = [Filter("Category", tuple(groups))]
    if group is not None:
        members = tuple(
            FilterOption(label_of(name), address(path, changed(rest, subcategory=name)), name == subcategory)
            for name in GROUPS[group]
        )
        choices.append(Filter(label_of(group), members))
    return tuple(choices)
