"""The writing side: a thread that appends everything waiting after the last record, in one write."""

import asyncio
import fcntl
import os
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from threading import Thread
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
from tokenboard.journal.frames import Header, encode_records
from tokenboard.journal.mending import accept_folder
from tokenboard.journal.position import Held
from tokenboard.journal.recovery import End, find_end, said_of
from tokenboard.journal.segment import Before, Segment
from tokenboard.journal.segments import (
    collected_of,
    damaged,
    numbers_in,
    read_identity,
    sync_folder,
    witness_of,
    write_identity,
)
from tokenboard.observability import logger

SEGMENT_BYTES: Final = 8 * 1024 * 1024
"""Size in bytes at which a new segment is begun."""

MAX_BODY: Final = 64 * 1024 * 1024
"""Maximum size of one record in bytes."""

_WRITING: Final = "writing"
_log = logger("journal")


class JournalWriter:
    """Writes the journal in ``folder``, which is made when there is none; one process at a time.

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
        with ExitStack() as opened:
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._lock = lock_folder(folder)
                opened.callback(os.close, self._lock)
                self.id = _open_identity(folder)
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
        if self._segment is not None:
            self._segment.leave()
        self._witness.close()
        os.close(self._lock)

    # --- the committer's thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._probe()
        more = True
        while more:
            group, more = self._handover.gather(self._probing.until_probe())
            if group:
                self._commit(group)
            elif more:
                self._probe()

    def _commit(self, group: list[Append]) -> None:
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
            tell(group, partial(_failure, error))
        else:
            segment.end = end
            self._last, self._bytes = last, size
            self._worked()
            tell(group)

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


def lock_folder(folder: Path) -> int:
    """Return an open file whose lock says that the folder has a writer; closing it lets go.

    Raises OSError, and SpoolUnavailable when another process has it.
    """
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(file, 20).decode("ascii", "replace").strip()
            raise SpoolUnavailable(
                f"the journal {folder} is open in process {owner or '(not known)'}", "End that process first."
            ) from None
        with suppress(OSError):  # a full disk: the lock holds all the same
            os.pwrite(file, b"%-20d\n" % os.getpid(), 0)
    except BaseException:
        os.close(file)
        raise
    return file


def _open_identity(folder: Path) -> str:
    journal = read_identity(folder)
    if journal is None:
        if numbers_in(folder) or witness_of(folder).exists():
            raise damaged(f"the journal {folder} has lost its journal.json")
        journal = uuid.uuid4().hex
        write_identity(folder, journal)
        sync_folder(folder.parent)
    return journal


def _failure(error: Exception) -> SpoolUnavailable:
    """Return what one caller is told: an error of its own, as raising it adds to it."""
    hint = hint_for_system(error) if isinstance(error, OSError) else None
    failure = SpoolUnavailable(f"cannot write the journal: {error}", hint)
    failure.__cause__ = error
    return failure
