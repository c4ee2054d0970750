"""What is counted of each app and day, and what of it apps are ranked by. Pure."""

from enum import StrEnum
from typing import Literal, Protocol, TypeVar

Metric = Literal["tokens", "requests", "prompt", "cached", "reasoning"]
METRICS: tuple[Metric, ...] = ("tokens", "requests", "prompt", "cached", "reasoning")
"""What is kept of each app and day; completion tokens are tokens less prompt."""

Figure_co = TypeVar("Figure_co", covariant=True)


class _Counted(Protocol[Figure_co]):
    """Whatever has tokens and requests: of an app, of a share of the traffic, of each day, of all apps."""

    @property
    def tokens(self) -> Figure_co: ...
    @property
    def requests(self) -> Figure_co: ...


class RankMetric(StrEnum):
    """What apps may be ranked by, the most first; the value is how queries name it, and its unit."""

    TOKENS = "tokens"
    REQUESTS = "requests"

    @property
    def column(self) -> Metric:
        """The column of the cube that holds it."""
        return "tokens" if self is RankMetric.TOKENS else "requests"

    @property
    def unit(self) -> str:
        """What several are called in a sentence: ``tokens``."""
        return self.value

    @property
    def noun(self) -> str:
        """What one is called: ``token``."""
        return self.value.removesuffix("s")

    @property
    def label(self) -> str:
        """What headings and links call it: ``Tokens``."""
        return self.value.capitalize()

    def of(self, counted: _Counted[Figure_co]) -> Figure_co:
        """Return its figure, or figures, of something that has both."""
        return counted.tokens if self is RankMetric.TOKENS else counted.requests


RANK_COLUMNS = frozenset(metric.column for metric in RankMetric)
"""The columns that rankings go by."""
