"""The gateway's side: what to say next to a board, and what follows from what it answers."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from tokenboard.journal import JournalReader, Position, Read
from tokenboard.observability import BoundedLog, Counters, logger
from tokenboard.shipping.state import Open, Shipped, ShippingFile, Try
from tokenboard.shipping.wire import Answer, Outcome, Shipment, encode_shipment

MAX_EVENTS: Final = 10_000
MAX_BYTES: Final = 2 * 1024 * 1024
"""Events and bytes of one shipment at most, unless a single event is larger."""

_log = logger("shipping")


class Ask(NamedTuple):
    """To be asked of the board: what it has of the journal."""

    journal: str
    instance: str


class Send(NamedTuple):
    """To be sent to the board: a shipment's bytes."""

    body: bytes
    events: int


class Standing(NamedTuple):
    """How the shipping stands.

    ``done``: the place before which everything is some board's. ``refused``: why the journal cannot be shipped, nor
    what would be recorded from now on. ``held``: by what run the board says that the journal is shipped already; that
    may be this gateway's last one, not yet known to have ended. ``waits_for``: the board that may have a shipment, so
    that no other gets it.
    """

    done: Position
    refused: str | None
    held: str | None
    waits_for: str | None


class Shipper:
    """Ships the journal in ``folder``, one shipment at a time; for one thread at a time, as it reads and writes files.

    The caller takes `next`, carries it to a board, and tells what came of it by `answered`, or by `unanswered` when
    nobody knows. ``instance`` names this run of the gateway.

    Raises:
        ShippingError: when it is opened, and what it had noted cannot be used.
        SpoolError, OSError: from `next` and `answered`: the journal cannot be read, or a note cannot be written; all is
            as before, and may be tried again.

    """

    def __init__(
        self,
        folder: Path,
        *,
        instance: str,
        counters: Counters,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._reader = JournalReader(folder)
        self._file = ShippingFile(folder, self._reader.id, collected=self._reader.collected().events)
        self._instance = instance
        self._counters = counters
        self._token = token
        self._told = BoundedLog(_log)
        self._writer: str | None = None
        self._packed: Send | None = None
        # One that was noted before this run may have been taken.
        self._lost = self._file.state.open is not None
        self._refused: str | None = None
        self._held: str | None = None
        self._waits_for: str | None = None

    @property
    def journal(self) -> str:
        """The journal's id."""
        return self._reader.id

    def standing(self) -> Standing:
        """Return how it stands; from memory, and for any thread."""
        return Standing(self._file.state.done, self._refused, self._held, self._waits_for)

    def next(self) -> Ask | Send | None:
        """Return what to bring to the board, None when there is nothing. The same again until it is answered."""
        if self._writer is None:
            return Ask(self.journal, self._instance)
        if self._packed is None:
            self._packed = self._pack(self._writer)
        return self._packed

    def unanswered(self) -> None:
        """Note that nobody knows what became of what `next` gave: it may have been taken, or may be yet."""
        self._lost = self._lost or self._file.state.open is not None

    def answered(self, answer: Answer) -> None:
        """Go on by a board's answer to what `next` gave."""
        if answer.outcome is Outcome.HELD:
            self._writer = None
            self._held = answer.message
            self._counters.add("shipping.held")
            return
        self._held = None
        under_way = self._file.state.open
        if under_way is not None and under_way.writer != answer.writer:
            self._writer = None
            if self._lost:
                self._wait_for(under_way, answer.writer)
                return
            # It was sent once, and this board says that it has not taken it: nobody has.
            self._note(under_way=None)
            under_way = None
        self._waits_for = None
        state = self._file.state
        noted = state.boards.get(answer.writer) if under_way is None else under_way.cursor
        taken = None if under_way is None else _taken(under_way, answer.cursor)
        if taken is not None:
            self._settle(answer.writer, taken)
        elif answer.cursor != noted and not self._set_back(answer, state):
            self._refuse(_unknown(answer, state))
            return
        if self._refused is not None:
            _log.warning("the board takes what this gateway ships again", extra={"journal": self.journal})
            self._refused = None
        self._writer = answer.writer

    # --- within ----------------------------------------------------------------------------------------------------

    def _pack(self, writer: str) -> Send | None:
        state = self._file.state
        under_way = state.open
        events = MAX_EVENTS if under_way is None else max(under_way.tries[-1].events, 1)
        read = self._reader.read(state.done, events, MAX_BYTES)
        if read is None:
            if under_way is not None:
                # A power cut has cost the journal what was about to be shipped.
                self._note(under_way=None)
            return None
        if under_way is None:
            under_way = Open(writer, state.boards.get(writer), (self._a_try(read),))
            self._lost = False
            self._note(under_way=under_way)
        elif under_way.tries[-1].position != read.next:
            # What was packed in an earlier run is not what is packed now: either may be what the board takes.
            under_way = msgspec.structs.replace(under_way, tries=(*under_way.tries, self._a_try(read)))
            self._note(under_way=under_way)
        if read.missing:
            facts = {"events": read.missing, "hint": "The journal had them and has them no more; they are not counted."}
            self._told.error("missing", "events are missing where the journal goes on", facts)
        shipment = Shipment(
            journal=self.journal,
            instance=self._instance,
            writer=writer,
            cursor=under_way.cursor,
            next=under_way.tries[-1].next,
            bodies=tuple(read.bodies),
            damaged=tuple((each.reason, each.body) for each in read.damaged),
            missing=read.missing,
            waiting=self._reader.waiting(read.next).events,
        )
        return Send(encode_shipment(shipment), len(read.bodies) + len(read.damaged))

    def _a_try(self, read: Read) -> Try:
        noted = json.dumps([*read.next, self._token()], separators=(",", ":"))
        return Try(noted, read.next, len(read.bodies) + len(read.damaged))

    def _settle(self, writer: str, taken: Try) -> None:
        """Go on behind what a board has taken."""
        self._lost = True  # until that is noted, no other board may get it
        self._note(under_way=None, done=taken.position, noted=(writer, taken.next))
        self._lost = False
        self._reader.forget(taken.position)
        self._counters.add("shipped.events", taken.events)

    def _set_back(self, answer: Answer, state: Shipped) -> bool:
        """Go on with a board that was set back to an earlier state; False when it was not."""
        if answer.writer not in state.boards:
            return False
        there = _place(answer.cursor)
        if there is None or there.seq >= state.done.seq:
            return False
        self._counters.add("shipping.set_back")
        lacking = state.done.seq - there.seq
        facts = {"board": answer.writer, "events": lacking}
        if len(state.boards) == 1:
            # All that lies behind its cursor was its alone: what the journal still has of it is shipped once more.
            self._note(under_way=None, done=there, noted=(answer.writer, answer.cursor))
            hint = "It was restored from an older backup. What the journal still has is shipped again; see `missing`."
            _log.error("the board lacks events that it had taken", extra=facts | {"hint": hint})
        else:
            self._note(under_way=None, noted=(answer.writer, answer.cursor))
            self._counters.add("shipping.set_back_events", lacking)
            hint = "It was restored from an older backup. Which of these other boards have taken is not known here."
            _log.error("the board lacks up to so many events that were taken", extra=facts | {"hint": hint})
        return True

    def _wait_for(self, under_way: Open, other: str) -> None:
        self._waits_for = under_way.writer
        self._counters.add("shipping.waits_for_board")
        facts = {
            "board": under_way.writer,
            "answers": other,
            "hint": "It may have the last shipment: bring it back. If it is gone for good, see `tokenboard shipping`.",
        }
        self._told.error("waits_for", "another board answers than the one that may have the last shipment", facts)

    def _refuse(self, reason: str) -> None:
        self._writer = None
        self._refused = reason
        self._counters.add("shipping.refused")
        hint = "Of two folders with one journal, end one gateway and move its journal's folder away before it starts."
        self._told.error("refused", "the board does not take what this gateway ships", {"reason": reason, "hint": hint})

    def _note(
        self, *, under_way: Open | None, done: Position | None = None, noted: tuple[str, str | None] | None = None
    ) -> None:
        state = self._file.state
        boards = state.boards
        if noted is not None:
            writer, cursor = noted
            # The latest last: the oldest are forgotten first.
            boards = {each: what for each, what in boards.items() if each != writer}
            if cursor is not None:
                boards[writer] = cursor
        self._file.write(Shipped(state.journal, state.done if done is None else done, boards, under_way))
        self._packed = None


def _taken(under_way: Open, cursor: str | None) -> Try | None:
    return next((each for each in under_way.tries if each.next == cursor), None)


def _place(cursor: str | None) -> Position | None:
    """Return the place that a board has noted, None when that cannot be understood."""
    if cursor is None:
        return Position()
    try:
        segment, offset, seq, size = (int(each) for each in json.loads(cursor)[:4])
    except (ValueError, TypeError, KeyError):
        return None
    return Position(segment, offset, seq, size)


def _unknown(answer: Answer, state: Shipped) -> str:
    there = _place(answer.cursor)
    has = "a place that cannot be understood" if there is None else f"{there.seq:,} events"
    return (
        f"the board has noted {has} of this journal, and this folder knows of {state.done.seq:,}: another gateway runs "
        "on a copy of this folder, or the folder was set back to an earlier state"
    )
