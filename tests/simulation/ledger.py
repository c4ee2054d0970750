"""A model of the ledger as its docstrings promise it: a month of a table is written whole, or not at all."""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date

from tests.simulation.fuse import Fuse
from tokenboard.ledger import BatchId, LedgerUnavailable, Rows

RAW = "usage"
SUMS = ("app_daily", "model_daily")
Row = tuple[str, date, int, int]
"""Of an event: its id, its UTC day, its app, its tokens."""

Piece = tuple[str, int, int]
"""A table, the number of a batch, a month."""


@dataclass
class Ledger:
    """``away``: it refuses. ``slow``: it works on what its client gave up on, which comes to be later, in any order."""

    chance: random.Random
    fuse: Fuse
    pieces: dict[Piece, list[Row]] = field(default_factory=dict)
    noted: dict[int, tuple[date, ...]] = field(default_factory=dict)
    late: list[tuple[Piece, list[Row]]] = field(default_factory=list)
    sent: set[int] = field(default_factory=set)
    away: bool = False
    slow: bool = False

    def insert(self, batch_id: BatchId, rows: Rows, *, fresh: bool = False) -> None:
        """Write the pieces that are not there yet; fail, or die, between any two."""
        batch = batch_id.number
        assert not fresh or batch > max(self.sent, default=0), "a batch is fresh once, and its number is the greatest"
        self.sent.add(batch)
        if self.away:
            raise LedgerUnavailable("it is away")
        if not rows.days:
            return
        wanted = _pieces(batch, rows)
        if fresh:  # in one statement, which writes its pieces in any order
            self.chance.shuffle(wanted)
        for piece, part in wanted:
            known = self.pieces.get(piece)
            assert known is None or known == part, "a batch that comes again is what it was"
            if known is not None:
                continue
            self.fuse.burn(f"before {piece[0]}")
            if self.slow and self.chance.random() < 0.3:
                self.late.append((piece, part))
                raise LedgerUnavailable("it did not answer in time")
            self.pieces[piece] = part
            if self.chance.random() < 0.05:
                raise LedgerUnavailable("its answer was lost")
            self.fuse.burn(f"after {piece[0]}")
        self.noted[batch] = rows.days

    def settle(self, *, all_of_it: bool = False) -> None:
        """Let something that was late come to be; the engine knows a piece that it has by its token."""
        while self.late:
            piece, part = self.late.pop(self.chance.randrange(len(self.late)))
            self.pieces.setdefault(piece, part)
            if not all_of_it:
                return

    def last_batch(self, writer: int) -> int:
        """Return the number of the last batch that is in every table."""
        if self.away:
            raise LedgerUnavailable("it is away")
        return max(self.noted, default=0)

    def finish_rebuilds(self, today: date, *, writer: int) -> list[int]:
        return []

    def fill_new_rollups(self, today: date, *, writer: int) -> list[str]:
        return []

    def raw(self) -> list[Row]:
        return [row for (table, _, _), rows in self.pieces.items() if table == RAW for row in rows]

    def sums(self, table: str) -> Counter[tuple[date, int]]:
        """Return the tokens by day and app, of one rollup."""
        total: Counter[tuple[date, int]] = Counter()
        for (name, _, _), rows in self.pieces.items():
            if name == table:
                for _, day, app_id, tokens in rows:
                    total[day, app_id] += tokens
        return total


class Cube:
    """What rankings keep in memory: days that have changed, read again from the sums."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._seen = 0
        self.days: dict[date, Counter[int]] = {}

    def refresh(self) -> None:
        changed = {day for batch, days in self._ledger.noted.items() if batch > self._seen for day in days}
        self._seen = max(self._ledger.noted, default=0)
        for (day, app_id), tokens in self._ledger.sums("app_daily").items():
            if day in changed:
                self.days.setdefault(day, Counter())[app_id] = tokens

    def total(self) -> int:
        return sum(sum(apps.values()) for apps in self.days.values())


def _pieces(batch: int, rows: Rows) -> list[tuple[Piece, list[Row]]]:
    columns = [rows.table.column(name).to_pylist() for name in ("id", "ts", "app_id", "prompt_tokens")]
    by_month: dict[int, list[Row]] = {}
    for name, ts, app_id, tokens in zip(*columns, strict=True):
        day = ts.astimezone(UTC).date()
        by_month.setdefault(day.year * 100 + day.month, []).append((name, day, app_id, tokens))
    return [((table, batch, month), part) for table in (RAW, *SUMS) for month, part in by_month.items()]
