"""`tokenboard catalog copy`: the board goes on with the copy, and nothing is copied over what is there."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_a_board_goes_on_with_the_copy(
    on_data: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = on_data("keys", "create", "--label", "x", "--json").json
    url = f"sqlite:///{tmp_path / 'new.db'}"

    done = on_data("catalog", "copy", "--to", url)

    assert (0, "") == (done.code, done.err)
    assert "keys\t1\n" in done.out
    assert "now set [catalog] url" in done.out
    monkeypatch.setenv("TOKENBOARD_CATALOG__URL", url)
    (data / "catalog.sqlite").unlink()
    assert [made["id"]] == [key["id"] for key in on_data("keys", "list", "--json").json]
    assert made["id"] + 1 == on_data("keys", "create", "--label", "y", "--json").json["id"]


def test_what_cannot_be_copied_to_is_told_with_a_way_out_and_no_secret(
    on_data: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_data("keys", "create", "--label", "x")
    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert 0 == on_data("catalog", "copy", "--to", url).code
    monkeypatch.setenv("PASSWORD", "s3cret")
    away = "postgresql://board@127.0.0.1:1/board"

    again, unset, gone = (
        on_data("catalog", "copy", "--to", url),
        on_data("catalog", "copy", "--to", away, "--password-env", "NOT_SET"),
        on_data("catalog", "copy", "--to", away, "--password-env", "PASSWORD"),
    )

    assert [1, 1, 1] == [again.code, unset.code, gone.code]
    assert "holds" in again.err
    assert "NOT_SET" in unset.err
    assert "hint: Look whether PostgreSQL runs at 127.0.0.1:1/board" in gone.err
    assert "s3cret" not in gone.err
    assert 2 == len(gone.err.splitlines()), "one line, and the hint"
