"""A question to the rankings: the parameters of ``GET /datasets/app-rankings``, parsed once into a frozen value."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from tokenboard.attribution import GROUPS
from tokenboard.rankings.days import RankMetric
from tokenboard.rankings.window import ParameterError, Window, quoted, resolve_window

DEFAULT_LIMIT = 50
MAX_LIMIT = 100
MAX_OFFSET = 100

PARAMETERS = ("sort", "category", "subcategory", "start_date", "end_date", "limit", "offset")
INCLUDE = "include"

_DIGITS = re.compile(r"0*([0-9]{1,6})")


class Sort(StrEnum):
    """``popular`` goes by tokens in the window, ``trending`` by their excess over the mean of the three before it."""

    POPULAR = "popular"
    TRENDING = "trending"


class Extra(StrEnum):
    """What a ranking tells beside its default figures, when asked to (``include``, docs/api.md)."""

    URL = "url"
    CATEGORIES = "categories"
    SPLIT = "split"
    TREND = "trend"
    HISTORY = "history"
    PREVIOUS = "previous"
    TOTALS = "totals"


NO_EXTRAS: frozenset[Extra] = frozenset()


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, with all defaults filled in; hashable, so it can be the key of a cache.

    ``subcategory`` takes precedence over ``category``; when both are set, it belongs to that group.
    ``limit`` is 1-100 rows, ``offset`` 0-100 rows left out before them; who asks without ``parse_question`` may pass
    more. ``metric`` is what apps are ranked by; the Data API's is always tokens.
    """

    sort: Sort
    category: str | None
    subcategory: str | None
    window: Window
    limit: int
    offset: int
    metric: RankMetric = "tokens"


def parse_question(params: Mapping[str, str] | Iterable[tuple[str, str]], *, floor: date, today: date) -> Question:
    """The question that these query parameters ask; ``floor`` is the dataset's first day, ``today`` the UTC day.

    Pass pairs where a parameter may come twice: that is an error. Parameters of other names are ignored, as the
    reference service does. Raises ParameterError, which names the parameter and lists what it allows.
    """
    given = _collect(params, PARAMETERS)
    sort = _choose("sort", given.get("sort", Sort.POPULAR.value), [each.value for each in Sort])
    category = given.get("category")
    if category is not None:
        _choose("category", category, list(GROUPS))
    subcategory = given.get("subcategory")
    if subcategory is not None:
        _choose_subcategory(subcategory, category)
    return Question(
        sort=Sort(sort),
        category=category,
        subcategory=subcategory,
        window=resolve_window(given.get("start_date"), given.get("end_date"), floor=floor, today=today),
        limit=_count("limit", given.get("limit", str(DEFAULT_LIMIT)), 1, MAX_LIMIT),
        offset=0 if given.get("offset", "") in {"", "null"} else _count("offset", given["offset"], 0, MAX_OFFSET),
    )


def parse_extras(params: Mapping[str, str] | Iterable[tuple[str, str]]) -> frozenset[Extra]:
    """What ``include``, names separated by commas, asks for beside the default answer; nothing when it is empty.

    Raises ParameterError for an unknown name, which lists what is allowed, and for ``include`` given twice.
    """
    given = _collect(params, (INCLUDE,)).get(INCLUDE, "")
    allowed = [each.value for each in Extra]
    names = [name.strip(" ") for name in given.split(",")] if given else []
    for name in names:
        if name not in allowed:
            raise ParameterError(
                INCLUDE,
                f"include {quoted(name)} is not known; allowed, separated by commas, in lower case: "
                f"{', '.join(allowed)}.",
            )
    return frozenset(map(Extra, names))


def _collect(params: Mapping[str, str] | Iterable[tuple[str, str]], names: Collection[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in params.items() if isinstance(params, Mapping) else params:
        if name not in names:
            continue
        if name in given:
            raise ParameterError(name, f"{name} is given more than once; give it once.")
        given[name] = value
    return given


def _choose(parameter: str, value: str, allowed: list[str]) -> str:
    if value not in allowed:
        raise ParameterError(
            parameter, f"{parameter} {quoted(value)} is not known; allowed, in lower case: {', '.join(allowed)}."
        )
    return value


def _choose_subcategory(subcategory: str, category: str | None) -> None:
    groups = {name: group for group, names in GROUPS.items() for name in names}
    _choose("subcategory", subcategory, list(groups))
    if category is not None and groups[subcategory] != category:
        raise ParameterError(
            "subcategory",
            f"subcategory {subcategory} does not belong to category {category} but to {groups[subcategory]}; use "
            f"category={groups[subcategory]}, leave category out, or choose one of: {', '.join(GROUPS[category])}.",
        )


def _count(parameter: str, value: str, least: int, most: int) -> int:
    digits = _DIGITS.fullmatch(value)
    if digits is None or not least <= int(digits[1]) <= most:
        raise ParameterError(
            parameter, f"{parameter} {quoted(value)} is not allowed; use a whole number from {least} to {most}."
        )
    return int(digits[1])
