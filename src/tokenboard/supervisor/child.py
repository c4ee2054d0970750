"""What a child process is started with, and how it is ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tokenboard.supervisor.listeners import Listener


@dataclass(frozen=True, kw_only=True)
class Child:
    """One process to keep running.

    ``name`` stands in the log, and is told to the child. ``listeners`` are what it accepts connections from, by the
    name under which it finds them. ``environment`` is all of its environment; None: the supervisor's own. Children of
    a lower ``group`` are ended first, and have ended before a higher one is told to; whoever has not ended
    ``end_within_s`` seconds after it was told is killed.
    """

    name: str
    argv: Sequence[str]
    group: int = 1
    listeners: Mapping[str, Listener] = field(default_factory=dict)
    environment: Mapping[str, str] | None = None
    end_within_s: float = 60.0
