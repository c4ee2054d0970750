"""`tokenboard spool`: records set aside, looked at and sent again while the server is stopped."""

from pathlib import Path

import pytest

from tests.board import BoardProcess
from tests.cli.conftest import Run
from tokenboard.event import encode_parcel
from tokenboard.spool import Spool

AT_MS = 1_700_000_000_000


@pytest.fixture
def _aside(data: Path) -> None:
    """Set three records aside: one that holds no events, one that nobody can read, one with a hostile reason."""
    spool = Spool(data / "spool", "board", max_bytes=10_000, fsync=False, clock_ms=lambda: AT_MS)
    aside = [("the catalog refused it", encode_parcel(())), ("damaged", b"\xc1"), ("a\x1b[2J\tb\nc", b"x")]
    spool.append_new(lambda _: b"delivered", [b"1"]).result()
    spool.ack(spool.fix(1, b"", aside))
    spool.close()


@pytest.mark.usefixtures("_aside")
def test_records_set_aside_are_listed_with_their_reasons_in_stable_rows(on_data: Run) -> None:
    assert [
        ["1", "2023-11-14 22:13", "3", "the catalog refused it"],
        ["2", "2023-11-14 22:13", "1", "damaged"],
        ["3", "2023-11-14 22:13", "1", "a\\x1b[2J\\tb\\nc"],
    ] == on_data("spool", "list").rows


@pytest.mark.usefixtures("_aside")
def test_what_a_limit_leaves_out_is_said(on_data: Run) -> None:
    done = on_data("spool", "list", "--limit", "1")

    assert (1, "2 more: --limit 3\n") == (len(done.rows), done.err)


@pytest.mark.usefixtures("_aside")
def test_a_record_is_queued_again(on_data: Run) -> None:
    done = on_data("spool", "replay", "1")

    assert (0, "record 1 is queued again\n") == (done.code, done.out)
    assert ["2", "3"] == [row[0] for row in on_data("spool", "list").rows]


@pytest.mark.usefixtures("_aside")
def test_a_record_that_cannot_be_read_stays_set_aside(on_data: Run) -> None:
    done = on_data("spool", "replay", "2")

    assert (1, "error: record 2 stays set aside: ") == (done.code, done.err[:33])
    assert done.err.splitlines()[-1].startswith("hint: ")
    assert ["1", "2", "3"] == [row[0] for row in on_data("spool", "list").rows]


@pytest.mark.usefixtures("_aside")
def test_a_record_that_is_none_is_an_error_and_what_is_no_number_wrong_usage(on_data: Run) -> None:
    assert (1, 2, 2) == tuple(on_data("spool", "replay", number).code for number in ("9", "x", "0"))


def test_a_folder_that_is_not_there_is_not_made(on_data: Run, data: Path) -> None:
    done = on_data("spool", "list")

    assert (1, False) == (done.code, data.exists())


@pytest.mark.parametrize("arguments", [("spool", "list"), ("spool", "replay", "1"), ("migrate",)])
def test_while_a_server_runs_the_command_says_so_and_touches_nothing(
    arguments: tuple[str, ...], on_board: Run, board: BoardProcess
) -> None:
    done = on_board(*arguments)

    assert (1, "") == (done.code, done.out)
    assert done.err.startswith(f"error: a server already runs on {board.data} (process ")
    assert "hint: Stop that process first" in done.err
