"""The ranking worked by hand, through the front doors: events in by POST /usage, ranks out by the Data API."""

from collections.abc import Iterator
from datetime import date
from itertools import chain

import httpx
import pytest

from tests.board import BoardProcess, running_board
from tests.system.feed import event, feed, rankings

MARCH = [date(2026, 3, day) for day in (1, 2, 3, 4)]
TOKENS = {
    "A": (10, 20, 30, 61),
    "B": (40, 40, 40, 40),
    "C": (0, 7, 7, 7),
    "D": (0, 0, 5, 5),
    "E": (500, 500, 500, 500),
}
CATEGORIES = {"A": "cli-agent", "B": "cli-agent", "C": "roleplay,game"}
LAST = {"start_date": "2026-03-04", "end_date": "2026-03-04"}


def url(name: str) -> str:
    return f"https://{name.lower()}.example"


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BoardProcess, httpx.Client]]:
    with running_board(tmp_path_factory.mktemp("worked") / "data", module="tests.brisk") as board:
        headers = {"Authorization": f"Bearer {board.make_key()}"}
        with httpx.Client(base_url=board.url, headers=headers, timeout=30) as client:
            # One event each, in this order, gives the apps ascending ids.
            born = [
                event(date(2026, 1, 1), url(name), 0, title=name, categories=CATEGORIES.get(name, ""))
                for name in TOKENS
            ]
            used = [
                event(day, url(name), tokens, requests=2 if (name, day) == ("C", MARCH[3]) else 1)
                for name, series in TOKENS.items()
                for day, tokens in zip(MARCH, series, strict=True)
                if tokens
            ]
            feed(client, board, [*chain.from_iterable(born), *chain.from_iterable(used)])
            board.run("apps", "merge", "d.example", "b.example")
            board.run("apps", "hide", "https://e.example/")
            yield board, client


def test_popular_counts_an_alias_for_its_canonical_app_and_leaves_hidden_apps_out(
    worked: tuple[BoardProcess, httpx.Client],
) -> None:
    assert [("A", 1, 61, 1), ("B", 2, 45, 2), ("C", 3, 7, 2)] == rankings(worked[1], **LAST)


def test_trending_goes_by_excess_over_the_three_windows_before(worked: tuple[BoardProcess, httpx.Client]) -> None:
    rows = rankings(worked[1], sort="trending", **LAST)
    assert [("A", 1, 61, 1), ("B", 2, 45, 2), ("C", 3, 7, 2)] == rows


def test_a_category_filters_before_ranks_are_given(worked: tuple[BoardProcess, httpx.Client]) -> None:
    assert [("C", 1, 7, 2)] == rankings(worked[1], category="entertainment", **LAST)


def test_a_subcategory_outside_its_group_is_refused(worked: tuple[BoardProcess, httpx.Client]) -> None:
    parameters = {"category": "entertainment", "subcategory": "cli-agent", **LAST}
    answer = worked[1].get("/api/v1/datasets/app-rankings", params=parameters)
    assert (400, 400) == (answer.status_code, answer.json()["error"]["code"])


def test_ranks_stay_absolute_under_an_offset(worked: tuple[BoardProcess, httpx.Client]) -> None:
    assert [("B", 2, 45, 2), ("C", 3, 7, 2)] == rankings(worked[1], offset=1, **LAST)


@pytest.mark.parametrize("sort", ["popular", "trending"])
def test_a_window_of_two_days(worked: tuple[BoardProcess, httpx.Client], sort: str) -> None:
    rows = rankings(worked[1], sort=sort, start_date="2026-03-03", end_date="2026-03-04")
    assert [("A", 1, 91, 2), ("B", 2, 90, 4), ("C", 3, 14, 3)] == rows


def test_unmerging_hiding_and_publishing_are_in_force_at_once_on_the_whole_history(
    worked: tuple[BoardProcess, httpx.Client],
) -> None:
    board, client = worked
    board.run("apps", "unmerge", "d.example")
    assert [("A", 1, 61, 1), ("B", 2, 40, 1), ("C", 3, 7, 2), ("D", 4, 5, 1)] == rankings(client, **LAST)
    board.run("apps", "hide", "a.example")
    assert [("B", 1, 40, 1), ("C", 2, 7, 2), ("D", 3, 5, 1)] == rankings(client, **LAST)
    board.run("apps", "publish", "a.example")
    board.run("apps", "merge", "d.example", "b.example")
    assert [("A", 1, 61, 1), ("B", 2, 45, 2), ("C", 3, 7, 2)] == rankings(client, **LAST)


def test_a_late_event_of_last_year_shows_at_once(worked: tuple[BoardProcess, httpx.Client]) -> None:
    board, client = worked
    feed(client, board, event(date(2025, 6, 1), url("A"), 1234))
    assert [("A", 1, 1234, 1)] == rankings(client, start_date="2025-06-01", end_date="2025-06-01")


def test_a_restart_changes_no_figure(worked: tuple[BoardProcess, httpx.Client]) -> None:
    board, client = worked
    before = rankings(client, **LAST)
    assert 0 == board.stop()
    board.start()
    board.wait_until_counted()
    assert before == rankings(client, **LAST)
