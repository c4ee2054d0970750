import pytest

from tokenboard.attribution import Reason, attribute
from tokenboard.attribution.referer import MAX_VALUES, values

SPLIT = [
    (b"https://a.com", [b"https://a.com"]),
    (b"https://a.com, https://b.com", [b"https://a.com", b"https://b.com"]),
    (b"https://a.com,https://b.com", [b"https://a.com", b"https://b.com"]),
    (b"https://a.com/x,https://b.com/y", [b"https://a.com/x", b"https://b.com/y"]),
    (b"https://a.com/x, b.com", [b"https://a.com/x", b"b.com"]),
    (b"a.com,b.com:80,localhost:3000/x,y", [b"a.com", b"b.com:80", b"localhost:3000/x,y"]),
    (b"https://a.com:8080,b.com", [b"https://a.com:8080", b"b.com"]),
    (b"[::1]:80,b.com", [b"[::1]:80", b"b.com"]),
    (b"https://a.com/,", [b"https://a.com/"]),
    (b"https://a.com/x, ", [b"https://a.com/x"]),
    (b",, ,https://a.com", [b"https://a.com"]),
    (b"null,https://a.com", [b"null", b"https://a.com"]),
    # one URL that holds commas
    (b"https://a.com/@40.7,-74.0,12z", [b"https://a.com/@40.7,-74.0,12z"]),
    (b"https://a.com/x,b.com", [b"https://a.com/x,b.com"]),
    (b"https://a.com?q=1,2.com", [b"https://a.com?q=1,2.com"]),
    (b"https://a.com#1,2.com", [b"https://a.com#1,2.com"]),
    (b"https://user,name:p,w@a.com/x", [b"https://user,name:p,w@a.com/x"]),
    (b"javascript:f(1,b.com)", [b"javascript:f(1,b.com)"]),
]


@pytest.mark.parametrize(("line", "expected"), SPLIT)
def test_a_line_is_divided_at_commas_between_urls_only(line: bytes, expected: list[bytes]) -> None:
    assert expected == list(values([line]))


ATTRIBUTED: list[tuple[list[bytes], str | None, Reason | None]] = [
    ([b"", b"https://b.com"], "https://b.com", None),
    ([b"  ", b"https://b.com"], "https://b.com", None),
    ([b"https://a.com", b"https://b.com"], "https://a.com", None),
    ([b"null", b"https://b.com"], "https://b.com", None),
    ([b"<YOUR_SITE_URL>, https://b.com"], "https://b.com", None),
    ([b"http://localhost:3000, https://b.com"], "https://b.com", None),
    ([b"https://a.com/, https://a.com/"], "https://a.com", None),
    ([b"https://a.com/" + b"p" * 3000, b"https://b.com"], "https://b.com", None),
    ([b"https://a.com/caf\xc3\xa9, https://b.com/\xe9"], "https://a.com/caf%C3%A9", None),
    ([], None, Reason.MISSING_REFERER),
    ([b"", b" , ,"], None, Reason.MISSING_REFERER),
    ([b"", b"null", b"<X>"], None, Reason.INVALID_REFERER),
    ([b"<X>, null"], None, Reason.PLACEHOLDER_REFERER),
    ([b"http://localhost:3000, null"], None, Reason.LOCALHOST_WITHOUT_TITLE),
    ([b"https://a.com/" + b"p" * 3000, b"null"], None, Reason.REFERER_TOO_LONG),
]


@pytest.mark.parametrize(("lines", "url", "reason"), ATTRIBUTED)
def test_the_first_value_that_resolves_wins(lines: list[bytes], url: str | None, reason: Reason | None) -> None:
    attribution = attribute([(b"HTTP-Referer", line) for line in lines])
    assert (url, reason) == (attribution.app and attribution.app.url, attribution.reason)


def test_a_loopback_url_with_a_title_comes_before_a_later_public_one() -> None:
    attribution = attribute([(b"http-referer", b"localhost:3000, https://b.com"), (b"x-title", b"Mine")])
    assert attribution.app is not None
    assert attribution.app.url == "http://localhost:3000"


def test_values_past_the_limit_are_not_looked_at() -> None:
    useless = [(b"http-referer", b"null")]
    good = [(b"http-referer", b"https://b.com")]
    assert attribute(useless * (MAX_VALUES - 1) + good).tracked
    assert not attribute(useless * MAX_VALUES + good).tracked


def test_empty_items_do_not_count_towards_the_limit() -> None:
    assert attribute([(b"http-referer", b"," * 5000 + b" , " * 5000 + b"https://b.com")]).tracked
