"""How commands speak: to scripts, to people, to readers that have gone."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.board import BoardProcess
from tests.cli.conftest import Done, Run
from tokenboard import BUILD_FORM, __version__
from tokenboard.cli.terminal import visible


@given(st.text())
def test_what_is_shown_holds_nothing_a_terminal_obeys_and_no_separator(text: str) -> None:
    shown = visible(text)

    assert shown.isprintable()
    assert shown == "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def test_text_that_can_be_shown_is_shown_as_it_is() -> None:
    assert "Clíne – 鍵 🤖 \\n" == visible("Clíne – 鍵 🤖 \\n")


def at_a_terminal(command: list[str]) -> str:
    """Run a command at a terminal of its own and return all that it showed."""
    leader, follower = pty.openpty()
    environment = os.environ | {"COLUMNS": "200", "TERM": "xterm"}
    with subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower, env=environment) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:  # Linux ends a terminal whose last writer has gone so
                break
            if not piece:
                break
            shown += piece
        os.close(leader)
    assert process.returncode == 0, shown
    return shown.decode()


def test_at_a_terminal_a_table_has_a_head_and_names_are_never_markup(on_data: Run, data: Path) -> None:
    on_data("keys", "create", "--label", "[red]a[/red] :smile:")

    shown = at_a_terminal(BoardProcess(data).command("keys", "list"))

    head, row = shown.splitlines()
    assert ["id", "key", "label", "account", "scopes", "created", "revoked"] == plain(head).split()
    assert "[red]a[/red] :smile:" in row


def plain(text: str) -> str:
    """Return the text without the styles of a table's head."""
    return text.replace("\x1b[1m", "").replace("\x1b[0m", "")


def with_output(command: list[str], output: int | None) -> "subprocess.CompletedProcess[bytes]":
    """Run a command whose standard output is this descriptor, or closed for None."""
    preparation: Callable[[], None] | None = (lambda: os.close(1)) if output is None else None
    return subprocess.run(
        command, stdout=output, stderr=subprocess.PIPE, preexec_fn=preparation, timeout=60, check=False
    )


def test_a_reader_that_has_gone_is_no_fault_unless_a_secret_is_lost_with_it(on_data: Run, data: Path) -> None:
    on_data("keys", "create", "--label", "x")
    reader, writer = os.pipe()
    os.close(reader)
    board = BoardProcess(data)

    listed = with_output(board.command("keys", "list"), writer)
    made = with_output(board.command("keys", "create", "--label", "lost", "--json"), writer)
    os.close(writer)

    assert (0, b"") == (listed.returncode, listed.stderr)
    assert (1, b"error: key 2 was made, but its secret could not be shown") == (made.returncode, made.stderr[:56])
    assert b"hint: Rotate it" in made.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_an_error_with_a_hint(on_data: Run, data: Path) -> None:
    on_data("keys", "create", "--label", "x")

    with Path("/dev/full").open("wb") as full:
        done = with_output(BoardProcess(data).command("keys", "list"), full.fileno())

    assert (1, b"error: cannot write to standard output: No space left on device") == (
        done.returncode,
        done.stderr.splitlines()[0],
    )


def test_closed_output_is_no_fault(on_data: Run, data: Path) -> None:
    on_data("keys", "create", "--label", "x")

    done = with_output(BoardProcess(data).command("keys", "list"), None)

    assert (0, b"") == (done.returncode, done.stderr)


def test_wrong_usage_ends_with_2_and_says_on_standard_error_where_help_is(run: Run) -> None:
    for arguments in (["nonsense"], ["keys", "create"], ["keys", "revoke", "x"], ["serve", "--port", "70000"]):
        done = run(*arguments)

        assert (2, "") == (done.code, done.out)
        assert "--help' for help." in done.err


def test_the_version_is_printed_and_behind_it_the_form_that_runs(run: Run) -> None:
    assert Done(0, f"tokenboard {__version__}\n{BUILD_FORM}\n", "") == run("--version")


def test_the_program_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tokenboard", "--version"], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.startswith("tokenboard ")
