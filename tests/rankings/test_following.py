from datetime import UTC, datetime

from tests.board import wait_for
from tests.rankings.fakes import App, FakeCatalog, FakeLedger
from tokenboard.observability import Counters
from tokenboard.rankings import LedgerFollower, Rankings

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
TODAY = NOW.date()


def test_what_another_board_counts_is_found_again_and_again_and_a_failure_is_counted_and_gone_beyond() -> None:
    ledger, counters, ready = FakeLedger({(TODAY, 1): (1, 10)}), Counters(), False
    rankings = Rankings(ledger, FakeCatalog([App(1)]), floor=TODAY, clock=lambda: NOW)
    fails = False

    def refresh() -> None:
        if fails:
            raise OSError("away")
        rankings.refresh()

    follower = LedgerFollower(refresh, ready=lambda: ready, counters=counters, every_s=0.01)
    follower.start()
    try:
        assert 0 == rankings.epoch
        ready = True
        wait_for(lambda: rankings.epoch > 0)
        before = rankings.epoch
        fails = True
        wait_for(lambda: counters.read().get("ledger_unread", 0) > 1)
        ledger.add(TODAY, 1, tokens=20)
        fails = False
        wait_for(lambda: rankings.epoch > before)
    finally:
        follower.stop()
