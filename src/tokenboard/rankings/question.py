"""A question to the rankings: the parameters of ``GET /datasets/app-rankings``, parsed once into a frozen value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from tokenboard.query import ParameterError, Parameters, Window, quoted
from tokenboard.rankings.metric import RankMetric

DEFAULT_LIMIT = 50
MAX_LIMIT = 100
MAX_OFFSET = 100

PARAMETERS = ("sort", "category", "subcategory", "start_date", "end_date", "limit", "offset")
INCLUDE = "include"


class Sort(StrEnum):
    """``popular`` goes by tokens in the window, ``trending`` by their excess over the mean of the three before it."""

    POPULAR = "popular"
    TRENDING = "trending"


class Extra(StrEnum):
    """What a ranking has beside its default figures on request (``include``, docs/api.md)."""

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
    metric: RankMetric = RankMetric.TOKENS


def parse_question(params: Mapping[str, str] | Iterable[tuple[str, str]], *, floor: date, today: date) -> Question:
    """The question that these query parameters ask; ``floor`` is the dataset's first day, ``today`` the UTC day.

    Pass pairs where a parameter may come twice: that is an error. Parameters of other names are ignored, as the
    reference service does. Raises ParameterError, which names the parameter and lists what it allows.
    """
    given = Parameters(params, PARAMETERS)
    category, subcategory = given.categories()
    return Question(
        sort=given.choice("sort", Sort.POPULAR),
        category=category,
        subcategory=subcategory,
        window=given.window(floor=floor, today=today),
        limit=given.number("limit", 1, MAX_LIMIT, DEFAULT_LIMIT),
        offset=0 if given.get("offset") in {"", "null"} else given.number("offset", 0, MAX_OFFSET, 0),
    )


def parse_extras(params: Mapping[str, str] | Iterable[tuple[str, str]]) -> frozenset[Extra]:
    """What ``include``, names separated by commas, asks for beside the default answer; nothing when it is empty.

    Raises ParameterError for an unknown name, which lists what is allowed, and for ``include`` given twice.
    """
    given = Parameters(params, (INCLUDE,)).get(INCLUDE) or ""
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
