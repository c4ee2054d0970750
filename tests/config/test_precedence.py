"""Which of default, file and environment is in force, against the plainest rule there is."""

import json
import os
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenboard.config import Settings, load_settings

VALUES: dict[tuple[str, str], st.SearchStrategy[object]] = {
    ("server", "host"): st.sampled_from(["0.0.0.0", "::1", "board.example"]),
    ("server", "port"): st.integers(0, 65535),
    ("server", "log_level"): st.sampled_from(["debug", "info", "warning", "error"]),
    ("spool", "fsync"): st.booleans(),
    ("spool", "max_bytes"): st.integers(1_000, 10**12),
    ("gateway", "echo"): st.booleans(),
    ("gateway", "idle_timeout_s"): st.floats(0.5, 1e6),
    ("data_api", "cors"): st.sampled_from(["", "*", "https://a.example"]),
}
SOME = st.fixed_dictionaries({}, optional=VALUES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(in_file=SOME, in_environment=SOME)
def test_a_setting_is_its_variable_else_the_files_value_else_its_default(
    in_file: dict[tuple[str, str], object], in_environment: dict[tuple[str, str], object], tmp_path: Path
) -> None:
    file = tmp_path / "tokenboard.toml"
    file.write_text("\n".join(f"{section}.{name} = {json.dumps(value)}" for (section, name), value in in_file.items()))
    variables = {
        f"TOKENBOARD_{section}__{name}".upper(): str(value).lower() if isinstance(value, bool) else str(value)
        for (section, name), value in in_environment.items()
    }
    others = {name: value for name, value in os.environ.items() if not name.upper().startswith("TOKENBOARD_")}

    with mock.patch.dict(os.environ, others | variables, clear=True):
        loaded = load_settings(file)

    defaults = Settings()
    for section, name in VALUES:
        expected = getattr(getattr(defaults, section), name)
        expected = in_file.get((section, name), expected)
        expected = in_environment.get((section, name), expected)
        assert expected == getattr(getattr(loaded, section), name)
