"""The thread that empties the spool."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Condition, Event, Lock, Thread

from tokenboard.catalog import Catalog, CatalogError
from tokenboard.drain.plan import PlanError, decode_plan, encode_plan, make_plan, repeat_plan
from tokenboard.ledger import BatchId, Ledger, LedgerError
from tokenboard.observability import Counters, logger
from tokenboard.spool import Spool, SpoolError

MAX_BATCH = 50_000
"""Events in one batch at most. An insert costs some 60 ms before its first row and 2 µs for each, so more is better."""

REST = 8.0
"""How long to rest after a delivery, in times of what it took: a ledger in the same process gets a ninth of a core."""

MAX_REST_S = 0.9
"""Longest such rest, in seconds."""

VISIBLE_WITHIN_S = 1.5
"""What was accepted is to be in the rankings within two seconds. What comes in the midst of a delivery waits for its
end, for the rest, and for the next delivery: a rest is cut by what two deliveries take of this. Less than two, for the
second delivery is the larger one."""

MAX_BATCH_BYTES = 16 * 1024 * 1024
"""Encoded bytes in one batch at most, unless a single parcel is larger: bounds the drain's memory."""

_log = logger("drain")
_REASON = 500  # characters of an error's text, which drivers follow with statements and their values
_NAMED = (SpoolError, CatalogError, LedgerError, PlanError)
_GATHER_S = 0.05
_LEDGER = "ledger"
_FAILS = {
    _LEDGER: "delivery to the ledger fails; events stay in the spool and will be delivered later",
    "catalog": "the catalog does not name apps; events stay in the spool and will be delivered later",
    "spool": "the spool cannot be emptied, as it cannot be read or written; what it holds will be delivered later",
}
_FIRST_BACKOFF_S = 0.25
_LAST_BACKOFF_S = 15.0


@dataclass(frozen=True, slots=True)
class DrainState:
    """Whether delivery works: None, or since when (UTC epoch ms) it fails and with what error.

    ``store`` is the one at fault then: ``spool``, ``catalog`` or ``ledger``.
    """

    failing_since_ms: int | None
    error: str | None
    ready: bool
    store: str = "ledger"


def _store_of(error: Exception) -> str:
    if isinstance(error, SpoolError):
        return "spool"
    return "catalog" if isinstance(error, CatalogError) else _LEDGER


def rest_s(took_s: float) -> float:
    """Return how long to rest after deliveries that took so long, in seconds."""
    return max(min(took_s * REST, MAX_REST_S, VISIBLE_WITHIN_S - 2 * took_s), 0.0)


class Drain:
    """Delivers the spool's events to the ledger, in order, each exactly once.

    ``delivered`` is called after each insert and before its acknowledgement, so that an empty spool means: all of it is
    in the rankings. It is also called once at the start, after a batch that a crash interrupted was completed.
    """

    def __init__(
        self,
        spool: Spool,
        catalog: Catalog,
        ledger: Ledger,
        *,
        delivered: Callable[[], object],
        counters: Counters,
        clock_ms: Callable[[], int],
    ) -> None:
        self._spool = spool
        self._catalog = catalog
        self._ledger = ledger
        self._delivered = delivered
        self._counters = counters
        self._clock_ms = clock_ms
        self.settled = Event()
        """Set once the start is done, or has failed once: from then on `state` is meaningful."""
        self._stop = Event()
        self._thread = Thread(target=self._run, name="drain", daemon=True)
        self._lock = Lock()
        self._failing_since_ms: int | None = None
        self._error: str | None = None
        self._store = _LEDGER
        self._ready = False
        self._turns = Condition()
        self._delivering = False
        self._paused = False
        self._last_batch: int | None = None

    @property
    def writer(self) -> int:
        """Whose batches these are, to the ledger."""
        return self._spool.writer

    def start(self) -> None:
        """Start the thread: first complete what a crash interrupted, then go on with what arrives."""
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> bool:
        """Deliver what is left and end the thread; False when some of it has to stay in the spool."""
        self._stop.set()
        self._spool.arrived.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive() and self._spool.state().pending == 0

    def state(self) -> DrainState:
        """Return whether delivery works, and whether the start is done."""
        with self._lock:
            return DrainState(self._failing_since_ms, self._error, self._ready, self._store)

    def deliver(self) -> bool:
        """Deliver one batch; False when there was none. Waits while the drain is paused.

        Raises:
            SpoolError, CatalogError, LedgerError, PlanError: try again; nothing is lost and nothing will be doubled.

        """
        with self._turns:
            self._turns.wait_for(lambda: not self._paused)
            self._delivering = True
        try:
            return self._deliver()
        finally:
            with self._turns:
                self._delivering = False
                self._turns.notify_all()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hold the drain between two batches: within the block none is begun, and the ledger has all of the last one.

        A batch that was fixed and not delivered is delivered first. One holder at a time; the others wait.

        Raises:
            SpoolError, CatalogError, LedgerError, PlanError: that batch cannot be delivered now.

        """
        with self._turns:
            self._turns.wait_for(lambda: not self._paused)
            self._paused = True
            self._turns.wait_for(lambda: not self._delivering)
        try:
            if self._spool.fixed() is not None:
                self._deliver()
            yield
        finally:
            with self._turns:
                self._paused = False
                self._turns.notify_all()

    def recover(self) -> None:
        """Complete the batch and the rebuild that a crash interrupted, and fill the rollups a newer program has added.

        To be called before anything is read, as until then the raw events and the rollups may differ.

        Raises:
            SpoolError, CatalogError, LedgerError, PlanError: call it again.

        """
        with self.paused():
            today = datetime.fromtimestamp(self._clock_ms() / 1000, UTC).date()
            for month in self._ledger.finish_rebuilds(today, writer=self._spool.writer):
                _log.debug("a rebuild that was interrupted was done again", extra={"month": month})
            for rollup in self._ledger.fill_new_rollups(today, writer=self._spool.writer):
                _log.debug("a rollup was filled from the raw events", extra={"rollup": rollup})

    def _deliver(self) -> bool:
        batch = self._spool.fixed()
        if batch is not None:
            plan = decode_plan(batch.plan)
            batch_id, rows = batch.id, repeat_plan(batch.parcels, plan)
        else:
            parcels = self._spool.peek(MAX_BATCH, MAX_BATCH_BYTES)
            if not parcels:
                return False
            plan, rows, dead_letters = make_plan(
                parcels, self._catalog, BatchId(self._spool.writer, self._next_batch())
            )
            batch_id = self._spool.fix(parcels[-1].seq, encode_plan(plan), dead_letters)
            for reason, _ in dead_letters:
                self._counters.add("dead_letters")
                self._counters.add("set_aside")
                _log.error(
                    "a record became a dead letter; see `tokenboard dead-letters list`", extra={"reason": reason}
                )
        self._last_batch = plan.batch
        self._ledger.insert(plan.batch_id, rows, fresh=batch is None)
        self._delivered()
        self._spool.ack(batch_id, number=plan.batch if rows.days else None)
        self._counters.add("delivered.events", len(plan.app_ids))
        self._counters.add("delivered.batches")
        return True

    def _next_batch(self) -> int:
        """Return a number greater than that of any batch of this spool that the ledger may have some of.

        The time keeps it above those of a spool that was lost with a batch half delivered; the ledger's last above
        those given while the clock was ahead.
        """
        if self._last_batch is None:
            self._last_batch = self._ledger.last_batch(self._spool.writer)
        return max(self._last_batch + 1, self._clock_ms() * 1000)

    def _run(self) -> None:
        backoff = _FIRST_BACKOFF_S
        while True:
            try:
                if not self._ready:
                    self._begin()
                began = time.monotonic()
                # Cleared before looking: what arrives while we look sets it again.
                self._spool.arrived.clear()
                emptied = self._deliver_all()
                self._recovered()
                backoff = _FIRST_BACKOFF_S
            except Exception as error:
                last_attempt = self._stop.is_set()
                self._failed(error)
                if last_attempt:
                    return
                # Asked to stop meanwhile, try once more: the cause may have just gone.
                self._stop.wait(backoff)
                backoff = min(backoff * 2, _LAST_BACKOFF_S)
                continue
            if emptied and self._stop.is_set():
                return
            # Let a batch gather: an insert costs the same for one row and for a thousand.
            self._stop.wait(rest_s(time.monotonic() - began))
            if emptied:
                self._spool.arrived.wait()
            self._stop.wait(_GATHER_S)

    def _deliver_all(self) -> bool:
        """Deliver until nothing is left, or less than a full batch, which may gather unless we are to stop.

        Returns whether nothing was left.
        """
        while self.deliver():
            if self._spool.state().pending < MAX_BATCH and not self._stop.is_set():
                return False
        return True

    def _begin(self) -> None:
        self.recover()
        self._delivered()
        with self._lock:
            self._ready = True
        self.settled.set()

    def _failed(self, error: Exception) -> None:
        with self._lock:
            store = _store_of(error)
            first = self._failing_since_ms is None or store != self._store
            self._store = store
            self._failing_since_ms = self._failing_since_ms or self._clock_ms()
            self._error = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:_REASON]}"
        self._counters.add("delivery_failures")
        self.settled.set()
        if first:
            _log.error(
                _FAILS[store],
                extra={"reason": self._error, "hint": getattr(error, "hint", "")},
                # What these were raised from may quote a statement with its values.
                exc_info=None if isinstance(error, _NAMED) else error,
            )

    def _recovered(self) -> None:
        with self._lock:
            since, self._failing_since_ms, self._error = self._failing_since_ms, None, None
        if since is not None:
            _log.warning("delivery to the ledger works again", extra={"outage_ms": self._clock_ms() - since})
