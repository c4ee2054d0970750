"""The wall clock of all processes."""

import time


def wall_clock_ms() -> int:
    """Return UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000
