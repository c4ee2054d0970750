"""What is refused as a value, and that no message repeats it."""

import json

import pytest

from tests.config.conftest import Faults, Load

UPSTREAM = '[[upstream]]\nname = "a"\nbase_url = {base_url}\n{more}'


def upstream(base_url: str = "https://a.example/v1", more: str = "") -> str:
    return UPSTREAM.format(base_url=json.dumps(base_url), more=more)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://a.example/v1/", "https://a.example/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:11434/v1", "http://[::1]:11434/v1"),
        ("https://xn--mnchen-3ya.example/v1", "https://xn--mnchen-3ya.example/v1"),
    ],
)
def test_a_web_url_is_kept_without_a_slash_at_its_end(url: str, kept: str, load: Load) -> None:
    assert kept == load(upstream(url)).upstream[0].base_url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("a.example/v1", "must begin with http:// or https://"),
        ("ftp://a.example", "must begin with http:// or https://"),
        ("https://user:sekrit@a.example/v1", "must not hold a user or password; use api_key_env, or headers"),
        ("https://sekrit@a.example/v1", "must not hold a user or password; use api_key_env, or headers"),
        ("https://user:sek/rit@a.example", "must name a host, and a port between 1 and 65535 if any"),
        ("https://a.example:sekrit/v1", "must name a host, and a port between 1 and 65535 if any"),
        ("https://a.example:70000/v1", "must name a host, and a port between 1 and 65535 if any"),
        ("https://a.example:0/v1", "must name a host, and a port between 1 and 65535 if any"),
        ("https://[sekrit/v1", "must name a host, and a port between 1 and 65535 if any"),
        ("https:///v1", "must name a host, and a port between 1 and 65535 if any"),
        ("https://a.example/v1?key=sekrit", "must end with its path, without ? and #"),
        ("https://a.example/v1#x", "must end with its path, without ? and #"),
        ("https://münchen.example", "must be ASCII without spaces; write an international host in its xn-- form"),
        ("https://a.example/v 1", "must be ASCII without spaces; write an international host in its xn-- form"),
        (
            "https://a.example/v1\r\nX: sekrit",
            "must be ASCII without spaces; write an international host in its xn-- form",
        ),
    ],
)
def test_a_web_url_that_could_not_be_used_as_it_is_written_is_refused(url: str, said: str, faults: Faults) -> None:
    for text, path in (
        (upstream(url), "upstream[0].base_url"),
        (f"[server]\nbase_url = {json.dumps(url)}", "server.base_url"),
    ):
        told = faults(text)
        assert [f"FILE: {path} {said}"] == [line.partition(" (")[0] for line in told]
        assert "sekrit" not in "".join(told)


@pytest.mark.parametrize("key", ["sk-live-0123456789", "tb 1", "1KEY", "KEY=x"])
def test_a_key_in_place_of_its_variables_name_is_refused_and_not_repeated(key: str, faults: Faults) -> None:
    told = faults(upstream(more=f"api_key_env = {json.dumps(key)}"))

    assert ["FILE: upstream[0].api_key_env must be the name of an environment variable, not the key itself"] == [
        line.partition(" (")[0] for line in told
    ]
    assert key not in told[0]


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"X Y": "sekrit"}, "must have names made of letters, digits and - alone"),
        ({"": "sekrit"}, "must have names made of letters, digits and - alone"),
        ({"X": "sekrit\r\nY: 1"}, "must have no control character, such as a line break, in the value of X"),
        ({"Content-Length": "3"}, "must not hold Content-Length, which the gateway sets itself"),
        ({"transfer-encoding": "x"}, "must not hold transfer-encoding, which the gateway sets itself"),
    ],
)
def test_a_header_that_could_not_be_sent_is_refused(headers: dict[str, str], said: str, faults: Faults) -> None:
    table = ", ".join(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in headers.items())

    told = faults(upstream(more=f"headers = {{ {table} }}"))

    assert [f"FILE: upstream[0].headers {said}"] == [line.partition(" (")[0] for line in told]
    assert "sekrit" not in told[0]


def test_an_upstream_that_speaks_as_anthropic_has_one_key(faults: Faults) -> None:
    more = 'dialect = "anthropic"\napi_key_env = "K"\nheaders = { x-api-key = "x" }'
    assert ["FILE: upstream[0] has both api_key_env and a header X-Api-Key; leave one out"] == faults(
        upstream(more=more)
    )


def test_an_upstream_has_one_authorization(faults: Faults) -> None:
    assert ["FILE: upstream[0] has both api_key_env and a header Authorization; leave one out"] == faults(
        upstream(more='api_key_env = "K"\nheaders = { authorization = "Bearer x" }')
    )


@pytest.mark.parametrize(
    "dsn", ["ledger", "postgresql://h/db", "chdb://memory", "chdb://ledger", "chdb:///", "chdb:///a#b"]
)
def test_a_ledger_that_would_be_lost_or_lie_elsewhere_is_refused(dsn: str, faults: Faults) -> None:
    assert "FILE: ledger.dsn must be chdb://" == faults(f'[ledger]\ndsn = "{dsn}"')[0][:32]


@pytest.mark.parametrize("origin", ["", "*", "https://board.example", "http://localhost:3000"])
def test_an_origin_for_cors_is_taken(origin: str, load: Load) -> None:
    assert origin == load(f'[data_api]\ncors = "{origin}"').data_api.cors


@pytest.mark.parametrize(
    "origin", ["board.example", "https://a.example/", "https://a, https://b", "* ", "https://ü.example"]
)
def test_what_is_no_origin_is_refused_for_cors(origin: str, faults: Faults) -> None:
    assert "FILE: data_api.cors must be * or one origin" == faults(f'[data_api]\ncors = "{origin}"')[0][:43]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('cluster = "prod"', "has cluster without a dsn of a server"),
        ('password_env = "P"', "has password_env without a dsn of a server"),
        ('dsn = "clickhouse://u:p@h/db"\npassword_env = "P"', "has more than one password"),
        ('dsn = "clickhouse://u@h/db"\npassword_env = "P"\npassword_file = "f"', "has more than one password"),
        ('dsn = "clickhouse://u@h/db"\npassword_env = "s3 cret"', "must be the name of an environment variable"),
    ],
)
def test_a_ledgers_password_and_cluster_go_with_a_server(settings: str, said: str, faults: Faults) -> None:
    (told,) = faults(f"[ledger]\n{settings}")
    assert said in told
    assert "s3 cret" not in told
