"""The effective settings never show a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config.conftest import Load
from tokenboard.config import Settings, effective_settings
from tokenboard.config.settings import Catalog

SECRET = st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=20).map("s3cr".__add__)


def test_every_setting_is_listed_once_by_its_dotted_name(load: Load) -> None:
    settings = load(
        '[[upstream]]\nname = "a"\nbase_url = "http://a/v1"\nmodels = ["x/*", "y"]\n'
        '[[attribution.rule]]\nurl = "https://a.example"\nkey_label = "k"'
    )

    shown = dict(effective_settings(settings))

    assert len(shown) == len(list(effective_settings(settings)))
    assert ("127.0.0.1", "true", "x/*, y", "", "2025-01-01", "k", "") == (
        shown["server.host"],
        shown["spool.fsync"],
        shown["upstream[0].models"],
        shown["upstream[0].api_key_env"],
        shown["attribution.floor"],
        shown["attribution.rule[0].key_label"],
        shown["attribution.rule[0].title"],
    )


def test_headers_of_upstreams_are_shown_by_name_alone(load: Load) -> None:
    settings = load('[[upstream]]\nname = "a"\nbase_url = "http://a/v1"\nheaders = { X-Key = "sekrit", X-Org = "o" }')

    assert "X-Key: …, X-Org: …" == dict(effective_settings(settings))["upstream[0].headers"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://board:sekrit@db:5432/board", "postgresql+psycopg://board:…@db:5432/board"),
        ("postgresql+psycopg://board:sek/r#i?t@db/board", "postgresql+psycopg://board:…@db/board"),
        ("postgresql+psycopg://board:sek@rit@db/board", "postgresql+psycopg://board:…@db/board"),
        ("postgresql+psycopg://board@db/board", "postgresql+psycopg://board@db/board"),
        ("postgresql+psycopg:///board?user=a&password=sekrit", "postgresql+psycopg:///board?user=…&password=…"),
        ("sqlite:////var/lib/catalog.db", "sqlite:////var/lib/catalog.db"),
        ("postgresql://[bad", "postgresql://[bad"),
    ],
)
def test_the_password_of_a_url_is_masked(url: str, shown: str) -> None:
    assert shown == dict(effective_settings(Settings(catalog=Catalog(url=url))))["catalog.url"]


@given(SECRET)
def test_no_password_of_a_url_is_ever_shown(secret: str) -> None:
    for url in (f"postgresql://u:{secret}@h/db", f"postgresql://h/db?password={secret.replace('&', '')}"):
        assert "s3cr" not in dict(effective_settings(Settings(catalog=Catalog(url=url))))["catalog.url"]
