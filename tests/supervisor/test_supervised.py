"""The child's side of the pipes, and the pace of restarts."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import uvloop

from tokenboard.supervisor import Lifeline, Pace, Status, Supervised
from tokenboard.supervisor.pace import Backoff


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_lifeline_tells_when_it_is_cut_and_when_it_already_was(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    reading, writing = os.pipe()
    lifeline = Lifeline(reading)

    async def watch() -> None:
        loop, cut, again = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        lifeline.watch(loop, cut.set)
        await asyncio.sleep(0)
        assert not lifeline.cut()
        assert not cut.is_set()
        os.close(writing)
        await cut.wait()
        assert lifeline.cut()
        lifeline.watch(loop, again.set)
        await again.wait()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(asyncio.wait_for(watch(), 10))
    os.close(reading)


def test_a_status_is_one_line_and_is_not_told_where_nobody_listens() -> None:
    reading, writing = os.pipe()
    status = Status(writing)
    assert status.ready(url="http://127.0.0.1:1\n")
    assert b'{"ready": true, "url": "http://127.0.0.1:1\\n"}\n' == os.read(reading, 1000)
    os.close(reading)
    assert not status.say({"late": True})
    os.close(writing)


def test_a_status_never_waits_for_its_reader_and_is_whole_or_not_there() -> None:
    reading, writing = os.pipe()
    status = Status(writing)
    facts = {"text": "x" * 3000}
    told = 0
    while status.say(facts):
        told += 1
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        lines = pipe.read().splitlines(keepends=True)
    assert told == len(lines)
    assert {lines[0]} == set(lines)


def test_a_status_too_long_to_arrive_in_one_piece_is_a_fault_of_its_caller() -> None:
    reading, writing = os.pipe()
    with pytest.raises(ValueError, match="longer than"):
        Status(writing).say({"text": "x" * 5000})
    os.close(reading)
    os.close(writing)


def test_a_process_that_nobody_supervises_inherits_nothing() -> None:
    assert Supervised.from_environment({"PATH": "/bin"}) is None


def test_waits_double_to_the_longest_and_begin_anew_after_health() -> None:
    backoff = Backoff(Pace(first_s=0.25, longest_s=30, healthy_s=60))
    assert [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30] == [backoff.after(59.9) for _ in range(9)]
    assert [0.25, 0.5] == [backoff.after(60), backoff.after(0)]


def test_supervising_needs_no_more_than_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import tokenboard.supervisor;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(*sorted(new - sys.stdlib_module_names))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "tokenboard" == told.stdout.strip()
