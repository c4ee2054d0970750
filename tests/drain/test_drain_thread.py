import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.board import wait_for
from tests.drain.conftest import Rig
from tests.events import NOON, event, parcel
from tokenboard.catalog import CatalogUnavailable
from tokenboard.drain import Drain, DrainState
from tokenboard.ledger import LedgerUnavailable

WORKING = DrainState(failing_since_ms=None, error=None, ready=True)


@pytest.fixture
def drain(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drain]:
    monkeypatch.setattr("tokenboard.drain.drain._FIRST_BACKOFF_S", 0.01)
    assert rig.drain is not None
    yield rig.drain
    rig.ledger.away = False
    rig.drain.stop()


def ids(rig: Rig) -> list[Any]:
    return list(rig.ledger.column("id"))


def put(rig: Rig, *names: str) -> None:
    rig.put(*(parcel(event(id=name)) for name in names))


def test_what_arrives_is_delivered_without_being_asked_for(rig: Rig, drain: Drain) -> None:
    assert not drain.state().ready
    put(rig, "before")
    drain.start()
    wait_for(lambda: rig.spool.state().pending == 0)
    assert WORKING == drain.state()
    put(rig, "a", "b")
    wait_for(lambda: rig.spool.state().pending == 0)
    assert ["before", "a", "b"] == ids(rig)
    assert drain.stop()


def test_rankings_are_told_at_the_start_and_before_a_batch_is_acknowledged(
    rig: Rig, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending = list[int]()
    monkeypatch.setattr(rig, "delivered", lambda: pending.append(rig.spool.state().pending))
    drain.start()
    wait_for(lambda: drain.state().ready)
    put(rig, "a")
    wait_for(lambda: rig.spool.state().pending == 0)
    assert [0, 1] == pending


def test_a_batch_that_a_crash_interrupted_is_completed_before_the_rankings_are_filled(rig: Rig) -> None:
    put(rig, "a")
    rig.ledger.away = True
    assert rig.drain is not None
    with pytest.raises(LedgerUnavailable):
        rig.drain.deliver()
    drain = rig.restart()
    drain.start()
    try:
        wait_for(lambda: drain.state().error)
        assert not drain.state().ready
        assert 0 == rig.told
        rig.ledger.away = False
        wait_for(lambda: drain.state() == WORKING)
        assert ["a"] == ids(rig)
    finally:
        drain.stop()


def test_an_outage_is_said_kept_count_of_and_over_with_everything_delivered_once_in_order(
    rig: Rig, drain: Drain, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="tokenboard.drain")
    drain.start()
    wait_for(lambda: drain.state().ready)
    rig.ledger.away = True
    put(rig, "a")
    wait_for(lambda: rig.counters.read().get("delivery_failures", 0) >= 3)
    state = drain.state()
    assert (NOON, True) == (state.failing_since_ms, state.ready)
    assert "LedgerUnavailable: the ledger did not answer" in str(state.error)
    put(rig, "b", "c")
    rig.ledger.away = False
    wait_for(lambda: rig.spool.state().pending == 0)
    wait_for(lambda: drain.state() == WORKING)
    assert ["a", "b", "c"] == ids(rig)
    said = [record for record in caplog.records if record.name == "tokenboard.drain"]
    assert [logging.ERROR, logging.WARNING] == [record.levelno for record in said]
    assert said[0].exc_info is None
    assert "works again" in said[1].message


def test_what_an_error_was_raised_from_is_not_logged_as_it_may_quote_events(
    rig: Rig, drain: Drain, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def observe(_: object) -> None:
        raise CatalogUnavailable("locked") from RuntimeError("INSERT … ('the title of an app')")

    monkeypatch.setattr(rig.catalog, "observe", observe)
    put(rig, "a")
    drain.start()
    wait_for(lambda: drain.state().error)
    monkeypatch.undo()
    wait_for(lambda: rig.spool.state().pending == 0)
    assert "the title of an app" not in caplog.text
    assert "locked" in str([record.__dict__ for record in caplog.records])


def test_a_mistake_of_ours_is_logged_with_its_traceback_and_the_thread_lives_on(
    rig: Rig, drain: Drain, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def delivered() -> None:
        raise ZeroDivisionError("one\ntwo " + "x" * 1000)

    monkeypatch.setattr(rig, "delivered", delivered)
    drain.start()
    wait_for(lambda: drain.state().error)
    assert "ZeroDivisionError: one" == drain.state().error
    monkeypatch.undo()
    wait_for(lambda: drain.state() == WORKING)
    assert "Traceback" in caplog.text


def test_stopping_delivers_what_is_left(rig: Rig, drain: Drain) -> None:
    drain.start()
    wait_for(lambda: drain.state().ready)
    put(rig, *(str(number) for number in range(50)))
    assert drain.stop()
    assert [str(number) for number in range(50)] == ids(rig)


def test_stopping_in_an_outage_ends_soon_and_says_that_something_is_left(rig: Rig, drain: Drain) -> None:
    rig.ledger.away = True
    put(rig, "a")
    drain.start()
    wait_for(lambda: drain.state().error)
    assert not drain.stop()
    assert 1 == rig.spool.state().pending
    assert rig.spool.fixed() is not None
    rig.ledger.away = False
    assert 1 == rig.restart_and_deliver()
    assert ["a"] == ids(rig)


def test_stopping_tries_once_more_as_the_ledger_may_be_back(
    rig: Rig, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenboard.drain.drain._FIRST_BACKOFF_S", 60.0)
    rig.ledger.away = True
    put(rig, "a")
    drain.start()
    wait_for(lambda: drain.state().error)
    rig.ledger.away = False
    assert drain.stop()
    assert ["a"] == ids(rig)


def test_a_ledger_that_hangs_does_not_hold_up_the_stop(rig: Rig, drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, asked = threading.Event(), threading.Event()
    insert = rig.ledger.insert

    def hang(*given: Any, **named: Any) -> None:
        asked.set()
        answer.wait()
        insert(*given, **named)

    monkeypatch.setattr(rig.ledger, "insert", hang)
    put(rig, "a")
    drain.start()
    asked.wait()
    assert not drain.stop(timeout_s=0.01)
    answer.set()
    assert drain.stop()


def test_a_drain_that_was_never_started_says_whether_anything_is_left(rig: Rig) -> None:
    assert rig.drain is not None
    assert rig.drain.stop()
    drain = rig.restart()
    put(rig, "a")
    assert not drain.stop()
