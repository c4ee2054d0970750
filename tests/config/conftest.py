"""Settings are read from the environment, so a test begins with none of ours in it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tokenboard.config import ConfigError, Settings, load_settings

Load = Callable[[str], Settings]
Faults = Callable[[str], list[str]]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("TOKENBOARD_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokenboard.toml"


@pytest.fixture
def load(file: Path) -> Load:
    """Read settings from a file of this text."""

    def read(text: str) -> Settings:
        file.write_text(text, "utf-8")
        return load_settings(file)

    return read


@pytest.fixture
def faults(load: Load, file: Path) -> Faults:
    """Return what is said of a faulty file, a line a fault, the file's path written FILE."""

    def read(text: str) -> list[str]:
        with pytest.raises(ConfigError) as raised:
            load(text)
        return str(raised.value).replace(str(file), "FILE").split("\n")

    return read
