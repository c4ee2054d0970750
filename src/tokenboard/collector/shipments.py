"""What gateways on other machines ship, taken over as what those of this machine have in their journals."""

from typing import Final

from tokenboard.collector.takeover import Takeover
from tokenboard.event import EventDecodeError, decode_events, join_events
from tokenboard.observability import BoundedLog, Counters, logger
from tokenboard.shipping import Answer, Outcome, Shipment
from tokenboard.spool import CursorMoved, Spool

_REASON: Final = "it is no event that this program reads"
_log = logger("collector")


class Shipments:
    """Takes shipments into ``spool``, each once, however often and in whatever order it arrives. Blocks; any thread."""

    def __init__(self, spool: Spool, counters: Counters) -> None:
        self._spool = spool
        self._counters = counters
        self._takeover = Takeover(spool, counters, BoundedLog(_log))

    @property
    def writer(self) -> str:
        """The id of the spool."""
        return self._spool.id

    def look(self, journal: str) -> Answer:
        """Tell what the spool has noted of a journal. Raises SpoolUnavailable."""
        return self._say(Outcome.ASKED, journal)

    def take(self, shipment: Shipment, name: str) -> Answer:
        """Take a shipment over, or say why nothing of it was taken; ``name`` is what the log calls the journal.

        Raises:
            SpoolUnavailable: the spool cannot be read or written, and the shipment may come again.

        """
        journal = shipment.journal
        if shipment.writer != self._spool.id:
            return self._say(Outcome.ELSEWHERE, journal)
        noted = self._spool.cursor(journal)
        if noted == shipment.next:  # it comes again: the answer was lost
            self._counters.add("shipments.repeated")
            return Answer(Outcome.TAKEN, self._spool.id, noted)
        if noted != shipment.cursor:
            return Answer(Outcome.MOVED, self._spool.id, noted)
        if not self._spool.sound or not self._spool.has_room():
            self._counters.add("shipments.no_room")
            return Answer(Outcome.FULL, self._spool.id, noted, "The board's spool takes nothing more at the moment.")
        bodies, unread = _sorted_out(shipment.bodies)
        try:
            self._takeover.take(
                name,
                journal,
                after=shipment.cursor,
                cursor=shipment.next,
                bodies=bodies,
                damaged=[*shipment.damaged, *unread],
                missing=shipment.missing,
            )
        except CursorMoved:
            return self._say(Outcome.MOVED, journal)
        self._counters.add("shipments.taken")
        return Answer(Outcome.TAKEN, self._spool.id, shipment.next)

    def _say(self, outcome: Outcome, journal: str) -> Answer:
        return Answer(outcome, self._spool.id, self._spool.cursor(journal))


def _sorted_out(bodies: tuple[bytes, ...]) -> tuple[list[bytes], list[tuple[str, bytes]]]:
    """Part what is an event each from what is none: joined to one parcel, a single one would spoil them all."""
    if not bodies or _is_events(bodies):
        return list(bodies), []
    good: list[bytes] = []
    unread: list[tuple[str, bytes]] = []
    for body in bodies:
        if _is_events((body,)):
            good.append(body)
        else:
            unread.append((_REASON, body))
    return good, unread


def _is_events(bodies: tuple[bytes, ...]) -> bool:
    try:
        decode_events(join_events(bodies))
    except EventDecodeError:
        return False
    return True
