"""Settings that only the whole can judge: names of upstreams, keys in the environment, rules."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.upstream import OpenAiUpstream
from tokenboard.app import upstreams
from tokenboard.app.upstreams import attribution_options, probe_upstreams
from tokenboard.config import ConfigError, Settings
from tokenboard.config.settings import Attribution, Gateway, Rule, Upstream
from tokenboard.gateway import Timeouts

ELSEWHERE = "http://127.0.0.1:9/v1"


def test_two_upstreams_of_one_name_are_refused() -> None:
    settings = Settings(upstream=(Upstream(name="a", base_url=ELSEWHERE), Upstream(name="a", base_url=ELSEWHERE)))

    assert "[[upstream]]: two are named 'a'; give each a name of its own" == fault(settings)


def test_a_default_upstream_that_is_none_is_refused_with_those_there_are() -> None:
    settings = Settings(gateway=Gateway(default_upstream="b"), upstream=(Upstream(name="a", base_url=ELSEWHERE),))

    assert "[gateway] default_upstream: no [[upstream]] is named 'b'; there are: ['a']" == fault(settings)


@pytest.mark.parametrize("value", [None, "", " \n"])
def test_a_key_that_is_not_in_the_environment_is_told_by_its_variable(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UPSTREAM_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("UPSTREAM_KEY", value)

    said = fault(keyed())
    assert said.startswith("[[upstream]] a: the environment variable UPSTREAM_KEY is not set; export it")


def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "sekrit\nX-Evil: 1")

    assert "[[upstream]] a: the value of UPSTREAM_KEY is no key: not printable ASCII" == fault(keyed())


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Rule(url="https://a.example"), "needs exactly one of key_label and user_agent_prefix"),
        (Rule(url="nonsense", key_label="k"), "the url 'nonsense' of an attribution rule names no app"),
        (Rule(url="https://a.example", key_label="k", title="  "), "is empty or a placeholder"),
    ],
)
def test_a_rule_that_could_never_give_an_app_is_refused(rule: Rule, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        attribution_options(Settings(attribution=Attribution(rule=(rule,))))

    assert said in str(raised.value)


def keyed() -> Settings:
    return Settings(upstream=(Upstream(name="a", base_url=ELSEWHERE, api_key_env="UPSTREAM_KEY"),))


def fault(settings: Settings) -> str:
    with pytest.raises(ConfigError) as raised:
        asyncio.run(probe_upstreams(settings, Path()))
    return str(raised.value)


def test_an_upstreams_key_is_sent_without_the_line_break_it_was_read_with(
    upstream: OpenAiUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "sk-1\n")
    settings = Settings(upstream=(Upstream(name="a", base_url=upstream.url, api_key_env="UPSTREAM_KEY"),))

    assert [("tokenboard", None), ("a", None)] == asyncio.run(probe_upstreams(settings, Path()))


def test_an_upstream_that_does_not_answer_is_not_waited_for(
    silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstreams, "PROBE_WITHIN_S", 0.1)
    settings = Settings(upstream=(Upstream(name="a", base_url=silent_server),))

    found = dict(asyncio.run(probe_upstreams(settings, Path())))

    assert "it gave no list of models within 0 s. See whether it is overloaded." == found["a"]


def test_what_an_upstream_says_of_itself_goes_before_what_all_have_in_common() -> None:
    settings = Settings(
        gateway=Gateway(connect_timeout_s=1, first_byte_timeout_s=2, idle_timeout_s=3, max_connections=4),
        upstream=(
            Upstream(name="a", base_url=ELSEWHERE),
            Upstream(name="b", base_url=ELSEWHERE, idle_timeout_s=30, max_connections=40, connect_timeout_s=10),
            Upstream(name="c", base_url="https://c.example", tls_ca_file="ca.pem", first_byte_timeout_s=20),
        ),
    )

    found = [upstreams._spec(given, settings, Path("/data")) for given in settings.upstream]

    assert [Timeouts(1, 2, 3), Timeouts(10, 2, 30), Timeouts(1, 20, 3)] == [spec.timeouts for spec in found]
    assert [4, 40, 4] == [spec.max_connections for spec in found]
    assert [None, None, Path("/data/ca.pem")] == [spec.tls_ca_file for spec in found]


def test_a_file_of_authorities_that_is_not_there_is_told_with_its_upstream() -> None:
    settings = Settings(upstream=(Upstream(name="a", base_url="https://a.example", tls_ca_file="/nowhere/ca.pem"),))

    assert "[[upstream]] a: tls_ca_file /nowhere/ca.pem cannot be used: No such file or directory" == fault(settings)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Return the URL of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
