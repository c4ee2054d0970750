"""How hard the property tests try: `make test` keeps within minutes, `make fuzz` takes its time."""

import os

EFFORT = int(os.environ.get("TOKENBOARD_TEST_EFFORT", "1"))


def examples(usual: int) -> int:
    """Return how many examples to try, by what is usual in `make test`."""
    return usual * EFFORT
