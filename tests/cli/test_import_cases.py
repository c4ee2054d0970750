"""Files as real writers make them (tests/cases/files): what is taken, with its figures; what is refused, and why."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.board import BRISK, BoardProcess
from tests.cli.conftest import Run

CASES = Path(__file__).parent.parent / "cases" / "files"
DAY = "2026-11-20"

TAKEN = {
    "c08-trailing-empty-rows.csv": ("https://c08.imp.example", 3, "336"),
    "c35-pandas.csv": ("https://c35.imp.example", 3, "336"),
    "p27-pandas.parquet": ("https://p27-pandas.imp.example", 3, "336"),
    "n13-float-tokens.ndjson": ("https://n13.imp.example", 3, "333"),
    "p02-decimal-tokens.parquet": ("https://p02-decimal-tokens.imp.example", 3, "336"),
    "p32-duckdb-sum.parquet": ("https://p32-duckdb-sum.imp.example", 3, "336"),
    "p09-binary-strings.parquet": ("https://p09-binary-strings.imp.example", 3, "336"),
    "n10-surrogate.ndjson": ("https://su.example", 2, "4"),
    "r20-litellm-spendlogs.csv": ("https://cline.bot", 1, "30"),
}
REFUSED = {
    "c15-underscore.csv": "line 2, prompt_tokens: `1_234` is not a number",
    "c20-dupe-head.csv": "the column id is there twice",
    "r09-dup-column.parquet": "the column prompt_tokens is there twice",
    "r04-ts-s-of-ms.parquet": "row 1, ts: the time is out of range, beyond the years 1 to 9999",
    "r22-cut-in-number.csv.zst": "it is cut short",
    "z12-cut-at-block.ndjson.zst": "it is cut short",
    "s01-invalid-block.ndjson.gz": "invalid block type",
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A board of this module's own, so that its figures are those of the files alone."""
    board = BoardProcess(tmp_path_factory.mktemp("files"), module=BRISK).start()
    try:
        yield board
    finally:
        board.stop()


def ask(board: BoardProcess, key: str, path: str, **query: Any) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.get(f"{board.url}/api/v1{path}", params=query, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_case_is_here() -> None:
    others = {"r21-openrouter-activity.csv"}
    assert {file.name for file in CASES.iterdir()} == {*TAKEN, *REFUSED, *others}


def test_files_of_real_writers_are_taken_with_their_figures(run: Run, empty: BoardProcess) -> None:
    key = run("--data", empty.data, "keys", "create", "--label", "x", "--scopes", "data", "--json").json["key"]
    for name, (_, count, _) in TAKEN.items():
        assert [[f"{count} {'event' if count == 1 else 'events'} taken, 0 had been before"]] == run(
            "--data", empty.data, "import", CASES / name
        ).rows
    activity = CASES / "r21-openrouter-activity.csv"
    assert [["1 event taken, 0 had been before"]] == run("--data", empty.data, "import", activity).rows
    empty.wait_until_counted()

    window = {"start_date": DAY, "end_date": "2026-11-24"}
    rows = ask(empty, key, "/datasets/app-rankings", include="url", **window)["data"]
    found = {row["url"]: (row["total_requests"], row["total_tokens"]) for row in rows}
    assert {url: (events, tokens) for url, events, tokens in TAKEN.values()} == found
    models = ask(empty, key, "/datasets/rankings-daily", **window)["data"]
    assert "30" == next(r["total_tokens"] for r in models if r["model_permaslug"] == "openai/gpt-4o-2024-05-13")
    (su,) = [row["app_name"] for row in rows if row["url"] == "https://su.example"]
    assert su in {"Fine", "My app"}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_damaged_or_means_nothing_is_refused_whole(name: str, on_data: Run) -> None:
    on_data("keys", "create", "--label", "x")
    done = on_data("import", CASES / name)
    first, *_ = done.err.splitlines()
    assert (1, "") == (done.code, done.out)
    assert first.startswith(f"error: cannot read {CASES / name}: ")
    assert REFUSED[name] in first
    assert "Traceback" not in done.err
    assert 0 == on_data("apps", "list", "--json").json["total"]
