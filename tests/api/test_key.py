"""What ``GET /key`` remembers, and for how long."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from tests.events import DAY_MS, NOON
from tokenboard.api.key import FRESH_MS, _SpendingCache, describe
from tokenboard.keys import Key, Scope
from tokenboard.ledger import Spending

MIDNIGHT = NOON + DAY_MS // 2


def key(key_id: int, *scopes: Scope) -> Key:
    return Key(key_id, 1, "default", "laptop", frozenset(scopes), b"", "tb-a…b", 0, None)


@dataclass
class Board:
    """A clock that the test moves, and a ledger that keeps what it was asked."""

    now_ms: int = NOON
    asked: list[tuple[int, date]] = field(default_factory=list)

    @property
    def ledger(self) -> "Board":
        return self

    def clock_ms(self) -> int:
        return self.now_ms

    def key_usage(self, key_id: int, today: date) -> Spending:
        self.asked.append((key_id, today))
        return Spending(*[Decimal(len(self.asked))] * 4)


def spendings(board: Board) -> _SpendingCache:
    services: Any = board
    return _SpendingCache(services)


def test_the_ledger_is_asked_once_in_a_few_seconds_for_each_key() -> None:
    board = Board()
    ask = spendings(board)
    assert 1 == ask.of(key(1)).total
    board.now_ms += FRESH_MS - 1
    assert [Decimal(1), Decimal(2)] == [ask.of(key(1)).total, ask.of(key(2)).total]
    board.now_ms += 1
    assert 3 == ask.of(key(1)).total
    assert [1, 2, 1] == [asked for asked, _ in board.asked]


def test_a_new_day_is_asked_about_at_once() -> None:
    board = Board(MIDNIGHT - 1)
    ask = spendings(board)
    assert 1 == ask.of(key(1)).day
    board.now_ms = MIDNIGHT
    assert 2 == ask.of(key(1)).day
    assert [date(2026, 1, 1), date(2026, 1, 2)] == [today for _, today in board.asked]


def test_a_clock_that_is_set_back_does_not_keep_a_figure_for_ever() -> None:
    board = Board()
    ask = spendings(board)
    ask.of(key(1))
    board.now_ms -= 1
    assert 2 == ask.of(key(1)).total


def test_a_key_is_described_by_its_scopes_and_costs() -> None:
    told = describe(key(1, Scope.DATA, Scope.ADMIN), Spending(Decimal("0.5"), Decimal("0.25"), Decimal(0), Decimal(0)))
    assert (0.5, 0.25, 0.0, True, ["admin", "data"]) == (
        told["usage"],
        told["usage_monthly"],
        told["usage_daily"],
        told["is_management_key"],
        told["scopes"],
    )
