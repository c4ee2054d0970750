"""A query's known parameters decide what is shown, however they are written; whatever else it holds is ignored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.web.stage import BASE_URL, Stage
from tokenboard.query import ParameterError
from tokenboard.web import PagesVisibility
from tokenboard.web.pages import PAGES, RESOURCES
from tokenboard.web.parameters import Parameter, canonical
from tokenboard.web.sessions import COOKIE

KNOWN = (Parameter("sort", "popular"), Parameter("offset", "0", number=True), Parameter("q"))
EVIL = {"Host": "evil.example"}
PATHS = (*(page.path for page in PAGES), *(drawing.path for drawing in RESOURCES))
ADDRESSES = [path for path in PATHS if "{" not in path]
OF_AN_APP = ("/apps/{}", "/apps/{}.json", "/feeds/apps/{}.atom", "/badge/apps/{}.json", "/charts/apps/{}/ranks.svg")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["sort", "offset", "q", "utm", ""]),
            st.sampled_from(["", " ", "popular", " trending", "0", "007", "7 ", "x" * 50]),
        ),
        max_size=6,
    )
)
def test_queries_that_ask_for_the_same_are_one(query: list[tuple[str, str]]) -> None:
    known = [(name, value.strip()) for name, value in query if name in {"sort", "offset", "q"}]
    if len({name for name, _ in known}) < len(known):
        with pytest.raises(ParameterError):
            canonical(query, KNOWN)
        return
    same = {"sort": {"popular": ""}, "offset": {"0": "", "007": "7"}, "q": {}}
    expected = {(name, same[name].get(value, value)) for name, value in known}
    assert sorted(each for each in expected if each[1]) == list(canonical(query, KNOWN))
    assert canonical(query, KNOWN) == canonical(reversed([*query, ("more", "of it")]), KNOWN)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_unknown_parameter_changes_nothing(browser: TestClient, address: str) -> None:
    plain = browser.get(address)
    for more in ("utm_source=x", "&".join(f"a{n}={n}" for n in range(200)), "%00=%ff&=&&"):
        answer = browser.get(f"{address}?{more}")
        assert (plain.status_code, plain.headers["etag"]) == (answer.status_code, answer.headers["etag"])


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("/rankings?metric=requests&category=coding", "/rankings?category=coding&metric=%20requests&sort=popular"),
        ("/apps?sort=name", "/apps?offset=000&sort=name&q="),
        ("/badge/apps/1.svg", "/badge/apps/1.svg?style=flat&metric=tokens"),
    ],
)
def test_defaults_order_and_white_space_make_no_other_page(browser: TestClient, address: str, other: str) -> None:
    assert browser.get(address).content == browser.get(other).content


@pytest.mark.parametrize(
    ("asked", "leads"),
    [
        ("/rankings/", "/rankings"),
        ("/rankings/?sort=trending", "/rankings?sort=trending"),
        ("/apps/1/", "/apps/1"),
        ("/docs/api/", "/docs/api"),
        ("/rankings//", "/rankings"),
    ],
)
def test_a_slash_too_many_leads_to_the_page_on_this_board_whatever_the_host_says(
    browser: TestClient, asked: str, leads: str
) -> None:
    answer = browser.get(asked, headers=EVIL)
    assert (307, leads) == (answer.status_code, answer.headers["location"])


@pytest.mark.parametrize("path", ["//evil.example/", "//evil.example/rankings/", "/nothing/", "/\\evil.example/"])
def test_a_slash_too_many_leads_to_no_other_host(browser: TestClient, path: str) -> None:
    answer = browser.request("GET", f"{BASE_URL}{path}")
    assert (404, None) == (answer.status_code, answer.headers.get("location"))


@pytest.mark.parametrize(
    "path", ["/", "/rankings", "/apps", "/docs", "/docs/attribution", "/feeds/apps.atom", "/nothing"]
)
def test_no_page_repeats_the_host_of_a_request(browser: TestClient, path: str) -> None:
    answer = browser.get(path, headers=EVIL | {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"})
    assert "evil.example" not in answer.text
    assert all("evil.example" not in value for value in answer.headers.values())


@pytest.mark.parametrize("fields", [11, 200])
def test_a_form_of_too_many_fields_is_refused_on_the_form(stage: Stage, fields: int) -> None:
    browser = stage.open(PagesVisibility.KEY)
    answer = browser.post("/session", data={f"f{n}": "x" for n in range(fields)} | {"key": "tb-x"})
    assert 400 == answer.status_code
    assert "more than 10 fields" in answer.text
    assert '<form method="post" action="/session"' in answer.text
    assert COOKIE not in browser.cookies


@pytest.mark.parametrize("number", ["9" * 5_000, "9" * 19, "0", "01", "²", "%00"])
def test_a_number_that_no_app_can_have_is_404(browser: TestClient, number: str) -> None:
    for path in OF_AN_APP:
        assert 404 == browser.get(path.format(number)).status_code
