"""The visible list of steps from facts to a recorded event."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from tokenboard.event import UsageEvent, encode_parcel
from tokenboard.intake.facts import Facts
from tokenboard.intake.refusal import RefusalReason
from tokenboard.observability import Counters
from tokenboard.spool import SpoolError
from tokenboard.usage import Usage

MAX_MODEL: Final = 200
"""Longest model name kept, in characters."""

MAX_PROVIDER: Final = 100
"""Longest provider name kept, in characters."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The uses are on disk: how many were taken, how many had been seen before."""

    accepted: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nothing was taken, for this reason."""

    reason: RefusalReason


class EventLog(Protocol):
    """Where the gateway's events go, one by one."""

    @property
    def sound(self) -> bool:
        """Whether it can be written, as far as the last attempts tell."""

    def has_room(self) -> bool:
        """Whether new work may be taken."""

    def append(self, body: bytes, /) -> Awaitable[None]:
        """Queue one event; awaiting it waits until it is on disk. Raises SpoolError when it could not be written."""


class Intake:
    """Turns the facts of requests that the gateway serves into events, and commits them.

    ``clock_ms`` tells UTC epoch milliseconds.
    """

    def __init__(self, log: EventLog, counters: Counters, *, clock_ms: Callable[[], int]) -> None:
        self._log = log
        self._counters = counters
        self._clock_ms = clock_ms

    def admit(self) -> Dropped | None:
        """Say whether a new request may be started; its usage must have room later."""
        if not self._log.sound:
            return self._drop(RefusalReason.SPOOL_UNAVAILABLE)
        if self._log.has_room():
            return None
        return self._drop(RefusalReason.SPOOL_FULL)

    async def record(self, facts: Facts) -> None:
        """Commit one use that the gateway has served; returns once it is on disk.

        Raises:
            SpoolUnavailable: it could not be written; the answer must not be completed.

        """
        body = encode_parcel((_event(facts, self._clock_ms()),))
        try:
            await self._log.append(body)
        except SpoolError:
            self._counters.add("unrecorded.gateway")
            raise
        self._counters.add("recorded.gateway")

    def _drop(self, reason: RefusalReason) -> Dropped:
        self._counters.add(f"dropped.{reason}")
        return Dropped(reason)


_UNCOUNTED: Final = Usage()


def _event(facts: Facts, received_ms: int) -> UsageEvent:
    who = facts.attribution
    usage = _UNCOUNTED if facts.failed else facts.usage
    return UsageEvent(
        id=facts.id,
        ts_ms=facts.ts_ms,
        received_ms=received_ms,
        source=facts.source,
        account_id=facts.caller.account_id,
        key_id=facts.caller.key_id,
        app_key=who.app.key if who.app else None,
        reason=who.reason.value if who.reason else None,
        title=who.naming_title,
        categories=who.categories,
        model=facts.model[:MAX_MODEL],
        provider=facts.provider[:MAX_PROVIDER],
        endpoint=facts.endpoint,
        streamed=facts.streamed,
        status=facts.status,
        failed=facts.failed,
        usage_source=facts.usage.source.value,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost=usage.cost,
        latency_ms=facts.latency_ms,
        first_token_ms=facts.first_token_ms,
        tool_calls=None if facts.failed else facts.tool_calls,
    )
