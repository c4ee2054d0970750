"""The follower: one thread that keeps what others read from memory up to date with the catalog.

    catalog ─▶ revisions of keys and apps ─▶ changed? ─▶ read again ─▶ published by one assignment ─▶ event loop, pages

No request waits for the catalog to learn what has changed. A change made by this process or by a
command is called done only after a round of the follower that began after it (`Follower.catch_up`); what another
process changes without a nudge is found within `EVERY_S`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Final

from tokenboard.catalog import CatalogUnavailable
from tokenboard.observability import BoundedLog, Counters, logger

EVERY_S: Final = 0.5
"""How long a change without a nudge may stay unknown, in seconds."""

LATE_S: Final = 5.0
"""How long a round may take before the catalog counts as away, in seconds."""

CATCH_UP_S: Final = 4.0
"""How long a change waits to be in force before its caller gets an error, in seconds; a command waits 5."""

COUNTER: Final = "catalog_unread"
"""The counter of rounds in which the catalog could not be read."""

_REASON: Final = 300
_log = logger("follower")


@dataclass(frozen=True, slots=True)
class Following:
    """Since when (UTC epoch ms) a read fails, why, and which one by its name; None throughout while all is well.

    Of several that fail it is the first. ``read`` is None, too, where one has not answered for long.
    """

    failing_since_ms: int | None
    reason: str | None
    read: str | None = None


class Follower:
    """Calls ``reads``, by name, again and again on a thread of its own, from `start` until `stop`.

    Each read asks whether something has changed, and publishes what has. When one raises, what it published before
    stays in force: that is counted, logged at a bounded rate, and part of `state`. ``clock_ms`` gives UTC epoch ms.
    Safe from any thread.
    """

    def __init__(
        self,
        reads: Mapping[str, Callable[[], object]],
        *,
        counters: Counters,
        clock_ms: Callable[[], int],
        every_s: float = EVERY_S,
    ) -> None:
        self._reads = dict(reads)
        self._counters = counters
        self._clock_ms = clock_ms
        self._every_s = every_s
        self._told = BoundedLog(_log)
        self._turn = Condition()
        self._begun = 0
        self._ended = 0
        self._wanted = 0
        self._stopping = False
        self._error: Exception | None = None
        self._well_ms = clock_ms()
        # Both replaced as one, and read without the lock by `state`, which an event loop calls.
        self._following = Following(None, None)
        self._round_began: float | None = None
        self._thread = Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after the round under way."""
        with self._turn:
            self._stopping = True
            self._turn.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def catch_up(self, within_s: float = CATCH_UP_S) -> None:
        """Return once all that had changed before this call is in force. Blocks: not for an event loop.

        Raises:
            CatalogUnavailable: it could not be read within ``within_s`` seconds; it comes into force once it can.

        """
        with self._turn:
            round_ = self._begun + 1
            self._wanted = max(self._wanted, round_)
            self._turn.notify_all()
            ended = self._turn.wait_for(lambda: self._ended >= round_ or self._stopping, within_s)
            error = self._error
        if not ended:
            raise CatalogUnavailable(f"the catalog did not answer within {within_s:g} s", within_s=within_s)
        if error is not None:
            # An error of the caller's own, as raising it adds to it.
            raise CatalogUnavailable(
                f"the change is not in force everywhere: {_reason(error)}", within_s=getattr(error, "within_s", None)
            ) from error

    def state(self) -> Following:
        """Return the present state; never blocks, so an event loop may ask."""
        following, began = self._following, self._round_began
        if following.failing_since_ms is None and began is not None and time.monotonic() - began > LATE_S:
            return Following(self._well_ms, f"it has not answered for {time.monotonic() - began:.0f} s")
        return following

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._stopping or self._wanted > self._begun, self._every_s)
                if self._stopping:
                    return
                self._begun += 1
            self._round_began = time.monotonic()
            failed, error = self._read()
            self._round_began = None
            self._note(error, failed)
            with self._turn:
                self._ended = self._begun
                self._error = error
                self._turn.notify_all()

    def _read(self) -> tuple[str | None, Exception | None]:
        """Do one round; return the first error, and whose it is. One read that fails keeps no other from its turn."""
        first: Exception | None = None
        failed: str | None = None
        for name, read in self._reads.items():
            try:
                read()
            except Exception as error:  # a thread that ended would leave keys in force for good
                if first is None:
                    failed, first = name, error
                self._counters.add(COUNTER)
                facts = {"reason": _reason(error), "hint": getattr(error, "hint", "")}
                self._told.error(name, f"the {name} could not be read anew; those known so far stay in force", facts)
                if not hasattr(error, "hint") and self._following.failing_since_ms is None:
                    _log.error("the follower failed by a fault of ours", exc_info=error)
        return failed, first

    def _note(self, error: Exception | None, failed: str | None) -> None:
        since = self._following.failing_since_ms
        if error is not None:
            self._following = Following(since or self._well_ms, _reason(error), failed)
            return
        self._well_ms = self._clock_ms()
        if since is not None:
            self._following = Following(None, None)
            _log.warning("the catalog can be read again", extra={"outage_ms": self._well_ms - since})


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:_REASON]}"
