"""Keeps child processes running, ends them in order, and reads their status: the process side of ``tokenboard serve``.

    supervisor ──starts, restarts, SIGTERM──▶ child      `Supervisor`, `Child`
        │ ◀────── status: JSON lines ────────── │        `Status` in the child, one pipe per run
        └─────── lifeline: never written ─────▶ │        `Lifeline` in the child, one pipe for all; EOF = end
    listening sockets, kept open here ────────▶ │        `public_listeners`, `unix_listener`

It knows nothing of boards and gateways. A child finds what it inherits with `Supervised.from_environment`. Only the
standard library, `observability` and `unix_sockets` are imported, to keep the supervisor's process small.
"""

from tokenboard.supervisor.child import Child
from tokenboard.supervisor.listeners import Listener, ServeError, listened_on, public_listeners, unix_listener
from tokenboard.supervisor.pace import Pace
from tokenboard.supervisor.supervised import Lifeline, Status, Supervised
from tokenboard.supervisor.supervisor import Supervisor, supervise

__all__ = [
    "Child",
    "Lifeline",
    "Listener",
    "Pace",
    "ServeError",
    "Status",
    "Supervised",
    "Supervisor",
    "listened_on",
    "public_listeners",
    "supervise",
    "unix_listener",
]
