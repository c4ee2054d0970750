"""Keeps rankings up to date with what other boards write: one thread that looks for changed days again and again.

    another board ─▶ ledger: day_changes ─▶ looked at every second ─▶ days that differ are read again

What this board writes itself is taken over by its drain at once; only a ledger that several boards share is followed.
"""

from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from tokenboard.observability import BoundedLog, Counters, logger

EVERY_S: Final = 1.0
"""How long what another board has counted may stay unknown, in seconds, beside the time that one look takes."""

COUNTER: Final = "ledger_unread"
"""The counter of looks at which the ledger could not be read."""

_REASON: Final = 300
_log = logger("rankings")


class LedgerFollower:
    """Calls ``refresh`` every ``every_s`` seconds on a thread of its own, once ``ready`` is true, from start to stop.

    A call that fails leaves the rankings as they are: it is counted, and logged at a bounded rate.
    """

    def __init__(
        self,
        refresh: Callable[[], object],
        *,
        ready: Callable[[], bool],
        counters: Counters,
        every_s: float = EVERY_S,
    ) -> None:
        self._refresh = refresh
        self._ready = ready
        self._counters = counters
        self._every_s = every_s
        self._told = BoundedLog(_log)
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="ledger-follower", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after the look under way."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            if not self._ready():
                continue
            try:
                self._refresh()
            except Exception as error:  # a thread that ended would show old figures for good
                self._counters.add(COUNTER)
                reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:_REASON]}"
                facts = {"reason": reason, "hint": getattr(error, "hint", "")}
                self._told.error("ledger", "what other boards have counted could not be read; asked again", facts)
