"""What an operator is told of a shared store that cannot be used."""

import sys
from pathlib import Path

import pytest

from tokenboard.app.shared import open_shared
from tokenboard.config import ConfigError, Settings, load_settings
from tokenboard.config.settings import Shared
from tokenboard.observability import Counters


def test_without_the_package_one_sentence_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "redis" or name.startswith("tokenboard.shared")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigError) as told:
        open_shared(Settings(shared=Shared(redis="redis://localhost:6379/0")), tmp_path, Counters())
    assert str(told.value).startswith(
        "[shared] redis needs the redis package, which is not installed; run `pip install"
    )


def test_a_fault_of_a_section_without_a_file_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENBOARD_SHARED__PASSWORD_FILE", "/nowhere")
    with pytest.raises(ConfigError) as told:
        load_settings(None)
    assert "environment: shared has a password without redis; name the server too" == str(told.value)
