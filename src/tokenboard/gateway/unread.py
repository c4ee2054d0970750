"""Counts and logs what the meter could not read, by reason; never any text of the answer."""

import logging

from tokenboard.observability import BoundedLog, Counters
from tokenboard.usage import Meter


class UnreadReport:
    """Counts each reason as ``unread.<reason>``, and logs it with upstream and request id, at a bounded rate."""

    def __init__(self, counters: Counters, log: logging.Logger) -> None:
        self._counters = counters
        self._log = BoundedLog(log)

    def tell(self, meter: Meter, upstream: str, request_id: str) -> None:
        """Count and log whatever kept this meter from reading all of an answer."""
        for reason in meter.unread:
            self._counters.add(f"unread.{reason}")
            facts = {"reason": reason.value, "upstream": upstream, "request_id": request_id}
            if meter.fault:
                facts["fault"] = meter.fault
            # Per upstream: one that never reports usage must not hide another's first fault.
            self._log.warning(f"{reason} {upstream}", "usage of an answer could not be read", facts)
