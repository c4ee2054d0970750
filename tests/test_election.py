"""One of several boards does a duty; another takes over when it is silent, or has given it back."""

from pathlib import Path

import pytest

from tokenboard.catalog import Catalog, CatalogUnavailable, Duty
from tokenboard.election import HELD_S, LASTS_S, Election

NAME = "retention"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Shared:
    """A catalog that may be away."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.away = False

    def duty(self, name: str) -> Duty | None:
        self._be_there()
        return self.catalog.duty(name)

    def claim_duty(self, name: str, holder: str, seen: Duty | None) -> Duty | None:
        self._be_there()
        return self.catalog.claim_duty(name, holder, seen)

    def _be_there(self) -> None:
        if self.away:
            raise CatalogUnavailable("away")


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    catalog.migrate()
    return Shared(catalog)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def boards(shared: Shared, clock: Clock) -> tuple[Election, Election]:
    first, second = (Election(shared, [NAME], holder=name, clock=clock) for name in ("first", "second"))
    for board in (first, second):
        board.round()
    return first, second


def held(boards: tuple[Election, Election]) -> tuple[bool, bool]:
    return boards[0].holds(NAME), boards[1].holds(NAME)


def test_the_first_that_asks_does_it_as_long_as_it_says_so(boards: tuple[Election, Election], clock: Clock) -> None:
    for _ in range(20):
        assert (True, False) == held(boards)
        clock.now += HELD_S - 1
        for board in boards:
            board.round()


def test_another_takes_over_only_after_the_holder_has_stopped_being_one(
    boards: tuple[Election, Election], clock: Clock
) -> None:
    first, second = boards
    second.round()
    clock.now += HELD_S
    second.round()
    assert (False, False) == held(boards), "the holder knows that it is late, and nobody else acts yet"
    clock.now += LASTS_S - HELD_S
    second.round()
    assert (False, True) == held(boards)
    first.round()
    assert (False, True) == held(boards), "who comes back waits"


def test_of_two_that_find_a_holder_silent_one_takes_over(
    boards: tuple[Election, Election], shared: Shared, clock: Clock
) -> None:
    third = Election(shared, [NAME], holder="third", clock=clock)
    third.round()
    clock.now += LASTS_S
    seen = shared.duty(NAME)
    assert shared.claim_duty(NAME, "quicker", seen) is not None
    assert shared.claim_duty(NAME, "third", seen) is None
    third.round()
    assert not third.holds(NAME)


def test_without_the_catalog_a_holder_is_none_soon_and_is_one_again_with_it(
    boards: tuple[Election, Election], shared: Shared, clock: Clock
) -> None:
    shared.away = True
    clock.now += HELD_S - 1
    with pytest.raises(CatalogUnavailable):
        boards[0].round()
    assert (True, False) == held(boards)
    clock.now += 1
    assert (False, False) == held(boards)
    shared.away = False
    boards[0].round()
    assert (True, False) == held(boards)


def test_who_ends_gives_back_and_the_next_need_not_wait(boards: tuple[Election, Election]) -> None:
    first, second = boards
    first.start()
    first.stop()
    second.round()
    assert (False, True) == held(boards)


def test_a_board_alone_does_everything() -> None:
    alone = Election(None, [NAME], holder="me")
    alone.start()
    assert alone.holds(NAME)
    alone.stop()
