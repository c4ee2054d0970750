import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.events import NOON
from tokenboard.api.usage import MAX_NAMED, _take
from tokenboard.attribution import AttributionOptions
from tokenboard.ingest import Ingest
from tokenboard.intake import Caller
from tokenboard.observability import Counters
from tokenboard.problem import Problem
from tokenboard.spool import Spool


class Board:
    """The parts behind the route, on a spool of the test's own."""

    def __init__(self, folder: Path, max_bytes: int = 10**9) -> None:
        self.spool = Spool(folder, "test", max_bytes=max_bytes, fsync=False, clock_ms=lambda: NOON)
        self.counters = Counters()
        self.ingest = Ingest(self.spool, self.counters, floor=date(2025, 1, 1), clock_ms=lambda: NOON)
        self.options = AttributionOptions()

    def take(self, *events: Any) -> tuple[int, Any]:
        caller = Caller(account_id=1, key_id=2, label="laptop")
        body = b"\n".join(json.dumps(event).encode() for event in events)
        services: Any = self
        try:
            answer = _take(services, caller, body, "")
        except Problem as problem:
            return problem.status, json.loads(problem.body())["error"]
        return answer.status_code, json.loads(bytes(answer.body))["data"]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board(tmp_path)
    yield board
    board.spool.close()


def report(name: str, **given: Any) -> dict[str, Any]:
    return {"id": name, "ts": NOON, "model": "m", "prompt_tokens": 1, "completion_tokens": 2} | given


def test_good_events_are_taken_and_duplicates_told_apart(board: Board) -> None:
    assert (202, {"accepted": 2, "duplicates": 1}) == board.take(report("a"), report("b"), report("a"))
    assert (202, {"accepted": 1, "duplicates": 1}) == board.take(report("b"), report("c"))
    assert 3 == board.spool.state().pending


def test_one_bad_event_and_nothing_is_stored_whoever_finds_it(board: Board) -> None:
    events = [
        report("good"),
        report("no model", model=""),
        report("early", ts=0),
        {"id": "bare"},
        report("negative", prompt_tokens=-1),
        report("also good"),
    ]
    status, error = board.take(*events)
    assert 400 == status
    named = error["metadata"]["events"]
    assert [
        (1, "no model", "model", "empty"),
        (2, "early", "ts", "before_dataset"),
        (3, "bare", "ts", "missing"),
        (4, "negative", "prompt_tokens", "out_of_range"),
    ] == [(bad["index"], bad["id"], bad["field"], bad["reason"]) for bad in named]
    assert 4 == error["metadata"]["bad_events"]
    assert "event 1: model must not be empty" in error["message"]
    assert 0 == board.spool.state().pending
    assert {"refused.before_dataset": 1, "refused.empty": 1, "refused.missing": 1, "refused.out_of_range": 1} == (
        board.counters.read()
    )
    assert (202, {"accepted": 2, "duplicates": 0}) == board.take(events[0], events[-1])


def test_at_most_twenty_bad_events_are_named_and_all_are_counted(board: Board) -> None:
    _, error = board.take(*(report(str(number), model="") for number in range(60)))
    assert list(range(MAX_NAMED)) == [bad["index"] for bad in error["metadata"]["events"]]
    assert (20, 60) == (MAX_NAMED, error["metadata"]["bad_events"])


def test_a_full_spool_answers_503_and_when_to_come_again(tmp_path: Path) -> None:
    board = Board(tmp_path, max_bytes=1)
    try:
        assert 202 == board.take(report("a"))[0]
        services: Any = board
        caller = Caller(account_id=1, key_id=2, label="laptop")
        with pytest.raises(Problem) as caught:
            _take(services, caller, json.dumps(report("b")).encode(), "")
        assert (503, "5") == (caught.value.status, caught.value.headers["Retry-After"])
    finally:
        board.spool.close()
