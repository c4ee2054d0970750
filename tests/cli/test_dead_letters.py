"""`tokenboard dead-letters`: looked at, sent again and dropped while the server is stopped."""

from io import StringIO
from pathlib import Path

import pytest

from tests.board import BoardProcess
from tests.cli.conftest import Run
from tokenboard.event import encode_parcel
from tokenboard.spool import Spool

AT_MS = 1_700_000_000_000


@pytest.fixture
def _dead_letters(data: Path) -> None:
    """Make three dead letters: one that holds no events, one that nobody can read, one with a hostile reason."""
    spool = Spool(data / "spool", "board", max_bytes=10_000, fsync=False, clock_ms=lambda: AT_MS)
    dead_letters = [("the catalog refused it", encode_parcel(())), ("damaged", b"\xc1"), ("a\x1b[2J\tb\nc", b"x")]
    spool.append_new(lambda _: b"delivered", [b"1"]).result()
    spool.ack(spool.fix(1, b"", dead_letters))
    spool.close()


@pytest.mark.usefixtures("_dead_letters")
def test_dead_letters_are_listed_with_their_reasons_in_stable_rows(on_data: Run) -> None:
    assert [
        ["1", "2023-11-14 22:13", "3", "the catalog refused it"],
        ["2", "2023-11-14 22:13", "1", "damaged"],
        ["3", "2023-11-14 22:13", "1", "a\\x1b[2J\\tb\\nc"],
    ] == on_data("dead-letters", "list").rows


@pytest.mark.usefixtures("_dead_letters")
def test_what_a_limit_leaves_out_is_said(on_data: Run) -> None:
    done = on_data("dead-letters", "list", "--limit", "1")

    assert (1, "2 more: --limit 3\n") == (len(done.rows), done.err)


@pytest.mark.usefixtures("_dead_letters")
def test_a_record_is_queued_again(on_data: Run) -> None:
    done = on_data("dead-letters", "replay", "1")

    assert (0, "record 1 is queued again\n") == (done.code, done.out)
    assert ["2", "3"] == [row[0] for row in on_data("dead-letters", "list").rows]


@pytest.mark.usefixtures("_dead_letters")
def test_a_record_that_cannot_be_read_stays_a_dead_letter(on_data: Run) -> None:
    done = on_data("dead-letters", "replay", "2")

    assert (1, "error: record 2 stays a dead letter: ") == (done.code, done.err[:37])
    assert done.err.splitlines()[-1].startswith("hint: ")
    assert ["1", "2", "3"] == [row[0] for row in on_data("dead-letters", "list").rows]


@pytest.mark.usefixtures("_dead_letters")
def test_a_record_that_is_none_is_an_error_and_what_is_no_number_wrong_usage(on_data: Run) -> None:
    assert (1, 2, 2) == tuple(on_data("dead-letters", "replay", number).code for number in ("9", "x", "0"))


@pytest.mark.usefixtures("_dead_letters")
def test_the_commands_answer_to_their_former_name_too_which_no_help_shows(on_data: Run, run: Run) -> None:
    assert on_data("dead-letters", "list").out == on_data("spool", "list").out
    assert "record 1 is queued again\n" == on_data("spool", "replay", "1").out

    commands = [line.split()[0] for line in run("--help").out.splitlines() if line.startswith("  ")]

    assert (True, False) == ("dead-letters" in commands, "spool" in commands)


@pytest.mark.usefixtures("_dead_letters")
def test_a_record_is_dropped_for_good_and_the_spool_counts_it(on_data: Run) -> None:
    assert "record 2 is dropped (damaged); 1 record so far\n" == on_data("dead-letters", "drop", "2", "--yes").out
    assert ["1", "3"] == [row[0] for row in on_data("dead-letters", "list").rows]
    assert 1 == on_data("dead-letters", "drop", "2", "--yes").code

    done = on_data("dead-letters", "drop", "3", "--yes")

    assert "record 3 is dropped (a\\x1b[2J\\tb\\nc); 2 records so far\n" == done.out
    finding = next(line for line in on_data("doctor").out.splitlines() if line.startswith("spool\t"))
    assert finding.endswith("; 1 dead letter, see `tokenboard dead-letters list`; 2 dead letters dropped so far")


@pytest.mark.usefixtures("_dead_letters")
def test_nothing_is_dropped_that_nobody_confirms(on_data: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    done = on_data("dead-letters", "drop", "1")

    assert (1, "error: record 1 was not dropped") == (done.code, done.err.splitlines()[0])
    assert "hint: Say so when asked, or with --yes" in done.err

    for answer, dropped in (("n", False), ("y", True)):
        monkeypatch.setattr("sys.stdin", _Terminal(f"{answer}\n"))
        assert (int(not dropped), dropped) == (
            on_data("dead-letters", "drop", "1").code,
            "1" not in [row[0] for row in on_data("dead-letters", "list").rows],
        )


class _Terminal(StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


def test_a_folder_that_is_not_there_is_not_made(on_data: Run, data: Path) -> None:
    done = on_data("dead-letters", "list")

    assert (1, False) == (done.code, data.exists())


@pytest.mark.parametrize("arguments", [("dead-letters", "list"), ("dead-letters", "drop", "1", "--yes"), ("migrate",)])
def test_while_a_server_runs_the_command_says_so_and_touches_nothing(
    arguments: tuple[str, ...], on_board: Run, board: BoardProcess
) -> None:
    done = on_board(*arguments)

    assert (1, "") == (done.code, done.out)
    assert done.err.startswith(f"error: a server already runs on {board.data} (process ")
    assert "hint: Stop that process first" in done.err
