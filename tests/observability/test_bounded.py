"""A fault that comes a thousand times is a few lines in the log, and none of it is forgotten."""

import logging

import pytest

from tokenboard.observability import BoundedLog, logger
from tokenboard.observability.bounded import MAX_KINDS


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int]]:
    return [(record.getMessage(), getattr(record, "untold", 0)) for record in caplog.records]


def test_the_first_is_told_at_once_and_the_next_tells_how_many_were_not(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    bounded = BoundedLog(logger("test"), every_s=60, clock=clock)
    for second in range(61):
        clock.now = float(second)
        bounded.warning("kind", "it broke")
    assert [("it broke", 0), ("it broke", 59)] == told(caplog)


def test_kinds_do_not_silence_each_other(caplog: pytest.LogCaptureFixture) -> None:
    bounded = BoundedLog(logger("test"), clock=Clock())
    bounded.warning("one", "first")
    bounded.error("two", "second")
    bounded.warning("one", "first")
    assert [("first", 0), ("second", 0)] == told(caplog)
    assert [logging.WARNING, logging.ERROR] == [record.levelno for record in caplog.records]


def test_any_number_of_kinds_takes_bounded_room_and_lines(caplog: pytest.LogCaptureFixture) -> None:
    bounded = BoundedLog(logger("test"), clock=Clock())
    for number in range(10 * MAX_KINDS):
        bounded.warning(f"kind {number}", "it broke")
    assert MAX_KINDS + 1 == len(caplog.records)


def test_facts_come_with_the_line(caplog: pytest.LogCaptureFixture) -> None:
    BoundedLog(logger("test")).warning("kind", "it broke", {"reason": "why"})
    assert ["why"] == [getattr(record, "reason", None) for record in caplog.records]
