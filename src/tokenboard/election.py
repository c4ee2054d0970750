"""Which of several boards does a duty: the one that holds it in the catalog, and says so again and again.

    every few seconds: look ─▶ free, given back, mine, or silent for long? ─▶ claim it, if it is still as seen
                              └▶ another's, and alive ─▶ wait

No two clocks are compared. A holder counts a beat; who waits measures, by its own monotonic clock, how long that beat
has stood still, and takes over after `LASTS_S`. A holder counts as one for `HELD_S` after it began its last claim,
which is less: it has stopped being one, also where the catalog cannot be reached, before another begins.
"""

import time
from collections.abc import Callable, Iterable
from threading import Event, Thread
from typing import Final, Protocol

from tokenboard.catalog import CatalogError, Duty
from tokenboard.observability import BoundedLog, logger

EVERY_S: Final = 5.0
"""How long a round is after the last, in seconds."""

HELD_S: Final = 12.0
"""How long a claim lasts for its holder, in seconds."""

LASTS_S: Final = 20.0
"""How long a beat must stand still before another board takes over, in seconds."""

_log = logger("election")


class Duties(Protocol):
    """Where duties are held: a catalog that boards share. Both raise CatalogError when it cannot be reached."""

    def duty(self, name: str) -> Duty | None:
        """Return who holds a duty, None when nobody ever did."""

    def claim_duty(self, name: str, holder: str, seen: Duty | None) -> Duty | None:
        """Hold a duty for one more beat, if it is still as it was seen; None when another was quicker."""


class Election:
    """Takes part in the election for each of ``names``, on a thread of its own, from `start` until `stop`.

    ``holder`` names this run of this board, and no other. Without ``duties`` there are no other boards, and all is
    this one's. Safe from any thread.
    """

    def __init__(
        self,
        duties: Duties | None,
        names: Iterable[str],
        *,
        holder: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._duties = duties
        self._holder = holder
        self._clock = clock
        self._until: dict[str, float] = dict.fromkeys(names, 0.0)
        self._seen: dict[str, tuple[Duty | None, float]] = {}
        self._stopping = Event()
        self._told = BoundedLog(_log)
        self._thread = Thread(target=self._run, name="election", daemon=True)

    def start(self) -> None:
        """Start the thread, unless there is nobody to be elected from."""
        if self._duties is not None:
            self._thread.start()

    def stop(self) -> None:
        """End the thread, and give back what is held, so that another board need not wait."""
        self._stopping.set()
        if self._thread.ident is None or self._duties is None:
            return
        self._thread.join()
        for name in [name for name in self._until if self.holds(name)]:
            self._until[name] = 0.0
            try:
                self._duties.claim_duty(name, "", self._seen[name][0])
            except CatalogError as error:
                _log.info(
                    "a duty could not be given back; another board takes it over by itself",
                    extra={"reason": str(error)},
                )

    def holds(self, name: str) -> bool:
        """Whether a duty is this board's at present; never blocks."""
        return self._duties is None or self._clock() < self._until[name]

    def round(self) -> None:
        """Look after every duty once.

        Raises:
            CatalogError: the catalog cannot be reached; what is held is held for the rest of its time.

        """
        if self._duties is None:
            return
        for name in self._until:
            self._look_after(self._duties, name)

    def _look_after(self, duties: Duties, name: str) -> None:
        began = self._clock()
        duty = duties.duty(name)
        before, since = self._seen.get(name, (None, began))
        if duty != before:
            since = began
        self._seen[name] = (duty, since)
        taken_over = duty is not None and duty.holder not in ("", self._holder)
        if taken_over and began - since < LASTS_S:
            return
        if (claimed := duties.claim_duty(name, self._holder, duty)) is None:
            return
        if not self.holds(name):
            _log.info("this board does what one of the boards is to do", extra={"duty": name, "taken_over": taken_over})
        self._seen[name] = (claimed, began)
        self._until[name] = began + HELD_S

    def _run(self) -> None:
        while True:
            try:
                self.round()
            except CatalogError as error:
                facts = {"reason": str(error), "hint": error.hint}
                self._told.warning("round", "the boards' duties could not be looked after", facts)
            if self._stopping.wait(EVERY_S):
                return
