"""Where a DSN leads, and that none says a password aloud."""

from typing import Any

import pytest

from tokenboard.ledger import LedgerMisplaced
from tokenboard.ledger.address import parse_dsn
from tokenboard.ledger.errors import unavailable


@pytest.mark.parametrize(
    ("dsn", "options"),
    [
        ("clickhouse://h", {"host": "h", "port": 8123, "interface": "http", "username": "default", "password": ""}),
        ("clickhouse://u:p%40%2F@h:9/db", {"port": 9, "username": "u", "password": "p@/", "database": "db"}),
        ("clickhouses://h/db", {"port": 8443, "interface": "https"}),
        ("clickhouse://h/db?secure=true&verify=false", {"port": 8443, "interface": "https", "verify": False}),
        ("clickhouse://h:8443/db", {"interface": "https"}),
        ("clickhouse://h:8443/db?secure=0", {"interface": "http", "port": 8443}),
        ("clickhouse://[::1]:9/db?connect_timeout=3&ca_cert=/a%20b.pem", {"host": "::1", "connect_timeout": 3}),
        ("clickhouse://h/db?compress=zstd", {"compress": "zstd"}),
    ],
)
def test_a_dsn_names_a_server(dsn: str, options: dict[str, Any]) -> None:
    address = parse_dsn(dsn)
    assert not address.embedded
    assert options == {name: address.options[name] for name in options}


def test_a_password_apart_is_used_where_the_dsn_has_none() -> None:
    assert "apart" == parse_dsn("clickhouse://u@h/db", password="apart").options["password"]
    assert "inside" == parse_dsn("clickhouse://u:inside@h/db", password="apart").options["password"]
    assert "apart" not in repr(parse_dsn("clickhouse://u@h/db", password="apart"))


def test_the_embedded_engine_has_a_folder() -> None:
    assert (True, "/var/lib/x") == (parse_dsn("chdb:///var/lib/x").embedded, parse_dsn("chdb:///var/lib/x").folder)


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("postgresql://h/db", "must begin with"),
        ("clickhouse:h", "must begin with"),
        ("clickhouse:///db", "names no host"),
        ("clickhouse://u:s3cret@h:port/db", "cannot be read"),
        ("clickhouse://u:s3cret@h/a/b", "one database"),
        ("clickhouses://u:s3cret@h/db?secure=false", "clickhouses:// and secure=false"),
        ("clickhouse://u:s3cret@h/db?secure=maybe", "secure in the ledger's DSN must be true or false"),
        ("clickhouse://u:s3cret@h/db?connect_timeout=s3cret", "must be a number of seconds"),
        ("clickhouse://u:s3cret@h/db?s3cret=1", "none of: ca_cert"),
    ],
)
def test_a_dsn_that_leads_nowhere_is_refused_without_its_password(dsn: str, said: str) -> None:
    with pytest.raises(LedgerMisplaced) as raised:
        parse_dsn(dsn)
    assert said in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_a_refused_connection_is_told_in_few_words() -> None:
    driver = (
        "Error HTTPConnectionPool(host='h', port=1): Max retries exceeded with url: /?database=x (Caused by "
        "NewConnectionError(\"HTTPConnection(host='h', port=1): Failed to establish a new connection: [Errno 111] "
        'Connection refused")) executing HTTP request attempt 1 (http://h:1)'
    )
    told = unavailable(Exception(driver))
    assert "the ledger did not answer: [Errno 111] Connection refused" == str(told)
    assert "Start the server" in told.hint
