"""Recording of the usage that the gateway serves: is there room, and is it on disk."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, Protocol

from tokenboard.event import UsageEvent, encode_event
from tokenboard.intake.refusal import RefusalReason
from tokenboard.observability import Counters
from tokenboard.spool import SpoolError

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
    """Commits the usage that the gateway has served, and tells whether there is room for more."""

    def __init__(self, log: EventLog, counters: Counters) -> None:
        self._log = log
        self._counters = counters

    def admit(self) -> Dropped | None:
        """Say whether a new request may be started; its usage must have room later."""
        if not self._log.sound:
            return self._drop(RefusalReason.SPOOL_UNAVAILABLE)
        if self._log.has_room():
            return None
        return self._drop(RefusalReason.SPOOL_FULL)

    async def record(self, event: UsageEvent) -> None:
        """Commit one use that the gateway has served; returns once it is on disk.

        Raises:
            SpoolUnavailable: it could not be written; the answer must not be completed.

        """
        try:
            await self._log.append(encode_event(event))
        except SpoolError:
            self._counters.add("unrecorded.gateway")
            raise
        self._counters.add("recorded.gateway")

    def _drop(self, reason: RefusalReason) -> Dropped:
        self._counters.add(f"dropped.{reason}")
        return Dropped(reason)
