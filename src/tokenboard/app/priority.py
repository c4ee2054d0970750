"""Which process runs first where cores are fewer than processes."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

NICENESS: Final = 4
"""How much lower the board's priority is than a gateway's. On one core that both want, the board still gets 3 tenths,
which is more than the delivery of all that a gateway can record there takes; with 10 it would get one tenth, and
rankings fall behind."""

_AUTOGROUP: Final = Path("/proc/self/autogroup")


def let_gateways_go_first() -> None:
    """Lower the priority of this process and of all threads and processes it will start; call it before it has any.

    An answer that waits for the board's delivery is late by milliseconds, the delivery by nothing that anybody sees.
    """
    with suppress(OSError):
        os.nice(NICENESS)
    # Linux may weigh whole sessions against each other (sched(7), autogroup), and each process of ours leads one. Then
    # niceness counts only within a session, and what the whole is given elsewhere is not to be added to the session's.
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            _AUTOGROUP.write_text(str(NICENESS), "ascii")
