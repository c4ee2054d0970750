"""Commands run in this process, as `tokenboard …` would run them: quick, with what they print and how they end."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.board import BoardProcess
from tokenboard.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return what was printed, which must be one line of JSON."""
        assert (0, 1) == (self.code, self.out.count("\n")), self
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """Return the table that was printed."""
        assert self.code == 0, self
        return [line.split("\t") for line in self.out.splitlines()]


Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Run without variables of ours, in an empty folder."""
    for name in [name for name in os.environ if name.upper().startswith("TOKENBOARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command line."""

    def command(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["tokenboard", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
        except SystemExit as end:
            code = end.code
        else:
            code = 0
        printed = capfd.readouterr()
        assert code is None or isinstance(code, int)
        return Done(code or 0, printed.out, printed.err)

    return command


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return the place of a data folder that is not there yet."""
    return tmp_path / "data"


@pytest.fixture
def on_data(run: Run, data: Path) -> Run:
    """Run a command on a data folder of the test's own, without a server."""
    return lambda *arguments: run("--data", data, *arguments)


@pytest.fixture
def on_board(run: Run, board: BoardProcess) -> Run:
    """Run a command on the folder of the running board."""
    return lambda *arguments: run("--data", board.data, *arguments)
