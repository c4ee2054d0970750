"""The analyst's questions: usage by app, model and time, summed from the rollups; never from the raw events."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from tokenboard.ledger.kinds import ANY_KIND, RequestKind

Ask = Callable[[str, Mapping[str, Any]], Sequence[Sequence[Any]]]
"""Asks the ledger the question of a file in ``queries/`` with these parameters; the rows."""

HOURS_KEPT_DAYS = 35
"""How many days back the figures by hour go, as the schema keeps them."""


@dataclass(frozen=True, slots=True)
class Consumption:
    """Sums over some usage: counts of answered (``requests``) and failed requests, tokens by kind, cost in USD.

    ``cached`` is part of ``prompt``, ``reasoning`` part of ``completion``, as far as upstreams reported them.
    """

    requests: int
    failed: int
    prompt: int
    completion: int
    cached: int
    reasoning: int
    cost: Decimal

    @property
    def tokens(self) -> int:
        """Prompt + completion: what rankings go by."""
        return self.prompt + self.completion

    def __add__(self, other: "Consumption") -> "Consumption":
        return Consumption(
            self.requests + other.requests,
            self.failed + other.failed,
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
            self.cost + other.cost,
        )


NOTHING = Consumption(0, 0, 0, 0, 0, 0, Decimal(0))
"""No usage at all."""


class DayModel(NamedTuple):
    """One UTC day of one model; ``model`` None sums the models that are not named."""

    day: date
    model: str | None
    figures: Consumption


class HourSums(NamedTuple):
    """One UTC hour, by its first instant."""

    starts: datetime
    figures: Consumption


class WeekHour(NamedTuple):
    """One hour (0–23, UTC) of one ISO weekday (1 is Monday)."""

    weekday: int
    hour: int
    tokens: int
    requests: int


class ModelSums(NamedTuple):
    """One model in a window, and its tokens in the window of equal length before."""

    model: str
    figures: Consumption
    tokens_before: int


class DaySums(NamedTuple):
    """One UTC day."""

    day: date
    figures: Consumption


class AppTokens(NamedTuple):
    """What an app, as it was seen, used of one model; ``app_id`` 0 is unattributed traffic."""

    app_id: int
    tokens: int
    requests: int


class PeriodTokens(NamedTuple):
    """Tokens of one model in the calendar period that begins on ``starts``; ``model`` None sums those not named."""

    starts: date
    model: str | None
    tokens: int


class Analyst:
    """Answers from the rollups; windows are whole UTC days, ``first`` and ``last`` both included.

    Takes the ids of apps as they were seen: the caller adds those of aliases. Every method blocks and may raise
    LedgerUnavailable.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def app_days(self, app_ids: Collection[int], first: date, last: date, top: int) -> list[DayModel]:
        """Return these apps' use together by day and model, the ``top`` models by tokens by name; by ascending day."""
        rows = self._ask("app_model_days", {"app_ids": list(app_ids), "top": top, "first": first, "last": last})
        return [DayModel(day, model if named else None, Consumption(*sums)) for day, named, model, *sums in rows]

    def app_hours(self, app_ids: Collection[int], first: date, last: date) -> list[HourSums]:
        """Return these apps' use together by hour, ascending, as far back as hours are kept."""
        rows = self._ask("app_hours", {"app_ids": list(app_ids), "first": first, "last": last})
        return [HourSums(datetime.fromtimestamp(starts, UTC), Consumption(*sums)) for starts, *sums in rows]

    def app_week(self, app_ids: Collection[int], first: date, last: date) -> list[WeekHour]:
        """Return when in a week these apps are used; hours without use are left out."""
        rows = self._ask("app_hour_pattern", {"app_ids": list(app_ids), "first": first, "last": last})
        return [WeekHour(*row) for row in rows]

    def models(self, first: date, last: date) -> list[ModelSums]:
        """Return every model used in the window or in the one of equal length before, in no order."""
        before = first - timedelta(days=(last - first).days + 1)
        rows = self._ask("models", {"first_before": before, "first": first, "last": last})
        return [ModelSums(model, Consumption(*sums), before) for model, *sums, before in rows]

    def model_days(self, model: str, first: date, last: date) -> list[DaySums]:
        """Return one model's use by ascending day; days without use are left out."""
        rows = self._ask("model_days", {"model": model, "first": first, "last": last})
        return [DaySums(day, Consumption(*sums)) for day, *sums in rows]

    def model_known(self, model: str) -> bool:
        """Return whether a model has ever answered a request."""
        return bool(self._ask("model_known", {"model": model})[0][0])

    def model_apps(self, model: str, first: date, last: date) -> list[AppTokens]:
        """Return who used one model, by ascending app id."""
        rows = self._ask("model_apps", {"model": model, "first": first, "last": last})
        return [AppTokens(*row) for row in rows]

    def model_periods(
        self, period: str, first: date, last: date, *, top: int, rest: str, kind: RequestKind = ANY_KIND
    ) -> list[PeriodTokens]:
        """Return tokens per calendar ``period`` (day, week from Monday, month) and model, of one kind of requests.

        The ``top`` models of each period by name, descending by tokens, ties by name; then the others as one row,
        among them a model that is itself called ``rest``. Models without tokens are left out.
        """
        rows = self._ask(
            "model_periods",
            {"period": period, "first": first, "last": last, "top": top, "rest": rest, **_asked(kind)},
        )
        return [PeriodTokens(starts, model if named else None, tokens) for starts, named, model, tokens in rows]

    def unknown_tokens(self, first: date, last: date, kind: RequestKind) -> int:
        """Return the tokens of requests that may or may not be of a kind: what it asks for is unknown of them."""
        return int(self._ask("model_periods_unknown", {"first": first, "last": last, **_asked(kind)})[0][0])


def _asked(kind: RequestKind) -> dict[str, str]:
    return {
        "context_bucket": kind.context_bucket or "",
        "output": kind.output or "",
        "tool_use": kind.tool_use or "",
    }
