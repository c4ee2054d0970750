"""Errands: carried on by whoever ends their wait, cancelled as a task is."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from tokenboard.inline_task import InlineTask, Pause, current_inline_task

Log = list[Any]


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> list[dict[str, Any]]:
    """Run a test on uvloop; return what reached the loop's exception handler."""
    told: list[dict[str, Any]] = []

    async def guarded() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        async with asyncio.timeout(10):
            await main()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(guarded())
    return told


def begin(coroutine: Coroutine[Any, Any, None]) -> InlineTask:
    task = InlineTask(coroutine, asyncio.get_running_loop())
    task.step()
    return task


async def waiting(what: Awaitable[Any], log: Log) -> None:
    """Wait for it, and note how that ended."""
    try:
        log.append(await what)
    except BaseException as error:
        log.append(type(error))
        raise


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_an_inline_task_goes_on_within_the_call_that_ends_its_wait() -> None:
    async def main() -> None:
        pause, log = Pause(), Log()
        task = begin(waiting(pause, log))
        assert ([], False) == (log, task.done())
        pause.end()
        assert ([None], True) == (log, task.done())
        pause.end()

    assert [] == run(main)


def test_a_pause_that_has_ended_is_not_waited_for() -> None:
    async def main() -> None:
        pause, log = Pause(), Log()
        pause.end()
        assert begin(waiting(pause, log)).done()
        await pause

    assert [] == run(main)


def test_a_task_may_wait_for_a_pause_too() -> None:
    async def main() -> None:
        pause = Pause()
        task = asyncio.create_task(waiting(pause, []))
        await turns()
        pause.end()
        await task
        left = Pause()
        task = asyncio.create_task(waiting(left, []))
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        left.end()

    assert [] == run(main)


def test_an_inline_task_waits_for_futures_tasks_and_its_turn() -> None:
    async def main() -> None:
        log: Log = []
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def both() -> None:
            log.append(await future)
            log.append(await asyncio.get_running_loop().create_task(asyncio.sleep(0, "slept")))
            await asyncio.sleep(0)
            log.append("turned")

        task = begin(both())
        future.set_result("told")
        await turns(10)
        assert task.done()
        assert ["told", "slept", "turned"] == log

    assert [] == run(main)


def test_one_task_may_carry_on_another_and_goes_on_itself() -> None:
    async def main() -> None:
        log: Log = []
        first, second = Pause(), Pause()
        inner: InlineTask

        async def ending() -> None:
            await first
            second.end()
            log.append(("still", current_inline_task() is outer))

        inner = begin(waiting(second, log))
        outer = begin(ending())
        first.end()
        assert [None, ("still", True)] == log
        assert (True, True, None) == (inner.done(), outer.done(), current_inline_task())

    assert [] == run(main)


@pytest.mark.parametrize("error", [None, ValueError("mine")])
def test_what_a_cancelled_task_waits_for_ends_in_the_error_and_not_before_the_next_turn(
    error: Exception | None,
) -> None:
    async def main() -> None:
        kind = asyncio.CancelledError if error is None else type(error)
        for wait in (Pause(), asyncio.get_running_loop().create_future()):
            log: Log = []
            task = begin(waiting(wait, log))
            task.cancel(error)
            task.cancel()
            assert [] == log
            await turns()
            assert ([kind], True) == (log, task.done())

    assert (0 if error is None else 2) == len(run(main))


def test_nothing_carries_a_cancelled_task_on_in_between() -> None:
    async def main() -> None:
        pause, log = Pause(), Log()
        task = begin(waiting(pause, log))
        task.cancel()
        pause.end()
        assert [] == log
        await turns()
        assert [asyncio.CancelledError] == log
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = begin(waiting(future, log))
        future.set_result(None)
        task.cancel()
        await turns()
        assert [asyncio.CancelledError] * 2 == log

    assert [] == run(main)


def test_an_inline_task_that_is_cancelled_while_it_runs_or_before_ends_at_its_next_wait() -> None:
    async def main() -> None:
        log: Log = []

        async def itself() -> None:
            running = current_inline_task()
            assert running is not None
            running.cancel()
            log.append("goes on")
            await waiting(Pause(), log)

        task = begin(itself())
        await turns()
        assert (["goes on", asyncio.CancelledError], True) == (log, task.done())
        task = InlineTask(waiting(Pause(), log), asyncio.get_running_loop())
        task.cancel()
        task.step()
        await turns()
        assert ([asyncio.CancelledError] * 2, True) == (log[1:], task.done())

    assert [] == run(main)


def test_an_inline_task_may_outlive_its_cancellation_once() -> None:
    async def main() -> None:
        log: Log = []

        async def stubborn() -> None:
            try:
                await Pause()
            except asyncio.CancelledError:
                await waiting(last, log)

        last = Pause()
        task = begin(stubborn())
        task.cancel()
        await turns()
        assert not task.done()
        last.end()
        assert ([None], True) == (log, task.done())

    assert [] == run(main)


def test_what_escapes_an_inline_task_is_told_to_the_loop() -> None:
    async def main() -> None:
        async def failing() -> None:
            raise ValueError("mine")

        assert begin(failing()).done()

    (told,) = run(main)
    assert ("an inline task failed", "mine") == (told["message"], str(told["exception"]))


def test_an_inline_task_is_alone_until_another_has_begun_and_again_once_it_has_ended() -> None:
    alone: list[bool] = []

    async def main() -> None:
        first, second = Pause(), Pause()

        async def look(pause: Pause) -> None:
            alone.append(InlineTask.runs_alone())
            await pause
            alone.append(InlineTask.runs_alone())

        begin(look(first))
        alone.append(InlineTask.runs_alone())  # no inline task runs here
        begin(look(second))
        first.end()
        second.end()

    assert [] == run(main)
    assert [True, False, False, False, True] == alone
