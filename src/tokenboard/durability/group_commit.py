"""Group commit: the entries that arrive while one group is being written form the next one.

Waking a thread, or an event loop from a thread, is the expensive part of an append. So the entries of one iteration of
a loop are handed over together at its end, and all waiters of a group are resolved by one wake-up of their loop.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Generic, TypeVar

from tokenboard.durability.errors import SpoolError
from tokenboard.inline_task import Pause

MAX_GROUP = 2_000
"""Maximum entries of a group: bounds how long the first waits for the last."""

Entry = TypeVar("Entry")


class Append(Pause):
    """One body on its way to the disk.

    Awaiting it, once, waits for its commit, and raises the error that prevented that.
    """

    __slots__ = ("body", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, body: bytes) -> None:
        super().__init__()
        self.loop = loop
        self.body = body


class Handover(Generic[Entry]):
    """Passes entries from any thread to the committing thread, in order."""

    def __init__(self) -> None:
        self._turns: dict[asyncio.AbstractEventLoop, list[Entry]] = {}
        # Only callers take this lock: an event loop must never wait for the committing thread, which may hold a lock
        # while it waits for the GIL.
        self._door = Lock()
        self._handed: SimpleQueue[list[Entry] | None] = SimpleQueue()
        self._closed = False

    def give(self, entry: Entry) -> None:
        """Hand over an entry at once, from any thread.

        Raises:
            SpoolError: it is closed.

        """
        with self._door:
            self._check_open()
            self._handed.put([entry])

    def give_with_turn(self, loop: asyncio.AbstractEventLoop, entry: Entry) -> None:
        """Hand over an entry together with all others of this iteration of the running loop.

        Raises:
            SpoolError: it is closed.

        """
        with self._door:
            self._check_open()
            turn = self._turns.get(loop)
            if turn is None:
                self._turns[loop] = [entry]
                loop.call_soon(self._end_turn, loop)
            else:
                turn.append(entry)

    def wake(self) -> None:
        """Let `gather` return at once, with nothing if there is nothing; from any thread."""
        self._handed.put([])

    def close(self) -> None:
        """Accept no more; entries already appended are still handed over, followed by the end marker."""
        with self._door:
            if not self._closed:
                self._closed = True
                while self._turns:
                    self._handed.put(self._turns.popitem()[1])
                self._handed.put(None)

    def gather(self, timeout_s: float | None) -> tuple[list[Entry], bool]:
        """Wait for entries; return those queued by then, and whether more may come.

        None after ``timeout_s`` seconds. For the committing thread only.
        """
        group: list[Entry] = []
        try:
            handed = self._handed.get(timeout=timeout_s)
        except Empty:
            return group, True
        while handed is not None:
            group += handed
            # This is the only consumer: a queue that is not empty now is not empty on the next line.
            if len(group) >= MAX_GROUP or self._handed.empty():
                return group, True
            handed = self._handed.get_nowait()
        return group, False

    def _check_open(self) -> None:
        if self._closed:
            raise SpoolError("the spool is closed")

    def _end_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._door:
            # Empty when it was closed in this same iteration, which handed it over.
            turn = self._turns.pop(loop, None)
            if turn is not None:
                self._handed.put(turn)


def tell(appends: Sequence[Append], failure: Callable[[], Exception] | None = None) -> None:
    """Resolve the appends; with ``failure`` each fails with an error that it makes."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Append]] = {}
    for append in appends:
        by_loop.setdefault(append.loop, []).append(append)
    for loop, theirs in by_loop.items():
        # A closed loop has no waiters left.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_go_on, theirs, failure)


def _go_on(appends: list[Append], failure: Callable[[], Exception] | None) -> None:
    for append in appends:
        append.error = None if failure is None else failure()
        append.end()
