"""`tokenboard counters`: what the running server has counted."""

from pathlib import Path

from tests.board import BoardProcess
from tests.cli.conftest import Run


def test_the_counters_of_the_running_server_are_told_as_a_table_and_as_json(run: Run, board: BoardProcess) -> None:
    as_json = run("--data", board.data, "counters", "--json").json
    table = run("--data", board.data, "counters").rows
    assert {name for name, _ in table} >= set(as_json)


def test_without_a_server_it_says_what_to_do(run: Run, data: Path) -> None:
    data.mkdir(exist_ok=True)
    done = run("--data", data, "counters")
    assert (1, True, True) == (done.code, "no server runs on" in done.err, "tokenboard serve" in done.err)
