"""Run seeds, or replay one: ``python -m tests.simulation [SEED]``, ``python -m tests.simulation --seeds 10000``."""

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.simulation.world import World

STEPS = 60


def main() -> int:
    """Return 1 when a seed fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="replay this seed and print each step")
    parser.add_argument("--seeds", type=int, default=1_000, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of each")
    asked = parser.parse_args()
    seeds = [asked.seed] if asked.seed is not None else range(asked.first, asked.first + asked.seeds)
    logging.disable(logging.CRITICAL)  # faults are what it is made of
    began, deaths, events, failed = time.monotonic(), Counter[str](), 0, 0
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder), seed, print if asked.seed is not None else lambda _: None)
            try:
                world.live(asked.steps)
                faults = world.judge()
            finally:
                world.close()
        deaths.update(world.board.deaths)
        events += len(world.oracle.acknowledged)
        if faults:
            failed += 1
            print(f"seed {seed}: {faults}")
    took = time.monotonic() - began
    print(
        f"{len(seeds):,} seeds, {events:,} events acknowledged, {sum(deaths.values()):,} deaths in a step, {took:.0f} s"
    )
    for point, times in sorted(deaths.items()):
        print(f"  {point}: {times:,}")
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
