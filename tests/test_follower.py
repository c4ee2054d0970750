"""What follows the catalog: in force with its word, found without one, and the last state kept while it is away."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from tests.board import wait_for
from tokenboard.catalog import CatalogUnavailable
from tokenboard.follower import COUNTER, Follower
from tokenboard.observability import Counters

NEVER_S = 3600.0


class Source:
    """Something that changes, and the copy of it that a follower publishes."""

    def __init__(self) -> None:
        self.value = 0
        self.copy = 0
        self.reads = 0
        self.error: Exception | None = None
        self.gate = Event()
        self.gate.set()

    def read(self) -> None:
        self.reads += 1
        assert self.gate.wait(60)
        if self.error is not None:
            raise self.error
        self.copy = self.value


@contextmanager
def following(every_s: float = NEVER_S, **reads: Callable[[], object]) -> Iterator[tuple[Follower, Counters]]:
    counters = Counters()
    follower = Follower(reads, counters=counters, clock_ms=lambda: 1_000, every_s=every_s)
    follower.start()
    try:
        yield follower, counters
    finally:
        follower.stop()


def test_what_changed_before_the_word_is_in_force_when_it_returns() -> None:
    source = Source()
    with following(keys=source.read) as (follower, _):
        for value in range(1, 50):
            source.value = value
            follower.catch_up(60)
            assert value == source.copy


def test_a_round_under_way_does_not_count_for_a_change_that_came_after_it_began() -> None:
    source = Source()
    source.gate.clear()
    with following(keys=source.read) as (follower, _):
        first = Thread(target=follower.catch_up, args=(60,))
        first.start()
        wait_for(lambda: source.reads == 1)
        second = Thread(target=follower.catch_up, args=(60,))
        second.start()
        wait_for(lambda: follower._wanted == 2)
        source.gate.set()
        first.join(60)
        second.join(60)
        assert 2 == source.reads


def test_what_changes_without_a_word_is_found() -> None:
    source = Source()
    with following(0.01, keys=source.read):
        source.value = 7
        wait_for(lambda: source.copy == 7)


def test_while_the_catalog_is_away_the_copy_stays_and_it_is_counted_logged_once_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    keys, apps = Source(), Source()
    with following(keys=keys.read, apps=apps.read) as (follower, counters):
        follower.catch_up(60)
        assert None is follower.state().failing_since_ms
        keys.error = CatalogUnavailable("the catalog's database is unavailable: it is locked")
        keys.value = apps.value = 5
        with caplog.at_level(logging.WARNING):
            for _ in range(20):
                with pytest.raises(CatalogUnavailable, match="locked"):
                    follower.catch_up(60)
        told = follower.state()
        # The one that can be read is not kept back by the one that cannot.
        assert (0, 5, 20) == (keys.copy, apps.copy, counters.read()[COUNTER])
        assert (1_000, True, "keys") == (told.failing_since_ms, "locked" in (told.reason or ""), told.read)
        assert 1 == len([record for record in caplog.records if "could not be read anew" in record.message])
        keys.error = None
        follower.catch_up(60)
        assert (5, None) == (keys.copy, follower.state().failing_since_ms)


def test_a_fault_of_ours_ends_no_following() -> None:
    source = Source()
    source.error = ValueError("a fault")
    with following(keys=source.read) as (follower, _):
        with pytest.raises(CatalogUnavailable, match="a fault"):
            follower.catch_up(60)
        source.error, source.value = None, 3
        follower.catch_up(60)
        assert 3 == source.copy


def test_a_catalog_that_does_not_answer_keeps_nobody_waiting_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenboard.follower.LATE_S", 0.0)
    source = Source()
    source.gate.clear()
    with following(keys=source.read) as (follower, _):
        with pytest.raises(CatalogUnavailable, match=r"did not answer within 0\.01 s") as raised:
            follower.catch_up(0.01)
        assert 0.01 == raised.value.within_s
        wait_for(lambda: source.reads == 1)
        assert 1_000 == follower.state().failing_since_ms
        source.gate.set()
        follower.catch_up(60)
        assert None is follower.state().failing_since_ms
