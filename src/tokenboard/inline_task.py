"""A coroutine that is resumed synchronously, within the call that ends its wait.

    inline task ─▶ runs ─▶ awaits a Pause ─▶ … ─▶ Pause.end() is called ─▶ runs on, within that call ─▶ …

An asyncio task costs an iteration of the event loop, and several calls through it, for each wait. What runs many
thousand times a second, and waits only for callbacks, is an inline task instead. Everything here belongs to one event
loop.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Final


class Pause:
    """A one-shot wait; an inline task or an asyncio task may await it, once.

    `end` may be called before anything waits, and repeatedly; an inline task resumes within that call. ``error``, where
    it was set by then, is raised to who waits.
    """

    __slots__ = ("_ended", "_future", "_task", "error")

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._ended = False
        self._task: InlineTask | None = None
        self._future: asyncio.Future[None] | None = None

    @property
    def ended(self) -> bool:
        """Whether the wait has ended."""
        return self._ended

    def end(self) -> None:
        """Resume the waiter."""
        if self._ended:
            return
        self._ended = True
        task = self._task
        if task is not None:
            self._task = None
            task.step()
        elif self._future is not None and not self._future.done():
            self._future.set_result(None)

    def __await__(self) -> Generator[Any, None, None]:
        if not self._ended:
            task = _now.running
            if task is None:
                self._future = asyncio.get_running_loop().create_future()
                yield from self._future
            else:
                self._task = task
                yield self
        if self.error is not None:
            raise self.error

    def let_go(self) -> None:
        """Forget the inline task that waits."""
        self._task = None


class InlineTask:
    """Runs a coroutine to its end; `current_inline_task` is the one that runs at this moment.

    The coroutine may await a `Pause`, a future, or a task made for what asks for asyncio's current task
    (`asyncio.timeout` does). It cannot be awaited: an exception that escapes it is passed to the event loop.
    ``done`` and ``cancel`` are those of a task.
    """

    __slots__ = ("_coroutine", "_done", "_interruption", "_loop", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, None, None], loop: asyncio.AbstractEventLoop) -> None:
        self._coroutine = coroutine
        self._loop = loop
        self._waits_for: Any = None
        self._interruption: BaseException | None = None
        self._done = False
        _now.under_way += 1

    def done(self) -> bool:
        """Whether the coroutine has ended."""
        return self._done

    @staticmethod
    def runs_alone() -> bool:
        """Whether an inline task runs at this moment, and no other has begun and not ended."""
        return _now.running is not None and _now.under_way == 1

    def step(self, error: BaseException | None = None) -> None:
        """Run to the next wait; with ``error`` the current wait raises it."""
        before = _now.running
        _now.running = self
        self._waits_for = None
        escaped: BaseException | None = None
        waits_for: Any = None
        try:
            waits_for = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
        except StopIteration:
            self._done = True
        except (asyncio.CancelledError, Exception) as failure:
            self._done = True
            escaped = failure
        finally:
            _now.running = before
        if self._done:
            _now.under_way -= 1
            self.ended(escaped)
            return
        if isinstance(waits_for, Pause):
            self._waits_for = waits_for
        elif waits_for is None:  # a task would yield to others
            self._loop.call_soon(self._resume, None)
        else:
            self._waits_for = waits_for
            waits_for.add_done_callback(self._resume)
        if self._interruption is not None:
            self._interrupt()

    def ended(self, error: BaseException | None) -> None:
        """Handle the coroutine's end, and the exception that ended it, if any; subclasses may override it."""
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self._loop.call_exception_handler({"message": "an inline task failed", "exception": error})

    def cancel(self, error: BaseException | None = None) -> None:
        """Make the current wait raise ``error``, or `asyncio.CancelledError`, in the loop's next iteration.

        As with a task, this applies even if the awaited future is done by then: the waiting code must check its result.
        """
        if not self._done and self._interruption is None:
            self._interruption = error or asyncio.CancelledError()
            self._interrupt()

    def _interrupt(self) -> None:
        waits_for = self._waits_for
        if isinstance(waits_for, Pause):
            waits_for.let_go()
            self._loop.call_soon(self._resume, None)
        elif waits_for is not None:
            waits_for.cancel()
        # Otherwise it is running, or about to: `step` and `_resume` check for this.

    def _resume(self, future: "asyncio.Future[Any] | None") -> None:  # noqa: ARG002 - as a future calls it
        error, self._interruption = self._interruption, None
        self.step(error)


class _Now:
    """The inline task that runs, and how many have not ended: of an object, as setting a class's attribute is dear.

    It voids what Python has cached of the class's methods.
    """

    __slots__ = ("running", "under_way")

    def __init__(self) -> None:
        self.running: InlineTask | None = None
        self.under_way = 0


_now: Final = _Now()


def current_inline_task() -> InlineTask | None:
    """Return the inline task that runs at this moment, None within anything else."""
    return _now.running
