"""The demo year: every use of a model, day by day, in order of arrival."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import NamedTuple

from tokenboard.attribution import attribute
from tokenboard.demo.clients import CLIENTS, Client
from tokenboard.demo.models import MODELS, DemoModel, Task
from tokenboard.demo.pace import ramp
from tokenboard.event import Source
from tokenboard.intake import Caller, Facts
from tokenboard.usage import Usage, UsageSource

DAY_MS = 86_400_000

_CALLER = Caller(account_id=0, key_id=0, label="demo")  # nobody's key: the ids of real ones begin at 1
_LATE = 0.004
_LATEST_DAYS = 6
_FAILED = 0.013
_FAILURES = (429, 429, 429, 500, 502, 503)
_UNTOLD = 0.006
_BROKEN_OFF = 0.01
_MICRO = Decimal("0.000001")
_MILLION = 1_000_000
_REQUESTS_IN_FIGURE = 100


@dataclass(frozen=True, slots=True)
class DemoDay:
    """What arrived on one UTC day, in order: nearly all of it of that day, some a few days late.

    ``arrived_ms`` is the end of the day, UTC epoch milliseconds.
    """

    day: date
    arrived_ms: int
    facts: tuple[Facts, ...]


class _Choice(NamedTuple):
    """The models that a client may use on a day, and the running sums of their weights."""

    models: tuple[DemoModel, ...]
    weights: tuple[float, ...]


class DemoYear:
    """``days`` days of usage, the last one being ``until`` (a UTC day), the same for the same arguments.

    ``density`` scales the number of events, about 175,000 in a full year of density 1.0; whatever ``days``, launches
    and trends spread over all of them. Ids are unique within a year and name seed and day.
    """

    def __init__(self, until: date, *, seed: int = 1, days: int = 365, density: float = 1.0) -> None:
        if days < 1 or density <= 0:
            raise ValueError("a demo year has at least one day, and a density above 0")
        self.until = until
        self.seed = seed
        self.count = days
        self._density = density

    def days(self) -> Iterator[DemoDay]:
        """Yield the days, from the first to ``until``."""
        senders = [_Sender(client, f"{self.seed}/{at}") for at, client in enumerate(CLIENTS)]
        chance = random.Random(f"{self.seed}/post")  # noqa: S311 - a year to look at, no secret
        first = self.until - timedelta(days=self.count - 1)
        waiting: dict[int, list[Facts]] = {}
        for number in range(self.count):
            day = first + timedelta(days=number)
            midnight_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
            sent = [
                facts
                for at, sender in enumerate(senders)
                for facts in sender.send(
                    f"demo-{self.seed}-{day:%Y%m%d}-{at}",
                    midnight_ms,
                    number / self.count,
                    day.weekday(),
                    self._density,
                )
            ]
            sent.sort(key=_by_time)
            arrived = waiting.pop(number, [])
            for facts in sent:
                # On the last days nothing waits beyond the end: the year is complete.
                late = number + chance.randint(1, _LATEST_DAYS) if chance.random() < _LATE else number
                if number < late < self.count:
                    waiting.setdefault(late, []).append(facts)
                else:
                    arrived.append(facts)
            yield DemoDay(day, midnight_ms + DAY_MS, tuple(arrived))


class _Sender:
    """One client with its own dice, so that a change to one leaves the others' year as it is."""

    def __init__(self, client: Client, seed: str) -> None:
        self._client = client
        self._dice = dice = random.Random(seed)  # noqa: S311 - a year to look at, no secret
        self._tool_dice = random.Random(f"{seed}/tools")  # noqa: S311
        self._taste = {model.slug: dice.lognormvariate(0.0, 0.9) for model in MODELS}

    def send(self, prefix: str, midnight_ms: int, moment: float, weekday: int, density: float) -> Iterator[Facts]:
        """Yield what it uses on one day, in no order."""
        client, dice = self._client, self._dice
        if not client.launched <= moment < client.closed:
            return
        mood = dice.lognormvariate(0.0, 0.16)
        rhythm = client.use.rhythm
        expected = client.events * client.curve(moment) * ramp(moment - client.launched) * rhythm.week[weekday] * mood
        events = int(expected * density + dice.random())
        if not events:
            return
        who = attribute(client.headers(moment))
        choice = self._choice(moment)
        hours = dice.choices(range(24), rhythm.hours, k=events)
        models = dice.choices(choice.models, cum_weights=choice.weights, k=events)
        for number, (hour, model) in enumerate(zip(hours, models, strict=True)):
            failed = dice.random() < _FAILED
            streamed = dice.random() < client.use.streamed_share
            usage = Usage() if failed else self._usage(model, streamed)
            first_token_ms = round(dice.lognormvariate(6.0, 0.5))
            yield Facts(
                id=f"{prefix}-{number}",
                ts_ms=midnight_ms + hour * 3_600_000 + dice.randrange(3_600_000),
                source=Source.USAGE_API,
                caller=_CALLER,
                attribution=who,
                model=model.slug,
                provider=model.provider,
                endpoint=client.use.endpoint,
                streamed=streamed,
                status=dice.choice(_FAILURES) if failed else 200,
                failed=failed,
                usage=usage,
                latency_ms=first_token_ms + (0 if failed else round(dice.lognormvariate(8.3, 0.7))),
                first_token_ms=first_token_ms if streamed and not failed else None,
                tool_calls=None if failed else self._tool_dice.random() < client.use.tool_share,
            )

    def _choice(self, moment: float) -> _Choice:
        tasks = self._client.use.tasks
        liked = [(model, self._liking(model, tasks.items(), moment)) for model in MODELS]
        known = [(model, weight) for model, weight in liked if weight > 0]
        return _Choice(tuple(model for model, _ in known), tuple(accumulate(weight for _, weight in known)))

    def _liking(self, model: DemoModel, tasks: Iterable[tuple[Task, float]], moment: float) -> float:
        fit = sum(weight for task, weight in tasks if task in model.tasks)
        return fit * model.appeal * self._taste[model.slug] * ramp(moment - model.launched)

    def _usage(self, model: DemoModel, streamed: bool) -> Usage:
        client, dice = self._client, self._dice
        luck = dice.random()
        if luck < _UNTOLD:
            return Usage()
        # The clients' figures are of a busy day; one request of it is a small part.
        tokens = max(40, round(client.tokens * dice.lognormvariate(0.0, 0.55)) // _REQUESTS_IN_FIGURE)
        completion = max(1, round(tokens * (1 - client.use.prompt_share) * dice.uniform(0.7, 1.3)))
        prompt = max(1, tokens - completion)
        cached = round(prompt * client.use.cached_share * dice.uniform(0.6, 1.2)) if client.use.cached_share else None
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=completion,
            cached_tokens=cached,
            reasoning_tokens=round(completion * dice.uniform(0.2, 0.6)) if model.reasons else None,
            cost=_cost(model, prompt, completion),
            source=UsageSource.PARTIAL if streamed and luck > 1 - _BROKEN_OFF else UsageSource.REPORTED,
        )


def _cost(model: DemoModel, prompt: int, completion: int) -> Decimal | None:
    if model.prompt_price is None or model.completion_price is None:
        return None
    return ((prompt * model.prompt_price + completion * model.completion_price) / _MILLION).quantize(_MICRO)


def _by_time(facts: Facts) -> int:
    return facts.ts_ms
