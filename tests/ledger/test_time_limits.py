"""A question to the ledger is answered within its time or given up, whether it is slow or waits for its turn."""

import threading
from collections.abc import Callable

import pytest

from tokenboard.ledger import Ledger, LedgerUnavailable

SLOW = "SELECT sum(sleepEachRow(0.05)) FROM numbers(2000) SETTINGS max_block_size = 1"


def test_a_slow_question_is_given_up_by_the_engine_and_the_next_is_answered(
    open_ledger: Callable[..., Ledger],
) -> None:
    ledger = open_ledger(migrated=False)
    ledger._connections.timeout_s = 1.0

    with pytest.raises(LedgerUnavailable, match=r"^the ledger did not answer within 1 s$") as raised:
        ledger._connections.ask(SLOW, {})
    assert 1.0 == raised.value.within_s

    # A hundred seconds of work are not waited for: the engine itself has let go.
    ledger._connections.timeout_s = 60.0
    assert [(2,)] == [tuple(row) for row in ledger._connections.ask("SELECT 1 + 1", {})]


def test_a_question_that_waits_for_its_turn_is_given_up_and_never_asked(open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger(migrated=False)
    ledger._connections.timeout_s = 0.05
    asked: list[str] = []
    query = ledger._connections._asker.query

    def counted(text: str, **given: object) -> object:
        asked.append(text)
        return query(text, **given)  # type: ignore[arg-type]

    ledger._connections._asker.query = counted  # type: ignore[method-assign, assignment]
    release = threading.Event()
    ledger._connections._asking.submit(release.wait, 60)
    try:
        with pytest.raises(LedgerUnavailable, match=r"within 0\.05 s"):
            ledger._connections.ask("SELECT 1", {})
    finally:
        release.set()
    ledger._connections.timeout_s = 60.0
    assert [(2,)] == [tuple(row) for row in ledger._connections.ask("SELECT 2", {})]
    assert ["SELECT 2"] == asked
