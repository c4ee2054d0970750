"""One thread that polls the files which other processes write for this one."""

from collections.abc import Callable, Mapping
from threading import Condition, Thread

from tokenboard.observability import BoundedLog, Counters, logger

EVERY_S = 0.25
"""Polling interval in seconds: how long a change may go unnoticed."""

_log = logger("control")


class Watcher:
    """Calls each of ``looks``, by name, every ``every_s`` seconds on its own thread, from `start` until `stop`.

    Each publishes its result by one assignment, so that an event loop reads it without waiting. A call that fails is
    counted as ``unread_files.NAME``, logged at a bounded rate, and repeated: its last result stays in force.
    """

    def __init__(self, looks: Mapping[str, Callable[[], object]], counters: Counters, every_s: float = EVERY_S) -> None:
        self._looks = dict(looks)
        self._counters = counters
        self._every_s = every_s
        self._told = BoundedLog(_log)
        self._turn = Condition()
        self._rounds = 0
        self._wanted = 0
        self._stopping = False
        self._thread = Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Poll everything once, and start the thread."""
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after the round under way."""
        with self._turn:
            self._stopping = True
            self._turn.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def look_now(self, within_s: float = 5.0) -> bool:
        """Poll everything now; return whether that was done within ``within_s`` seconds. Blocks."""
        with self._turn:
            round_ = self._rounds + 2  # the round under way may have begun before the change
            self._wanted = max(self._wanted, round_)
            self._turn.notify_all()
            return self._turn.wait_for(lambda: self._rounds >= round_ or self._stopping, within_s)

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._stopping or self._wanted > self._rounds, self._every_s)
                if self._stopping:
                    return
            self._look()
            with self._turn:
                self._rounds += 1
                self._turn.notify_all()

    def _look(self) -> None:
        for name, look in self._looks.items():
            try:
                look()
            except Exception as error:
                self._counters.add(f"unread_files.{name}")
                facts = {"reason": f"{type(error).__name__}: {error}"[:300], "hint": getattr(error, "hint", "")}
                self._told.error(name, f"the {name} cannot be read anew; what was known of it stays in force", facts)
