import pytest

from tokenboard.attribution import (
    AppIdentity,
    Attribution,
    AttributionOptions,
    AttributionRule,
    Reason,
    attribute,
)
from tokenboard.attribution.attribution import _read_cached


def header(name: str, value: str) -> tuple[bytes, bytes]:
    return name.encode(), value.encode()


REFERER = header("HTTP-Referer", "https://myapp.com/tools")
TITLE = header("X-Title", "Mine")
BROWSER = header("Referer", "https://www.page.example/chat?id=1")


def codes(attribution: Attribution) -> list[str]:
    return [warning.code.value for warning in attribution.warnings]


def test_no_headers_give_nothing() -> None:
    assert Attribution(app=None, reason=Reason.MISSING_REFERER) == attribute([])


@pytest.mark.parametrize("name", ["HTTP-Referer", "http-referer", "HTTP-REFERER"])
def test_header_names_match_in_any_case(name: str) -> None:
    assert attribute([header(name, "https://a.com")]).app == AppIdentity("https://a.com")


def test_headers_with_underscores_are_other_headers() -> None:
    assert not attribute([header("HTTP_Referer", "https://a.com"), header("X_Title", "A")]).tracked


def test_the_name_is_the_title_else_the_url_without_its_scheme() -> None:
    assert attribute([REFERER, TITLE]).name == "Mine"
    assert attribute([REFERER]).name == "myapp.com/tools"
    assert attribute([TITLE]).name is None


def test_a_title_alone_creates_nothing() -> None:
    attribution = attribute([TITLE])
    assert (attribution.app, attribution.reason) == (None, Reason.MISSING_REFERER)
    assert (attribution.title, attribution.title_source) == ("Mine", "x-title")
    assert codes(attribution) == ["title_without_referer"]


def test_a_title_does_not_change_the_identity_of_a_public_url() -> None:
    app = attribute([REFERER, TITLE]).app
    assert app == attribute([REFERER]).app
    assert app is not None
    assert app.key == "https://myapp.com/tools"


def test_apps_on_one_loopback_port_are_told_apart_by_their_case_folded_titles() -> None:
    keys = []
    for title in ("Mine", "MINE", "Stra\u00dfe", "STRASSE", "Yours"):
        app = attribute([header("HTTP-Referer", "https://localhost:3000/x"), header("X-Title", title)]).app
        assert app is not None
        keys.append(app.key)
    url = "http://localhost:3000\n"
    assert keys == [url + "mine", url + "mine", url + "strasse", url + "strasse", url + "yours"]


@pytest.mark.parametrize("app", [AppIdentity("https://a.com/x"), AppIdentity("http://localhost:1", "mine")])
def test_an_identity_is_read_back_from_its_key(app: AppIdentity) -> None:
    assert app == AppIdentity.from_key(app.key)


def test_the_same_headers_give_the_same_answer_from_the_cache_and_anew() -> None:
    headers = [REFERER, TITLE, header("X-OpenRouter-Categories", "game,foo")]
    first = attribute(headers)
    assert first == attribute(headers)
    _read_cached.cache_clear()
    assert first == attribute(headers)


def test_header_sets_too_long_for_the_cache_are_read_all_the_same() -> None:
    _read_cached.cache_clear()
    attribution = attribute([REFERER, header("X-OpenRouter-Categories", "game," + "x" * 5000)])
    assert (attribution.tracked, attribution.categories) == (True, ("game",))
    assert _read_cached.cache_info().currsize == 0


def test_a_browser_s_many_pages_take_one_place_in_the_cache() -> None:
    _read_cached.cache_clear()
    for page in range(20):
        attribute([header("Referer", f"https://page.example/{page}")])
    assert _read_cached.cache_info().currsize == 1


# The browser's Referer


def test_the_browser_s_referer_is_not_attribution() -> None:
    attribution = attribute([BROWSER])
    assert (attribution.app, attribution.reason) == (None, Reason.MISSING_REFERER)
    assert codes(attribution) == ["browser_referer_ignored"]


def test_a_request_that_names_its_app_is_not_warned_of_the_browser_s_referer() -> None:
    assert codes(attribute([REFERER, BROWSER])) == []


def test_the_browser_s_referer_counts_by_origin_where_the_setting_allows_it() -> None:
    attribution = attribute([BROWSER, TITLE], AttributionOptions(browser_referer=True))
    assert (attribution.app, attribution.name) == (AppIdentity("https://page.example"), "Mine")
    assert codes(attribution) == []


def test_the_browser_s_referer_ranks_below_http_referer() -> None:
    options = AttributionOptions(browser_referer=True)
    assert attribute([BROWSER, REFERER], options).app == AppIdentity("https://myapp.com/tools")
    assert attribute([BROWSER, header("HTTP-Referer", "null")], options).app == AppIdentity("https://page.example")


@pytest.mark.parametrize("value", ["about:client", "", "<X>", "http://localhost:3000/"])
def test_a_browser_s_referer_that_names_nothing_is_as_if_absent(value: str) -> None:
    attribution = attribute([header("Referer", value)], AttributionOptions(browser_referer=True))
    assert attribution.reason is Reason.MISSING_REFERER


# Warnings


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([REFERER, TITLE], []),
        ([header("HTTP-Referer", "localhost:3000")], ["localhost"]),
        ([header("HTTP-Referer", "localhost:3000"), TITLE], ["localhost"]),
        ([REFERER, header("X-Title", "AI App")], ["generic_title"]),
        ([REFERER, header("X-Title", "chatbot")], ["generic_title"]),
        (
            [header("X-Title", "Chatbot"), BROWSER],
            ["title_without_referer", "generic_title", "browser_referer_ignored"],
        ),
        ([header("HTTP-Referer", "https://litellm.ai"), header("X-Title", "liteLLM")], ["known_intermediary"]),
        ([header("HTTP-Referer", "https://portkey.ai/")], ["known_intermediary"]),
        ([header("HTTP-Referer", "https://docs.langchain.com/oss")], ["known_intermediary"]),
        ([header("HTTP-Referer", "https://www.newapi.ai")], ["known_intermediary"]),
        ([header("HTTP-Referer", "https://github.com/OpenRouter/examples")], ["known_intermediary"]),
        ([header("HTTP-Referer", "https://github.com/openrouter/other")], []),
        ([header("HTTP-Referer", "null"), TITLE], []),
    ],
)
def test_a_developer_is_warned(headers: list[tuple[bytes, bytes]], expected: list[str]) -> None:
    attribution = attribute(headers)
    assert expected == codes(attribution)
    assert all(len(warning.message) > 20 for warning in attribution.warnings)


# The operator's rules

BY_KEY = AttributionRule("https://batch.example/", key_label="nightly batch", title="Nightly\tBatch")
BY_AGENT = AttributionRule("https://github.com/Acme/Tool", user_agent_prefix="AcmeTool/")
RULES = AttributionOptions(rules=(BY_KEY, BY_AGENT))
AGENT = header("User-Agent", "acmetool/1.2 (linux)")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://litellm.ai", "liteLLM"),
        ("https://docs.langchain.com/oss", "LangChain"),
        ("https://github.com/BerriAI/litellm/tree/main", "liteLLM"),
    ],
)
@pytest.mark.parametrize("title", [None, "liteLLM, Front", "Anybody's app"])
def test_a_known_intermediary_keeps_its_name_whatever_title_comes_along(url: str, name: str, title: str | None) -> None:
    headers = [(b"http-referer", url.encode())] + ([(b"x-title", title.encode())] if title else [])
    who = attribute(headers)
    assert (title, name, name) == (who.title, who.naming_title, who.name)


def test_a_rule_by_key_label_names_the_app() -> None:
    attribution = attribute([TITLE], RULES, key_label="nightly batch")
    assert attribution.app == AppIdentity("https://batch.example")
    assert (attribution.reason, attribution.rule) == (None, BY_KEY)
    assert (attribution.title, attribution.title_source, attribution.warnings) == ("Nightly Batch", None, ())


def test_a_rule_by_user_agent_keeps_the_title_and_the_categories_of_the_headers() -> None:
    attribution = attribute([AGENT, TITLE, header("X-OpenRouter-Categories", "game")], RULES)
    assert attribution.app == AppIdentity("https://github.com/acme/tool")
    assert (attribution.title, attribution.title_source) == ("Mine", "x-title")
    assert (attribution.categories, attribution.rule) == (("game",), BY_AGENT)


def test_the_first_rule_that_applies_wins() -> None:
    assert attribute([AGENT], RULES, key_label="nightly batch").rule is BY_KEY


@pytest.mark.parametrize("headers", [[header("User-Agent", "curl/8")], []])
def test_a_rule_that_does_not_apply_changes_nothing(headers: list[tuple[bytes, bytes]]) -> None:
    attribution = attribute(headers, RULES, key_label="Nightly batch")
    assert (attribution.app, attribution.reason, attribution.rule) == (None, Reason.MISSING_REFERER, None)


@pytest.mark.parametrize("value", ["https://myapp.com", "null", "<YOUR_SITE_URL>", "localhost:3000"])
def test_rules_are_used_only_when_the_headers_give_nothing(value: str) -> None:
    attribution = attribute([AGENT, header("HTTP-Referer", value)], RULES, key_label="nightly batch")
    assert attribution.rule is None
    assert attribution.reason is not Reason.MISSING_REFERER


def test_an_empty_referer_gives_nothing_so_a_rule_applies() -> None:
    assert attribute([AGENT, header("HTTP-Referer", "  ")], RULES).rule is BY_AGENT


def test_a_rule_comes_after_the_browser_s_referer() -> None:
    options = AttributionOptions(browser_referer=True, rules=(BY_AGENT,))
    assert attribute([AGENT, BROWSER], options).app == AppIdentity("https://page.example")
    assert attribute([AGENT, header("Referer", "about:client")], options).rule is BY_AGENT


def test_a_loopback_rule_is_identified_by_its_own_title() -> None:
    rule = AttributionRule("localhost:3000", key_label="dev", title="Dev Box")
    attribution = attribute([TITLE], AttributionOptions(rules=(rule,)), key_label="dev")
    assert attribution.app == AppIdentity("http://localhost:3000", "dev box")
    assert codes(attribution) == ["localhost"]


@pytest.mark.parametrize(
    ("url", "key_label", "user_agent_prefix", "title", "message"),
    [
        ("https://a.com", None, None, None, "exactly one"),
        ("https://a.com", "k", "u", None, "exactly one"),
        ("https://a.com", "", None, None, "must not be empty"),
        ("https://a.com", None, "", None, "must not be empty"),
        ("null", "k", None, None, "names no app: invalid_referer"),
        ("localhost:3000", "k", None, None, "names no app: localhost_without_title"),
        ("https://a.com", "k", None, "<X>", "empty or a placeholder"),
    ],
)
def test_a_rule_that_could_never_give_an_app_is_refused(
    url: str, key_label: str | None, user_agent_prefix: str | None, title: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        AttributionRule(url, key_label=key_label, user_agent_prefix=user_agent_prefix, title=title)
