"""Whatever dies, is late, is away or is set back between a gateway and the ledger: each event is counted once."""

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.effort import examples
from tests.simulation.world import World

SEEDS = examples(300)
STEPS = 40
_BLOCK = 25
_MEMORY = Path("/dev/shm")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory, where that is to be had: nothing here depends on a disk."""
    place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as made:
        yield Path(made)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, SEEDS, _BLOCK))
def test_each_event_is_counted_once_whatever_happens(first: int, folder: Path) -> None:
    failed = {}
    for seed in range(first, first + _BLOCK):
        if faults := _outcome(folder / str(seed), seed)[1]:
            failed[seed] = faults
    assert {} == failed, f"replay one by `python -m tests.simulation SEED --steps {STEPS}`"


def test_a_seed_tells_the_same_story_each_time(folder: Path) -> None:
    assert _outcome(folder / "once", 8) == _outcome(folder / "again", 8)


def _outcome(folder: Path, seed: int) -> tuple[list[str], dict[str, object], dict[str, int]]:
    story: list[str] = []
    world = World(folder, seed, story.append)
    try:
        world.live(STEPS)
        return story, world.judge(), world.board.deaths
    finally:
        world.close()
