"""Feeding a board through its front door, and reading its rankings."""

import itertools
from datetime import date
from typing import Any

import httpx

from tests.board import BoardProcess, wait_for

_numbers = itertools.count(1)


def event(
    day: date, referer: str | None, tokens: int, *, requests: int = 1, title: str | None = None, categories: str = ""
) -> list[dict[str, Any]]:
    """Return the events of one app on one day: ``tokens`` in all, over ``requests`` requests."""
    share = [tokens - tokens // requests * (requests - 1)] + [tokens // requests] * (requests - 1)
    return [
        {
            "id": f"event-{next(_numbers)}",
            "ts": f"{day}T12:00:00Z",
            "referer": referer,
            "title": title,
            "categories": categories,
            "model": "openai/gpt-test",
            "prompt_tokens": part - part // 3,
            "completion_tokens": part // 3,
        }
        for part in share
    ]


def feed(client: httpx.Client, board: BoardProcess, events: list[dict[str, Any]]) -> None:
    """Send events and return once they are in the rankings."""
    for start in range(0, len(events), 10_000):
        answer = client.post("/api/v1/usage", json=events[start : start + 10_000])
        assert answer.status_code == 202, answer.text
    board.wait_until_counted()


def rankings(client: httpx.Client, **parameters: Any) -> list[tuple[str, int, int, int]]:
    """Return the rows of a ranking as (name, rank, tokens, requests)."""
    answer = client.get("/api/v1/datasets/app-rankings", params=parameters)
    assert answer.status_code == 200, answer.text
    return [
        (row["app_name"], row["rank"], int(row["total_tokens"]), row["total_requests"]) for row in answer.json()["data"]
    ]


def eventually(expected: Any, ask: Any, timeout_s: float = 5.0) -> None:
    """Pass as soon as ``ask()`` gives ``expected``; show the last answer when it never does."""
    last: list[Any] = [None]

    def same() -> bool:
        last[0] = ask()
        return bool(last[0] == expected)

    wait_for(same, timeout_s, lambda: f"expected {expected}, last got {last[0]}")
