"""A stretch of a journal taken over by the board's spool, wherever it was read."""

from collections.abc import Sequence
from typing import Final

from tokenboard.event import join_events
from tokenboard.observability import BoundedLog, Counters
from tokenboard.spool import Spool

_UNSOUND_MARK: Final = b"\xc1"  # what no MessagePack begins with: nobody reads it by mistake when it is queued again


class Takeover:
    """Puts events into the spool together with the journal's cursor, and says what was wrong with them."""

    def __init__(self, spool: Spool, counters: Counters, told: BoundedLog) -> None:
        self._spool = spool
        self._counters = counters
        self._told = told

    def take(
        self,
        name: str,
        journal: str,
        *,
        after: str | None,
        cursor: str,
        bodies: Sequence[bytes],
        damaged: Sequence[tuple[str, bytes]],
        missing: int,
    ) -> None:
        """Take over what lies behind the cursor ``after``, once, and note ``cursor`` with it; blocks.

        ``damaged`` are records with what is wrong with each, which become dead letters; ``missing`` counts events that
        the journal should have had. ``name`` is what the log calls the journal.

        Raises:
            CursorMoved: somebody else has taken it meanwhile; nothing was taken.
            SpoolUnavailable: the spool cannot be written.

        """
        parcels = [(len(bodies), join_events(bodies))] if bodies else []
        letters = [(reason, _UNSOUND_MARK + body) for reason, body in damaged]
        self._spool.collect(journal, cursor, after=after, parcels=parcels, dead_letters=letters)
        self._counters.add("collected.events", len(bodies))
        if damaged:
            self._counters.add("dead_letters", len(damaged))
            facts = {"journal": name, "records": len(damaged), "reason": damaged[0][0]}
            self._told.error(f"damaged.{name}", "records of a journal are damaged and became dead letters", facts)
        if missing:
            self._counters.add("missing.journal", missing)
            facts = {"journal": name, "events": missing}
            self._told.error(f"missing.{name}", "a journal lacks events that it had", facts)
