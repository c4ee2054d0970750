from pathlib import Path

import pytest

from tests.shipping.voyage import voyage

SEEDS = range(12)


@pytest.mark.parametrize("boards", [1, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_network_and_the_processes_do_each_event_is_counted_once(
    seed: int, boards: int, tmp_path: Path
) -> None:
    recorded, taken = voyage(tmp_path, seed, boards=boards, steps=120)
    assert recorded == taken
