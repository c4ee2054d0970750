"""The thread that collects the journals of a spool's folder."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Final, NamedTuple

import msgspec

from tokenboard.collector.takeover import Takeover
from tokenboard.durability import SpoolError, Witness
from tokenboard.journal import JournalReader, Position, Read, elsewhere_of, journals_in
from tokenboard.observability import BoundedLog, Counters, logger
from tokenboard.spool import Spool

EVERY_S: Final = 0.05
"""Polling interval in seconds."""

REST_S: Final = 0.2
"""The same where there were events the last time, which mostly means that more come: a transaction costs a few
milliseconds of CPU time, however few events it takes over."""

IDLE_S: Final = 0.25
"""The same once nothing has come for `_IDLE_AFTER_S`: waking a process is what a look costs."""

_IDLE_AFTER_S: Final = 2.0
_FIND_EVERY_S: Final = 0.5
"""How long a new journal may stay unnoticed, in seconds."""

MAX_EVENTS: Final = 10_000
MAX_BYTES: Final = 4 * 1024 * 1024
"""Maximum events and bytes of one transaction: a parcel holds as many, and the drain reads a parcel as a whole."""

_FAILED_S: Final = 1.0
_log = logger("collector")
_encoder = msgspec.json.Encoder()
_positions = msgspec.json.Decoder(tuple[int, int, int, int])


class Uncollected(NamedTuple):
    """Events, and their bytes, that are in journals and not yet in the spool."""

    events: int
    bytes: int


class _Collected(NamedTuple):
    """One journal: events and bytes collected, and those committed when it was last read."""

    events: int
    bytes: int
    committed_events: int
    committed_bytes: int


class Collector:
    """Collects every journal below ``folder`` into ``spool``, on its own thread, from `start` until `stop`.

    A journal that cannot be read is logged at a bounded rate and reported by `faults`; the others go on. New journals
    are found automatically.
    """

    def __init__(self, spool: Spool, folder: Path, *, counters: Counters) -> None:
        self._spool = spool
        self._folder = folder
        self._counters = counters
        self._told = BoundedLog(_log)
        self._takeover = Takeover(spool, counters, self._told)
        self._readers: dict[Path, JournalReader] = {}
        self._cursors: dict[str, Position] = {}
        self._not_before: dict[Path, float] = {}
        self._paths: list[Path] = []
        self._find_at = 0.0
        # How a journal looked before it was read to its end: as long as it looks the same there is nothing new.
        self._seen: dict[Path, bytes] = {}
        # Replaced, never mutated: an event loop reads them without a lock.
        self._collected: Mapping[str, _Collected] = {}
        self._faults: Mapping[str, str] = {}
        self._published: tuple[int, int] | None = None
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="collector", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> bool:
        """Collect what is left and end the thread; False when some of it has to stay in a journal."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.collect()
        return not self._faults and self.uncollected({}).events == 0

    def faults(self) -> Mapping[str, str]:
        """Return what is wrong with the journals that cannot be collected, by their names."""
        return self._faults

    def uncollected(self, committed: Mapping[str, tuple[int, int]]) -> Uncollected:
        """Return what waits in journals, from memory.

        ``committed`` is what gateways report of theirs, by the journal's id: all events and bytes ever committed to it,
        which the collector may not have seen yet.
        """
        events = size = 0
        known = self._collected
        for journal in {*known, *committed}:
            mine = known.get(journal, _NOTHING)
            said = committed.get(journal, (0, 0))
            events += max(max(said[0], mine.committed_events) - mine.events, 0)
            size += max(max(said[1], mine.committed_bytes) - mine.bytes, 0)
        return Uncollected(events, size)

    def look(self) -> Uncollected:
        """Return what waits in journals now, without collecting it. Blocks; raises SpoolError."""
        waiting = [reader.waiting(self._cursor(reader)) for reader in map(JournalReader, journals_in(self._folder))]
        return Uncollected(sum(each.events for each in waiting), sum(each.bytes for each in waiting))

    def collect(self) -> int:
        """Collect what there is now; return how many events. Blocks; one caller at a time."""
        self._seen.clear()
        return self._collect_from(journals_in(self._folder))

    def bodies(self) -> Iterator[bytes]:
        """Yield the encoded events that wait in journals, without collecting them.

        Raises SpoolError.
        """
        for path in journals_in(self._folder):
            reader = JournalReader(path)
            cursor = self._cursor(reader)
            while (read := reader.read(cursor, MAX_EVENTS, MAX_BYTES)) is not None:
                yield from read.bodies
                cursor = read.next

    # --- within ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        last = time.monotonic()
        while not self._stopping.is_set():
            now = time.monotonic()
            if now >= self._find_at:
                self._paths, self._find_at = journals_in(self._folder), now + _FIND_EVERY_S
            taken = self._collect_from(self._paths)
            if taken:
                last = now
            idle = now - last > _IDLE_AFTER_S
            self._stopping.wait(REST_S if taken else IDLE_S if idle else EVERY_S)

    def _collect_from(self, paths: Sequence[Path]) -> int:
        """Collect from these journals, but for those that look as they did when they were last read to the end."""
        taken = 0
        faults = {}
        collected = {}
        for path in paths:
            try:
                if self._not_before.get(path, 0.0) > time.monotonic() and not self._stopping.is_set():
                    raise _StillFailing(self._faults.get(path.name, ""))
                reader = self._reader(path)
                look = reader.glance()
                if look == self._seen.get(path):
                    continue
                taken += self._collect(path, reader)
                collected[reader.id] = self._state_of(reader)
                self._not_before.pop(path, None)
                self._seen[path] = look
            except _StillFailing as still:
                faults[path.name] = still.reason
            except SpoolError as error:
                faults[path.name] = str(error)
                self._failed(path, error)
            except Exception as error:
                faults[path.name] = f"{type(error).__name__}: {error}"[:300]
                self._failed(path, error)
        self._collected = {**self._collected, **collected}
        self._faults = faults
        self._publish_room()
        return taken

    def _reader(self, path: Path) -> JournalReader:
        reader = self._readers.get(path)
        if reader is None:
            reader = self._readers[path] = JournalReader(path)
        return reader

    def _cursor(self, reader: JournalReader) -> Position:
        cursor = self._cursors.get(reader.id)
        if cursor is None:
            noted = self._spool.cursor(reader.id)
            cursor = self._cursors[reader.id] = Position() if noted is None else Position(*_positions.decode(noted))
        return cursor

    def _collect(self, path: Path, reader: JournalReader) -> int:
        cursor, taken = self._cursor(reader), 0
        while (read := reader.read(cursor, MAX_EVENTS, MAX_BYTES)) is not None:
            self._take(path, reader, cursor, read)
            taken += len(read.bodies)
            cursor = read.next
        return taken

    def _take(self, path: Path, reader: JournalReader, cursor: Position, read: Read) -> None:
        self._cursors.pop(reader.id)  # committed: the spool has it, whatever happens next
        self._takeover.take(
            path.name,
            reader.id,
            after=None if cursor == Position() else _noted(cursor),
            cursor=_noted(read.next),
            bodies=read.bodies,
            damaged=[(each.reason, each.body) for each in read.damaged],
            missing=read.missing,
        )
        self._cursors[reader.id] = read.next
        reader.forget(read.next)

    def _state_of(self, reader: JournalReader) -> _Collected:
        cursor = self._cursor(reader)
        waiting = reader.waiting(cursor)
        return _Collected(cursor.seq, cursor.bytes, cursor.seq + waiting.events, cursor.bytes + waiting.bytes)

    def _failed(self, path: Path, error: Exception) -> None:
        self._readers.pop(path, None)
        self._seen.pop(path, None)
        self._find_at = 0.0  # it may have been removed
        self._not_before[path] = time.monotonic() + _FAILED_S
        self._counters.add("collect_failures")
        facts = {"journal": path.name, "reason": str(error)[:300], "hint": getattr(error, "hint", "")}
        self._told.error(path.name, "a gateway's journal cannot be collected; what it holds stays there", facts)

    def _publish_room(self) -> None:
        """Tell the gateways how much waits in the board's spool, and the spool how much waits in journals."""
        waiting = self.uncollected({})
        self._spool.note_elsewhere(waiting.bytes)
        state = self._spool.state()
        held = (state.pending, state.bytes)
        if held == self._published:
            return
        try:
            told = Witness(elsewhere_of(self._folder), self._spool.id, fsync=False)
            try:
                told.write(*held)
            finally:
                told.close()
            self._published = held
        except OSError as error:
            self._told.warning("room", "gateways cannot be told how full the spool is", {"reason": str(error)})


class _StillFailing(Exception):
    """It failed a moment ago."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_NOTHING: Final = _Collected(0, 0, 0, 0)


def _noted(position: Position) -> str:
    return _encoder.encode(tuple(position)).decode()
