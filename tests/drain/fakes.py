"""A ledger in memory that fails on demand, and ways to make any step of a delivery fail."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tokenboard.ledger import BatchId, LedgerUnavailable, Rows


@dataclass
class FakeLedger:
    """Takes a batch once by its number, as the real one; a batch that comes again must be what it was.

    One that comes for the first time has the greatest number so far; ``fresh`` is said of it alone.
    """

    batches: dict[int, Rows] = field(default_factory=dict)
    sent: list[int] = field(default_factory=list)
    away: bool = False

    def insert(self, batch_id: BatchId, rows: Rows, *, fresh: bool = False) -> None:
        writer, batch = batch_id
        assert writer > 0
        assert not fresh or batch > max(self.sent, default=0)
        assert batch >= max(self.sent, default=0)
        self.sent.append(batch)
        if self.away:
            raise LedgerUnavailable("the ledger did not answer: it is away")
        known = self.batches.setdefault(batch, rows)
        assert known.table.equals(rows.table)
        assert known.days == rows.days

    def last_batch(self, writer: int) -> int:
        return max(self.batches, default=0)

    def finish_rebuilds(self, today: date, *, writer: int) -> list[int]:
        return []

    def fill_new_rollups(self, today: date, *, writer: int) -> list[str]:
        return []

    def column(self, name: str) -> list[Any]:
        """Return one column of all batches, in the order they came."""
        return [value for rows in self.batches.values() for value in rows.table[name].to_pylist()]


class Crash(Exception):
    """As if the process had ended here."""


def crash_before(method: Callable[..., Any]) -> Callable[..., Any]:
    def crash(*_: object, **__: object) -> Any:
        raise Crash(method.__name__)

    return crash


def crash_after(method: Callable[..., Any]) -> Callable[..., Any]:
    def crash(*given: Any, **named: Any) -> Any:
        method(*given, **named)
        raise Crash(method.__name__)

    return crash
