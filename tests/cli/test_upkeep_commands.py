"""`tokenboard doctor --audit` and `tokenboard rebuild`, with a server and without."""

import subprocess
import sys
from pathlib import Path

from tests.board import BoardProcess
from tests.cli.conftest import Run
from tests.cli.test_import import reports, write

ROOT = Path(__file__).parent.parent.parent

_HARM = """
import sys
from tests.ledger.oracle import ask
from tokenboard.ledger import Ledger
ledger = Ledger(f"chdb://{sys.argv[1]}/ledger")
ask(ledger, "ALTER TABLE app_daily DELETE WHERE app_id = 1 SETTINGS mutations_sync = 1")
ledger.close()
"""


def test_a_difference_is_printed_ends_with_1_and_a_rebuild_mends_it(on_data: Run, data: Path, tmp_path: Path) -> None:
    on_data("keys", "create", "--label", "x")
    on_data("import", write(tmp_path, ".ndjson", reports(3)))
    assert [["raw events, sums and rankings agree in 1 month"]] == on_data("doctor", "--audit").rows
    subprocess.run([sys.executable, "-c", _HARM, str(data)], check=True, cwd=ROOT)

    done = on_data("doctor", "--audit")

    lines = [line.split("\t") for line in done.out.splitlines()]
    assert (1, ["app_daily", "2026-01-01", "app 1", "requests", "3", "0"]) == (done.code, lines[0])
    assert "error: 8 differences in 1 months" == done.err.splitlines()[0]
    assert "hint: `tokenboard rebuild`" in done.err
    assert [["1 month rebuilt"]] == on_data("rebuild").rows
    assert 0 == on_data("doctor", "--audit").code


def test_a_month_without_raw_events_is_named(run: Run, data: Path, tmp_path: Path) -> None:
    run("--data", data, "keys", "create", "--label", "x")
    run("--data", data, "import", write(tmp_path, ".ndjson", reports(3)))
    drop = _HARM.replace("DELETE WHERE app_id = 1", "UPDATE cost = cost WHERE 1").replace(
        "ledger.close()", "from datetime import date; ledger.drop_raw_before(date(2026, 2, 1)); ledger.close()"
    )
    subprocess.run([sys.executable, "-c", drop, str(data)], check=True, cwd=ROOT)

    done = run("--data", data, "doctor", "--audit")

    assert (0, True) == (done.code, done.err.startswith("note: the raw events of 2026-01 were dropped"))
    assert [["0 months rebuilt"]] == run("--data", data, "rebuild").rows


def test_the_running_server_does_both(on_board: Run, board: BoardProcess) -> None:
    board.wait_until_counted()

    done = on_board("doctor", "--audit")

    assert (0, True) == (done.code, done.out.startswith("raw events, sums and rankings agree"))
    assert on_board("rebuild").rows[0][0].endswith((" month rebuilt", " months rebuilt"))
    assert 0 == on_board("doctor", "--audit").code


def test_without_a_data_folder_there_is_nothing_to_keep(on_data: Run, data: Path) -> None:
    for command in (("rebuild",), ("doctor", "--audit")):
        done = on_data(*command)
        assert (1, False) == (done.code, data.exists())
