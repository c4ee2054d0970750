"""The description of a child process: how it is started and ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tokenboard.supervisor.listeners import Listener


@dataclass(frozen=True, kw_only=True)
class Child:
    """One process to keep running.

    ``name`` appears in the log, and is passed to the child. ``listeners`` are the sockets it accepts on, by the name
    under which it finds them. ``environment`` is its whole environment; None: the supervisor's own. Groups are
    ended in ascending order, each once the one before has ended; a child that is still running ``end_within_s`` seconds
    after SIGTERM is killed. With ``needs_files`` it is restarted as soon as one of its listeners is lost; without, the
    listener is reopened at its next start, whenever that is.
    """

    name: str
    argv: Sequence[str]
    group: int = 1
    listeners: Mapping[str, Listener] = field(default_factory=dict)
    environment: Mapping[str, str] | None = None
    end_within_s: float = 60.0
    needs_files: bool = False
