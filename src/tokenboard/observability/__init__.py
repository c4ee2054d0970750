"""What the operator sees of the running program: logs and counters.

The lowest layer: every other part may use it, it knows none of them. Nothing here ever receives a prompt, an answer or
a key's secret; callers pass ids, counts, names of errors.
"""

from tokenboard.observability.bounded import BoundedLog
from tokenboard.observability.counters import Counters
from tokenboard.observability.logs import configure_logging, logger

__all__ = ["BoundedLog", "Counters", "configure_logging", "logger"]
