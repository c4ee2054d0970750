"""``tokenboard seed``: the demo year in a data folder, once, and from there in the rankings."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.board import BRISK, BoardProcess, running_board, today
from tokenboard.app.folder import DEMO_MARK, DataFolder
from tokenboard.attribution import AppIdentity, canonical_url
from tokenboard.cli.seed import FolderTaken, Mark, continued, read_mark
from tokenboard.demo import HIDDEN, MOVES, DemoYear

ROOT = Path(__file__).parent.parent.parent
SMALL = ("--days", "40", "--density", "0.05")


def seed(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tokenboard", "--data", str(data), "seed", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, date]:
    """Return a folder with a small year, and the year's last day."""
    data = tmp_path_factory.mktemp("demo") / "data"
    until = today() - timedelta(days=1)
    done = seed(data, *SMALL)
    assert done.returncode == 0, done.stderr
    return data, until


@pytest.fixture(scope="module")
def board(seeded: tuple[Path, date]) -> Iterator[BoardProcess]:
    with running_board(seeded[0], module=BRISK) as running:
        running.wait_until_counted()
        yield running


def figures(until: date) -> Counter[str]:
    """Return the tokens by canonical URL that the board must show, computed from the year itself."""
    moved = {canonical_url(old): canonical_url(new) for old, new in MOVES}
    found: Counter[str] = Counter()
    for day in DemoYear(until, days=40, density=0.05).days():
        for facts in day.facts:
            app = facts.attribution.app
            if app and facts.usage.total_tokens:
                found[AppIdentity(moved.get(app.url, app.url), app.title_key).key] += facts.usage.total_tokens
    for url in HIDDEN:
        del found[canonical_url(url)]
    return found


def test_a_seeded_board_shows_exactly_the_year(seeded: tuple[Path, date], board: BoardProcess) -> None:
    data, until = seeded
    assert (data / DEMO_MARK).is_file()
    key = board.make_key()
    listed = json.loads(board.run("apps", "list", "--limit", "100", "--json"))["apps"]
    window = {"start_date": str(until - timedelta(days=39)), "end_date": str(until), "limit": "100"}
    answer = httpx.get(
        f"{board.url}/api/v1/datasets/app-rankings",
        params=window,
        headers={"Authorization": f"Bearer {key}"},
        timeout=10,
    )
    shown = {row["app_id"]: int(row["total_tokens"]) for row in answer.json()["data"]}
    expected = sorted(figures(until).values(), reverse=True)
    assert expected == list(shown.values())
    urls = {app["id"]: app["url"] for app in listed}
    by_url: Counter[str] = Counter()
    for app_key, tokens in figures(until).items():
        by_url[AppIdentity.from_key(app_key).url] += tokens
    shown_by_url: Counter[str] = Counter()
    for app_id, tokens in shown.items():
        shown_by_url[urls[app_id]] += tokens
    assert by_url == shown_by_url


def test_a_second_run_adds_nothing_even_while_a_server_owns_the_folder(
    seeded: tuple[Path, date], board: BoardProcess
) -> None:
    again = seed(seeded[0], *SMALL)
    assert (0, True) == (again.returncode, "nothing was added" in again.stdout)
    assert 0 == board.ready()["spool"]["pending"]


def test_a_damaged_mark_is_named(tmp_path: Path) -> None:
    (tmp_path / DEMO_MARK).write_text("{")
    with pytest.raises(FolderTaken, match=DEMO_MARK):
        read_mark(DataFolder(tmp_path))


def test_an_interrupted_year_is_completed_and_without_its_mark_the_folder_counts_as_taken(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert 0 == seed(data, *SMALL).returncode
    before = totals(data)
    mark = json.loads((data / DEMO_MARK).read_text())
    (data / DEMO_MARK).write_text(json.dumps(mark | {"complete": False}))
    resumed = seed(data, *SMALL)
    assert (0, True) == (resumed.returncode, resumed.stdout.startswith("0 events"))
    assert before == totals(data)
    (data / DEMO_MARK).unlink()
    refused = seed(data, *SMALL)
    assert (1, True) == (refused.returncode, "hint: " in refused.stderr)
    assert not (data / DEMO_MARK).exists()


def test_another_year_or_one_whose_ids_are_forgotten_is_not_gone_on_with() -> None:
    held = Mark(date(2026, 5, 11), seed=1, days=365, density=1.0, begun_ms=0)
    asked = msgspec.structs.replace(held, until=date(2026, 5, 17), begun_ms=7 * 86_400_000 - 1)
    assert held == continued(held, asked, seen_days=7)
    for other in (
        msgspec.structs.replace(asked, seed=2),
        msgspec.structs.replace(asked, days=10),
        msgspec.structs.replace(asked, density=0.5),
        msgspec.structs.replace(asked, begun_ms=7 * 86_400_000),
    ):
        with pytest.raises(FolderTaken, match="part of a"):
            continued(held, other, seen_days=7)


def totals(data: Path) -> Any:
    """Return what every table holds, read in a process of its own: the engine opens one folder per process."""
    command = [sys.executable, "-m", "tests.system.dump_ledger", str(data)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60, cwd=ROOT).stdout)
