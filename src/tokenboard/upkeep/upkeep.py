"""The three tasks, month by month, each between two batches of the drain."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta

import msgspec

from tokenboard.ledger import Ledger, first_of, last_of
from tokenboard.rankings import Rankings
from tokenboard.upkeep.audit import Audited, Difference, cube_differences, rollup_differences


class Rebuilt(msgspec.Struct, frozen=True):
    """One month whose rollups were rebuilt: number ``number`` of ``of``."""

    month: int
    number: int
    of: int


class Upkeep:
    """Keeps the ledger's figures right and its raw events as long as wanted.

    ``writer`` is whose batches the drain writes; ``paused`` holds it between two batches, with none begun and
    unfinished. ``raw_retention_days``: raw events are kept for so many days at least, 0 for ever.

    Raises:
        LedgerError, SpoolError, CatalogError: from any task; what was done is right, and the rest can be done again.

    """

    def __init__(
        self,
        ledger: Ledger,
        rankings: Rankings,
        *,
        writer: int,
        paused: Callable[[], AbstractContextManager[None]],
        floor: date,
        raw_retention_days: int,
        clock_ms: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._rankings = rankings
        self._writer = writer
        self._paused = paused
        self._floor = floor
        self._retention_days = raw_retention_days
        self._clock_ms = clock_ms

    def audit(self) -> Iterator[Audited]:
        """Compare raw events with every rollup, and the figures per day and app with what the rankings answer.

        Months whose raw events were dropped for age are compared from the rollup on.
        """
        with self._paused():
            self._rankings.refresh()
            months = {day.year * 100 + day.month for day in self._ledger.day_changes()}
            months |= {*self._ledger.raw_months(), *self._ledger.dropped_months()}
        for month in sorted(months):
            with self._paused():
                audited = self._audit(month)
            yield audited

    def rebuild(self) -> Iterator[Rebuilt]:
        """Rebuild every rollup from raw events, except for the months whose raw events were dropped for age."""
        months = self._with_raw()
        for number, month in enumerate(months, 1):
            with self._paused():
                # Its raw events may have been dropped since.
                if month in self._with_raw():
                    self._ledger.rebuild_month(month, self._today(), writer=self._writer)
                    self._rankings.refresh()
            yield Rebuilt(month, number, len(months))

    def drop_old_raw(self) -> list[int]:
        """Drop the raw events of whole months that are past their time; return these months. Rollups stay."""
        if not self._retention_days:
            return []
        before = self._today() - timedelta(days=self._retention_days)
        if all(last_of(month) >= before for month in self._ledger.raw_months()):
            return []
        with self._paused():
            # A rollup that a newer program has added needs them once more.
            self._ledger.fill_new_rollups(self._today(), writer=self._writer)
            return self._ledger.drop_raw_before(before)

    def _with_raw(self) -> list[int]:
        dropped = set(self._ledger.dropped_months())
        return [month for month in self._ledger.raw_months() if month not in dropped]

    def _audit(self, month: int) -> Audited:
        differences: list[Difference] = []
        untold = 0
        raw = month not in self._ledger.dropped_months()
        if raw:
            for check in self._ledger.check_month(month, self._today()):
                differences += rollup_differences(check)
                untold += check.differing - len(check.differences)
        # The board has no place for days before its first, nor for days to come.
        first, last = max(first_of(month), self._floor), min(last_of(month), self._today())
        if first <= last:
            days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
            differences += cube_differences(self._ledger.read_days(days), self._rankings, first, last)
        return Audited(month, raw, tuple(differences), untold)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock_ms() / 1000, UTC).date()
