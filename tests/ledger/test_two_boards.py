"""Two boards on one ledger: what either counts, both show, and neither counts the other's."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime

import pytest

from tests.board import wait_for
from tests.clickhouse.running import ClickHouse
from tests.events import event
from tests.ledger.conftest import served
from tests.ledger.test_ledger import TODAY_MS, put
from tests.rankings.fakes import App, FakeCatalog
from tokenboard.ledger import Ledger
from tokenboard.observability import Counters
from tokenboard.rankings import LedgerFollower, Rankings
from tokenboard.rankings.following import EVERY_S


@pytest.fixture
def ledgers(clickhouse: ClickHouse) -> Iterator[tuple[Ledger, Ledger]]:
    with served(clickhouse) as first, closing(Ledger(clickhouse.dsn, settled_s=0.0)) as second:
        yield first, second


def requests_of(rankings: Rankings) -> dict[int, int]:
    today = datetime.now(UTC).date()
    sums = rankings.read(lambda cube, _: cube.window_sums("requests", today, today))
    return {app: count for app, count in enumerate(sums.tolist()) if count}


def test_each_board_shows_what_the_other_counts_and_both_the_same(ledgers: tuple[Ledger, Ledger]) -> None:
    assert EVERY_S <= 1.0  # with the time of one look, two seconds
    catalog = FakeCatalog([App(1), App(2)])
    boards = [Rankings(ledger, catalog, floor=date(2026, 1, 1), clock=lambda: datetime.now(UTC)) for ledger in ledgers]
    with ExitStack() as following:
        for board in boards:
            follower = LedgerFollower(board.refresh, ready=lambda: True, counters=Counters(), every_s=0.05)
            follower.start()
            following.callback(follower.stop)
        for number in range(1, 4):
            for writer, ledger in enumerate(ledgers, 1):
                rows = [(event(id=f"{writer}-{number}-{at}", ts_ms=TODAY_MS), writer) for at in range(number)]
                put(ledger, number, *rows, fresh=True, writer=writer)
        wait_for(lambda: all(board.epoch and requests_of(board) == {1: 6, 2: 6} for board in boards))
    question = {"sort": "popular", "limit": "10"}
    first, second = (board.answer(board.question(question)).ranking for board in boards)
    assert first == second
