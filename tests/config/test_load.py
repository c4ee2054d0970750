"""Reading settings: the file, the environment over it, and what is said of faults."""

from datetime import date
from pathlib import Path

import pytest

from tests.config.conftest import Faults, Load
from tokenboard.config import ConfigError, Settings, load_settings
from tokenboard.config.settings import Rule, Upstream

TWO_UPSTREAMS = """
[server]
host = "0.0.0.0"
port = 9000

[[upstream]]
name = "openai"
base_url = "https://api.example.com/v1/"
models = ["openai/*"]

[[upstream]]
name = "local"
base_url = "http://127.0.0.1:8000/v1"

[[attribution.rule]]
url = "https://tool.example"
key_label = "tool"
"""


def test_without_file_and_variables_every_setting_has_its_default() -> None:
    assert Settings() == load_settings(None)


def test_a_file_sets_what_it_names_and_leaves_the_rest_at_its_default(load: Load) -> None:
    settings = load(TWO_UPSTREAMS)

    assert ("0.0.0.0", 9000, "info") == (settings.server.host, settings.server.port, settings.server.log_level)
    assert (
        Upstream(name="openai", base_url="https://api.example.com/v1", models=("openai/*",)),
        Upstream(name="local", base_url="http://127.0.0.1:8000/v1"),
    ) == settings.upstream
    assert (Rule(url="https://tool.example", key_label="tool"),) == settings.attribution.rule


def test_a_file_written_with_a_byte_order_mark_is_read(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf[server]\r\nport = 9000\r\n")

    assert 9000 == load_settings(file).server.port


def test_a_variable_for_one_setting_leaves_the_others_of_its_section_as_the_file_says(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENBOARD_SERVER__PORT", "9001")

    server = load(TWO_UPSTREAMS).server

    assert ("0.0.0.0", 9001) == (server.host, server.port)


def test_a_variable_may_be_written_in_lower_case(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("tokenboard_server__port", "9001")

    assert 9001 == load(TWO_UPSTREAMS).server.port


def test_a_section_as_json_is_laid_over_the_files_section_and_single_variables_over_both(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENBOARD_SERVER", '{"port": 9001, "log": "json"}')
    monkeypatch.setenv("TOKENBOARD_SERVER__PORT", "9002")

    server = load(TWO_UPSTREAMS).server

    assert ("0.0.0.0", 9002, "json") == (server.host, server.port, server.log)


def test_a_list_of_tables_as_json_takes_the_place_of_the_files_list(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENBOARD_UPSTREAM", '[{"name": "other", "base_url": "http://other:1/v1"}]')
    monkeypatch.setenv("TOKENBOARD_ATTRIBUTION__RULE", '[{"url": "https://x.example", "user_agent_prefix": "X/"}]')

    settings = load(TWO_UPSTREAMS)

    assert ["other"] == [upstream.name for upstream in settings.upstream]
    assert (Rule(url="https://x.example", user_agent_prefix="X/"),) == settings.attribution.rule


def test_an_unknown_name_is_refused_at_every_depth_with_file_path_and_the_nearest_name(faults: Faults) -> None:
    assert [
        "FILE: unknown setting sever; did you mean server?",
        "FILE: unknown setting gateway.max_bodi; did you mean max_body?",
        "FILE: unknown setting upstream[1].modles; did you mean models?",
        "FILE: unknown setting attribution.rule[0].keylabel; did you mean key_label?",
        "FILE: unknown setting spool.zzz; known here: folder, fsync, max_bytes, seen_days",
    ] == faults(
        """
        [sever]
        port = 1
        [gateway]
        max_bodi = 5
        [[upstream]]
        name = "a"
        base_url = "http://a/v1"
        [[upstream]]
        name = "b"
        base_url = "http://b/v1"
        modles = ["*"]
        [[attribution.rule]]
        url = "https://a.example"
        keylabel = "k"
        [spool]
        zzz = 1
        """
    )


def test_no_name_of_the_file_reaches_the_settings_reader_as_an_option_of_its_own(faults: Faults) -> None:
    assert ["FILE: unknown setting _env_file"] == [
        line.partition(";")[0] for line in faults('_env_file = "/etc/passwd"')
    ]


def test_an_unknown_variable_is_refused_with_the_nearest_name(faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENBOARD_SERVER_PORT", "9000")
    monkeypatch.setenv("TOKENBOARD_UPSTREAM__0__NAME", "x")

    assert [
        "unknown environment variable TOKENBOARD_SERVER_PORT; did you mean TOKENBOARD_SERVER__PORT?",
        "unknown environment variable TOKENBOARD_UPSTREAM__0__NAME; did you mean TOKENBOARD_UPSTREAM?",
    ] == sorted(faults(""))


def test_an_unknown_name_in_a_variables_json_is_refused_with_its_path(
    faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENBOARD_UPSTREAM", '[{"name": "a", "base_url": "http://a/v1", "modles": ["*"]}]')

    assert [
        "environment variable TOKENBOARD_UPSTREAM: unknown setting upstream[0].modles; did you mean models?"
    ] == faults("")


def test_variables_of_commands_snippets_and_upstreams_keys_are_no_settings(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TOKENBOARD_DATA", "TOKENBOARD_CONFIG", "TOKENBOARD_KEY", "TOKENBOARD_OPENAI_KEY"):
        monkeypatch.setenv(name, "x")

    load('[[upstream]]\nname = "a"\nbase_url = "http://a/v1"\napi_key_env = "TOKENBOARD_OPENAI_KEY"')


def test_what_kubernetes_tells_of_a_service_named_tokenboard_is_no_setting(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "TOKENBOARD_SERVICE_HOST": "10.0.0.1",
        "TOKENBOARD_SERVICE_PORT": "8787",
        "TOKENBOARD_SERVICE_PORT_HTTP": "8787",
        "TOKENBOARD_PORT": "tcp://10.0.0.1:8787",
        "TOKENBOARD_PORT_8787_TCP": "tcp://10.0.0.1:8787",
        "TOKENBOARD_PORT_8787_TCP_PROTO": "tcp",
        "TOKENBOARD_PORT_8787_TCP_PORT": "8787",
        "TOKENBOARD_PORT_8787_TCP_ADDR": "10.0.0.1",
        "TOKENBOARD_SERVER_PORT": "tcp://10.0.0.2:80",
    }.items():
        monkeypatch.setenv(name, value)

    assert Settings() == load("")


def test_wrong_values_are_told_all_at_once_with_place_path_and_remedy(
    faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENBOARD_SERVER__LOG", "xml")
    monkeypatch.setenv("TOKENBOARD_GATEWAY__ECHO", "perhaps")

    told = faults(
        """
        [server]
        host = 5
        port = 70000
        shutdown_grace_s = inf
        [spool]
        fsync = "perhaps"
        max_bytes = "many"
        [attribution]
        floor = "yesterday"
        title_policy = "newest"
        [[upstream]]
        name = ""
        models = "gpt-*"
        """
    )

    assert {
        "FILE: server.host must be text, in quotes",
        "FILE: server.port must be at most 65535",
        "FILE: server.shutdown_grace_s must be a finite number",
        "environment variable TOKENBOARD_SERVER__LOG: server.log must be 'auto', 'json' or 'plain'",
        "FILE: spool.fsync must be true or false",
        "FILE: spool.max_bytes must be a whole number",
        "environment variable TOKENBOARD_GATEWAY__ECHO: gateway.echo must be true or false",
        "FILE: attribution.floor must be a date such as 2025-01-31",
        "FILE: attribution.title_policy must be 'latest' or 'first'",
        "FILE: upstream[0].name must not be empty",
        "FILE: upstream[0].models must be a list",
        "FILE: upstream[0].base_url is missing",
    } == {line.partition(" (")[0] for line in told}
    assert "(Port to listen on; 0 takes a free one)" in next(line for line in told if "server.port" in line)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nport = true", "server.port must be a number, not true or false"),
        (
            "[[upstream]]\nname = 'a'\nbase_url = 'http://a'\nmax_connections = true",
            "upstream[0].max_connections must be a number, not true or false",
        ),
        (
            "[[upstream]]\nname = 'a'\nbase_url = 'https://a'\ntls_verify = false\ntls_ca_file = 'ca.pem'",
            "upstream[0] has both tls_ca_file and tls_verify = false; leave one out",
        ),
        (
            "[[upstream]]\nname = 'a'\nbase_url = 'http://a'\ntls_verify = false",
            "upstream[0] has tls_ca_file or tls_verify, but its base_url does not use https",
        ),
        (
            "[[upstream]]\nname = 'a'\nbase_url = 'http://a'\ntls_cert_file = 'us.pem'",
            "upstream[0] has a tls_cert_file, but its base_url does not use https",
        ),
        (
            "[[upstream]]\nname = 'a'\nbase_url = 'https://a'\ntls_key_file = 'us.pem'",
            "upstream[0] has a tls_key_file without a tls_cert_file; name the certificate too",
        ),
        ("[spool]\nfsync = 1", "spool.fsync must be true or false, not a number"),
        ("[attribution]\nfloor = 20250101", "attribution.floor must be a date such as 2025-01-31, not a number"),
        ("server = 3", "server must be a table"),
        ("[upstream]\nname = 'a'", "upstream must be a list of tables: write [[upstream]] above each"),
        ("[attribution.rule]\nurl = 'a'", "attribution.rule must be a list of tables: write [[rule]] above each"),
        ("upstream = ['a']", "upstream[0] must be a table"),
    ],
)
def test_a_value_that_only_looks_right_is_refused(text: str, said: str, faults: Faults) -> None:
    assert f"FILE: {said}" in [line.partition(" (")[0] for line in faults(text)]


def test_a_variable_that_holds_no_json_where_it_must_does_not_hide_the_files_faults(
    faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENBOARD_UPSTREAM", "http://a/v1")

    told = faults("[server]\nport = 'x'")

    assert [
        'environment variable TOKENBOARD_UPSTREAM: must be JSON, such as {"name": "value"} or a list of these',
        "FILE: server.port must be a whole number",
    ] == [line.partition(" (")[0] for line in told]


@pytest.mark.parametrize("text", ["[server", "port == 3", "a = 1\na = 2", "[[[x]]]", "a = " + "[" * 5000])
def test_a_syntax_error_names_the_file_and_the_fault(text: str, faults: Faults) -> None:
    assert ["FILE is not valid TOML:"] == [line[:23] for line in faults(text)]


def test_a_file_in_another_encoding_is_refused(file: Path) -> None:
    file.write_bytes("# é\n".encode("latin-1"))

    with pytest.raises(ConfigError, match="is not valid TOML"):
        load_settings(file)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*: Is a directory"):
        load_settings(tmp_path)


def test_relative_files_and_folders_lie_in_the_data_folder(load: Load) -> None:
    settings = load('[catalog]\nurl = "sqlite:///apps/catalog.db?timeout=3"\n[spool]\nfolder = "queue"')
    data = Path("/data/board")

    assert "sqlite:////data/board/apps/catalog.db?timeout=3" == settings.catalog_url(data)
    assert data / "queue" == settings.spool_folder(data)


def test_absolute_places_and_databases_elsewhere_are_left_as_they_are(load: Load) -> None:
    data = Path("/data/board")

    assert Path("/q") == load('[spool]\nfolder = "/q"').spool_folder(data)
    for url in ("sqlite:////c.db", "postgresql+psycopg://u@h/db", "sqlite:///:memory:", "sqlite://"):
        assert url == load(f'[catalog]\nurl = "{url}"').catalog_url(data)
    for dsn in ("chdb:///var/lib/ledger", "clickhouse://u:p@h:8443/db?secure=true"):
        assert dsn == load(f'[ledger]\ndsn = "{dsn}"').ledger_dsn(data)


def test_stores_without_a_setting_lie_in_the_data_folder() -> None:
    settings, data = Settings(), Path("/data/board")

    assert ("sqlite:////data/board/catalog.sqlite", "chdb:///data/board/ledger", data / "spool") == (
        settings.catalog_url(data),
        settings.ledger_dsn(data),
        settings.spool_folder(data),
    )


def test_settings_cannot_be_changed_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().server.port = 1  # type: ignore[misc]


def test_a_date_in_the_file_may_be_a_date_or_text(load: Load) -> None:
    for written in ("2025-03-01", '"2025-03-01"'):
        assert date(2025, 3, 1) == load(f"[attribution]\nfloor = {written}").attribution.floor
