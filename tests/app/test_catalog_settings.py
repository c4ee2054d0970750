"""How the settings reach the catalog: times, connections, and a password that stands in no setting."""

from pathlib import Path

import pytest

from tokenboard.app.catalog import server_options
from tokenboard.catalog import CatalogRefused
from tokenboard.config import ConfigError, Settings, effective_settings, load_settings
from tokenboard.config.settings import Catalog


def test_each_setting_reaches_the_server_options(tmp_path: Path) -> None:
    given = Catalog(
        connect_timeout_s=1,
        lock_timeout_s=2,
        statement_timeout_s=3,
        idle_in_transaction_s=4,
        pool_size=5,
        pool_timeout_s=6,
    )

    options = server_options(Settings(catalog=given), tmp_path)

    assert (1, 2, 3, 4, 5, 6) == (
        options.connect_timeout_s,
        options.lock_timeout_s,
        options.statement_timeout_s,
        options.idle_s,
        options.pool_size,
        options.pool_timeout_s,
    )
    assert options.password() is None


def test_the_password_comes_from_a_variable_that_may_begin_as_settings_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENBOARD_CATALOG__PASSWORD_ENV", "TOKENBOARD_DB_PASSWORD")
    monkeypatch.setenv("TOKENBOARD_DB_PASSWORD", "s3cret")

    settings = load_settings(None)

    assert "s3cret" == server_options(settings, tmp_path).password()
    assert not any("s3cret" in value for _, value in effective_settings(settings))
    monkeypatch.delenv("TOKENBOARD_DB_PASSWORD")
    with pytest.raises(CatalogRefused, match="TOKENBOARD_DB_PASSWORD"):
        server_options(settings, tmp_path).password()


def test_the_password_comes_from_a_file_and_may_change(tmp_path: Path) -> None:
    password = server_options(Settings(catalog=Catalog(password_file="secret")), tmp_path).password
    with pytest.raises(CatalogRefused, match="No such file"):
        password()
    (tmp_path / "secret").write_text("first\n")
    assert "first" == password()
    (tmp_path / "secret").write_text(" second ")
    assert " second " == password()
    (tmp_path / "secret").write_bytes(b"\xff")
    with pytest.raises(CatalogRefused, match="not UTF-8"):
        password()


def test_two_places_for_one_password_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENBOARD_CATALOG", '{"password_env": "A", "password_file": "b"}')
    with pytest.raises(ConfigError, match="leave one out"):
        load_settings(None)
