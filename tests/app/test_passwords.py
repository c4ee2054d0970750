"""Where a store's password is found, and what is said when it is not."""

from pathlib import Path

import pytest

from tokenboard.app.passwords import read_password
from tokenboard.config import ConfigError


def test_a_password_comes_from_a_variable_or_a_file_without_the_line_break_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", " s p \n")
    (tmp_path / "secret").write_text("from a file\r\n")
    assert read_password("ledger", tmp_path, variable="", file="") is None
    assert " s p " == read_password("ledger", tmp_path, variable="SECRET", file="")
    assert "from a file" == read_password("ledger", tmp_path, variable="", file="secret")
    assert "from a file" == read_password("ledger", Path("/"), variable="", file=str(tmp_path / "secret"))


def test_a_password_that_is_not_there_is_named_by_its_section_and_place(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for variable, file, place in (
        ("NOT_SET_ANYWHERE", "", "the variable NOT_SET_ANYWHERE, which [catalog] password_env names, is not set"),
        ("", "missing", f"{tmp_path}/missing, which [catalog] password_file names, cannot be read: No such file"),
        ("", "empty", f"{tmp_path}/empty, which [catalog] password_file names, is empty"),
        ("", "binary", f"{tmp_path}/binary, which [catalog] password_file names, cannot be read: it is not UTF-8"),
    ):
        with pytest.raises(ConfigError) as told:
            read_password("catalog", tmp_path, variable=variable, file=file)
        assert str(told.value).startswith(place)
