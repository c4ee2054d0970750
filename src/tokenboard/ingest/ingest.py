"""The way of usage that was metered elsewhere, from facts to the spool."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from tokenboard.event import MAX_TOKENS
from tokenboard.event_table import encode_columns
from tokenboard.ingest.table import report_table
from tokenboard.intake import MAX_MODEL, MAX_PROVIDER, Dropped, Facts, Recorded, RefusalReason
from tokenboard.observability import Counters
from tokenboard.spool import Receipt, Spool, SpoolFull

MAX_AHEAD_MS = 10 * 60_000
"""How far ahead of our clock an event's time may be (data-api: POST /usage)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """One bad use of several: its position, the field at fault, the reason, and how to mend it."""

    index: int
    id: str | None
    field: str
    reason: RefusalReason
    message: str


class Ingest:
    """Turns reported uses into events and commits them to the board's spool, each id of an account once.

    ``floor`` is the first UTC day of the dataset; ``clock_ms`` tells UTC epoch milliseconds.
    """

    def __init__(self, spool: Spool, counters: Counters, *, floor: date, clock_ms: Callable[[], int]) -> None:
        self._spool = spool
        self._counters = counters
        self._floor = floor
        self._clock_ms = clock_ms

    def admit(self) -> Dropped | None:
        """Say whether a report may be read; its usage must have room in the spool later."""
        if not self._spool.sound:
            return self._drop(RefusalReason.SPOOL_UNAVAILABLE)
        if self._spool.has_room():
            return None
        return self._drop(RefusalReason.SPOOL_FULL)

    def examine(self, facts: Sequence[Facts]) -> list[Refused]:
        """Return every use that may not be taken, with its reason; an empty list means `record_new` will take them."""
        return examine(facts, floor=self._floor, now_ms=self._clock_ms())

    def refuse(self, refused: Sequence[Refused]) -> None:
        """Count what was refused, whether here or by the parser in front of here."""
        for problem in refused:
            self._counters.add(f"refused.{problem.reason}")

    def record_new(self, facts: Sequence[Facts]) -> Recorded | Dropped:
        """Commit those uses whose ids are new, in one transaction; blocks until they are on disk.

        An id belongs to its account: another account's equal id is another use. Nothing is tried with a spool that is
        known to be of no use.

        Raises:
            SpoolUnavailable: nothing was written.

        """
        if not self._spool.sound:
            return self._drop(RefusalReason.SPOOL_UNAVAILABLE)
        now = self._clock_ms()
        table = report_table(facts, now, max_model=MAX_MODEL, max_provider=MAX_PROVIDER)
        names = [f"{use.caller.account_id}\n{use.id}".encode() for use in facts]

        def parcel(positions: Sequence[int]) -> bytes:
            return encode_columns(table if len(positions) == len(names) else table.take(positions))

        try:
            receipt: Receipt = self._spool.append_new(parcel, names).result()
        except SpoolFull:
            return self._drop(RefusalReason.SPOOL_FULL)
        self._counters.add("recorded.usage_api", receipt.accepted)
        self._counters.add("duplicates", receipt.duplicates)
        return Recorded(receipt.accepted, receipt.duplicates)

    def _drop(self, reason: RefusalReason) -> Dropped:
        self._counters.add(f"dropped.{reason}")
        return Dropped(reason)


def examine(facts: Sequence[Facts], *, floor: date, now_ms: int) -> list[Refused]:
    """Return every use that may not be taken, with its reason.

    ``floor`` is the first UTC day of the dataset, ``now_ms`` our clock, UTC epoch milliseconds.
    """
    earliest = int(datetime(floor.year, floor.month, floor.day, tzinfo=UTC).timestamp() * 1000)
    latest = now_ms + MAX_AHEAD_MS
    refused: list[Refused] = []
    for index, use in enumerate(facts):
        if use.ts_ms > latest:
            message = "ts is more than 10 minutes ahead of the server's clock"
            refused.append(Refused(index, use.id, "ts", RefusalReason.TIME_AHEAD, message))
        elif use.ts_ms < earliest:
            message = f"ts is before the dataset's beginning, {floor} (UTC)"
            refused.append(Refused(index, use.id, "ts", RefusalReason.BEFORE_DATASET, message))
        refused += _miscounted(index, use)
    return refused


def _miscounted(index: int, use: Facts) -> Iterator[Refused]:
    usage = use.usage
    for field, count in (
        ("prompt_tokens", usage.prompt_tokens),
        ("completion_tokens", usage.completion_tokens),
        ("cached_tokens", usage.cached_tokens),
        ("reasoning_tokens", usage.reasoning_tokens),
    ):
        if count is not None and not 0 <= count <= MAX_TOKENS:
            message = f"{field} must be between 0 and {MAX_TOKENS:,}"
            yield Refused(index, use.id, field, RefusalReason.OUT_OF_RANGE, message)
    for field, part, whole_field, whole in (
        ("cached_tokens", usage.cached_tokens, "prompt_tokens", usage.prompt_tokens),
        ("reasoning_tokens", usage.reasoning_tokens, "completion_tokens", usage.completion_tokens),
    ):
        if part is not None and whole is not None and part > whole:
            message = f"{field} ({part:,}) must not be more than {whole_field} ({whole:,}), which include them"
            yield Refused(index, use.id, field, RefusalReason.PART_OVER_WHOLE, message)
