"""The writing side: a thread that appends everything waiting after the last record, in one write."""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from typing import Final

from tokenboard.durability import (
    Append,
    Handover,
    Health,
    Probing,
    SpoolFault,
    SpoolUnavailable,
    Witness,
    hint_for_system,
    tell,
)
from tokenboard.inline_task import InlineTask
from tokenboard.journal.frames import Header, encode_records
from tokenboard.journal.mending import accept_folder
from tokenboard.journal.position import Held
from tokenboard.journal.recovery import End, find_end, said_of
from tokenboard.journal.segment import Before, Segment
from tokenboard.journal.segments import (
    collected_of,
    lock_folder,
    open_identity,
    witness_of,
)
from tokenboard.observability import logger

SEGMENT_BYTES: Final = 8 * 1024 * 1024
"""Size in bytes at which a new segment is begun."""

MAX_BODY: Final = 64 * 1024 * 1024
"""Maximum size of one record in bytes."""

BLOCKS_AT_MOST_S: Final = 0.0005
"""An event loop does not wait for a disk that took longer over any of the last `QUICK_COMMITS`."""

QUICK_COMMITS: Final = 16
"""Of a disk that is quick and slow by turns, few commits come after so many quick ones."""

_WRITING: Final = "writing"
_log = logger("journal")


class JournalWriter:
    """Writes the journal in ``folder``, which is made when there is none; one process at a time.

    A thread commits everything waiting in one write. The record of an inline task that is the only one under way is
    committed by the call that appends it: waking the thread and being woken by it takes longer than most disks do, and
    nobody else waits for the loop meanwhile. Not while the disk is slow, nor when more than a write and a sync is due.

    ``clock_ms`` returns wall-clock epoch ms, by which segments are numbered. The journal also opens on a full disk: it
    is then unsound until there is room.

    Raises:
        SpoolDamaged: when it is opened, and something acknowledged is not there.
        SpoolUnavailable: when it is opened, and cannot be read, or another process has it open.

    """

    def __init__(
        self,
        folder: Path,
        *,
        fsync: bool,
        clock_ms: Callable[[], int],
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._folder = folder
        self._fsync = fsync
        self._clock_ms = clock_ms
        self._segment_bytes = segment_bytes
        self._health = Health(clock_ms)
        self._probing = Probing()
        self._handover: Handover[Append] = Handover()
        self._segment: Segment | None = None
        self._closed = False
        self._quick = 0  # commits since the last slow one
        # Held while a group is committed, by the thread or by the loop; the loop never waits for it.
        self._turn = Lock()
        with ExitStack() as opened:
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._lock = lock_folder(folder)
                opened.callback(os.close, self._lock)
                self.id = open_identity(folder)
                end = find_end(folder, self.id)
                self._witness = Witness(witness_of(folder), self.id, fsync=fsync)
                opened.callback(self._witness.close)
                if end == End():
                    self._witness.write(0, 0)
                    self._witness.sync()
                # The reader's file, made now: later there may be no room for it, and only the reader frees room.
                Witness(collected_of(folder), self.id, fsync=fsync).close()
            except OSError as error:
                raise SpoolUnavailable(f"cannot open the journal {folder}: {error}", hint_for_system(error)) from error
            opened.pop_all()
        self._last, self._bytes = end.first - 1, end.bytes
        self._before = Before(end.previous, end.previous_end)
        self._newest = end.newest
        self._collected = end.floor
        with suppress(OSError):  # it is read again and again
            self.refresh()
        self._committer = Thread(target=self._run, name=f"journal-{folder.name}", daemon=True)
        self._committer.start()

    @staticmethod
    def accept(folder: Path) -> Path | None:
        """Repair a journal that was refused as damaged, keeping what is left; no writer may have it open.

        Returns where the files that had to be changed are kept as they were, None when none had to.

        Raises:
            SpoolUnavailable: it cannot be written, or another process has it open.

        """
        try:
            lock = lock_folder(folder)
            try:
                return accept_folder(folder)
            finally:
                os.close(lock)
        except OSError as error:
            raise SpoolUnavailable(f"cannot change the journal {folder}: {error}", hint_for_system(error)) from error

    @property
    def sound(self) -> bool:
        """Whether it can be written, as far as the last attempts tell."""
        return self._health.sound

    def fault(self) -> SpoolFault | None:
        """Return why it cannot be written, None as long as it can."""
        return self._health.fault()

    def append(self, body: bytes) -> Append:
        """Queue one record from a running event loop; awaiting it there waits until the record is committed.

        Awaiting raises SpoolUnavailable when it could not be written. Never refuses for lack of room: usage of an
        answer already begun must not be lost. Check `held` before starting new work.

        Raises:
            ValueError: it is longer than a record may be.
            SpoolError: the journal is closed.

        """
        if len(body) > MAX_BODY:
            raise ValueError(f"a record has at most {MAX_BODY:,} bytes, this one {len(body):,}")
        loop = asyncio.get_running_loop()
        append = Append(loop, body)
        if not (InlineTask.runs_alone() and self._commit_at_once(append)):
            self._handover.give_with_turn(loop, append)
        return append

    def committed(self) -> Held:
        """Return all events and bytes that were ever committed."""
        return Held(self._last, self._bytes)

    def held(self) -> Held:
        """Return what is committed and was not collected when `refresh` was last called; from memory."""
        seq, size = self._collected
        return Held(max(self._last - seq, 0), max(self._bytes - size, 0))

    def refresh(self) -> None:
        """Read again what the reader has collected; reads a small file, so not for an event loop. Raises OSError."""
        said = said_of(collected_of(self._folder), self.id)
        if said is not None:
            self._collected = said.extent

    def close(self) -> None:
        """Commit what is waiting and release the folder."""
        if self._closed:
            return
        self._closed = True
        self._handover.close()
        self._committer.join()
        with self._turn:
            if self._segment is not None:
                self._segment.leave()
            self._witness.close()
            os.close(self._lock)

    # --- the committer's thread, and the loop ----------------------------------------------------------------------

    def _run(self) -> None:
        with self._turn:
            self._probe()
        more = True
        while more:
            group, more = self._handover.gather(self._probing.until_probe())
            failure: Callable[[], Exception] | None = None
            with self._turn:
                if group:
                    failure = self._commit(group)
                elif more and self._probing.due:
                    self._probe()
            tell(group, failure)

    def _commit_at_once(self, append: Append) -> bool:
        """Commit one record on the loop's own thread; return whether that was done, well or not."""
        if self._quick < QUICK_COMMITS or not self._turn.acquire(blocking=False):
            return False
        try:
            segment = self._segment
            if self._closed or segment is None or segment.end >= self._segment_bytes or not segment.takes(append.body):
                return False
            failure = self._commit([append])
        finally:
            self._turn.release()
        if failure is not None:
            append.error = failure()
            self._handover.wake()  # the thread shall look when to probe
        append.end()
        return True

    def _commit(self, group: list[Append]) -> Callable[[], Exception] | None:
        """Commit a group; return what makes an error for each of it, None when all is well. Its turn must be held."""
        begun = time.monotonic()
        try:
            bodies = [append.body for append in group]
            last, size = self._last + len(bodies), self._bytes + sum(map(len, bodies))
            segment = self._writable()
            end = segment.write(encode_records(self._last + 1, bodies))
            # Only now may the reader see them, and callers be told.
            self._witness.write(last, size)
        except Exception as error:
            # Noted before callers are told, so that none of them starts new work.
            self._failed(error)
            return partial(_failure, error)
        segment.end = end
        self._last, self._bytes = last, size
        self._quick = self._quick + 1 if time.monotonic() - begun <= BLOCKS_AT_MOST_S else 0
        self._worked()
        return None

    def _writable(self) -> Segment:
        """Return the segment to write to, begun when there is none or it has its size. Raises OSError."""
        segment = self._segment
        if segment is not None and segment.removed:
            facts = {"journal": self._folder.name, "hint": "What the board had not collected of it is lost."}
            _log.error("the journal's segment was removed while it was written; another one is begun", extra=facts)
        elif segment is not None and segment.end < self._segment_bytes:
            return segment
        before = self._before
        if segment is not None:
            segment.finish()
            before = segment.before
        # A number is not reused, should the segment be left behind.
        self._newest = max(self._newest + 1, self._clock_ms())
        header = Header(self.id, self._newest, *before, self._last + 1, self._bytes)
        begun = Segment(self._folder, header, fsync=self._fsync)
        if segment is not None:
            segment.leave()
        self._segment = begun
        # Not at the start already: what a power cut has lost is settled by the segment that says so, and until then the
        # witness's older word is what a next start has to judge by.
        self._witness.write(self._last, self._bytes)
        return begun

    def _probe(self) -> None:
        """Try to begin a segment, which writes more than a commit does."""
        try:
            self._writable()
        except Exception as error:
            self._probing.put_off()
            self._failed(error)
        else:
            self._worked()

    def _failed(self, error: Exception) -> None:
        if self._segment is not None:
            # How much of it is on disk is unknown, and the page cache cannot be trusted: the next one
            # begins where this one's committed records end.
            self._before = self._segment.before
            self._segment.leave()
            self._segment = None
        self._probing.failed()
        hint = hint_for_system(error) if isinstance(error, OSError) else None
        self._health.fails(_WRITING, "written", error, hint)

    def _worked(self) -> None:
        if self._probing.failing:
            self._probing.worked()
            self._health.works(_WRITING)


def _failure(error: Exception) -> SpoolUnavailable:
    """Return what one caller is told: an error of its own, as raising it adds to it."""
    hint = hint_for_system(error) if isinstance(error, OSError) else None
    failure = SpoolUnavailable(f"cannot write the journal: {error}", hint)
    failure.__cause__ = error
    return failure
