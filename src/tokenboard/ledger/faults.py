"""What becomes of a process whose embedded engine is at fault: it ends, at once.

The engine handles the signals of such faults itself, each time it is opened: it waits, for minutes, until a thread of
its server has logged what happened, and embedded there is none. Meanwhile the process neither works nor ends, and
nobody starts another.
"""

import signal
import threading
from typing import Final

ENDING: Final = ("SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS")
"""The signals of a process that cannot go on."""


def end_at_once() -> None:
    """Let these signals end the process again, as they do where nobody handles them; after the engine was opened.

    Only a main thread can say so; in another one nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ENDING:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
