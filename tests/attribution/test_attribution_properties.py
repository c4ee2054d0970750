import re
from urllib.parse import urlsplit

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tokenboard.attribution import (
    CATEGORIES,
    AppIdentity,
    AttributionOptions,
    AttributionRule,
    RefererError,
    attribute,
    canonical_url,
)

NAMES = st.sampled_from(
    [
        b"HTTP-Referer",
        b"http-referer",
        b"Referer",
        b"X-OpenRouter-Title",
        b"x-title",
        b"X-OpenRouter-Categories",
        b"User-Agent",
        b"Cookie",
    ]
)

# Pieces that mean something to a URL parser or to the rules, in any order: far more telling than random text.
WORDS = """
    http https ws ftp file app vscode javascript data :// // : / \\ \\\\ ? # @ , . .. ... %2e %2E %2e%2e www. www WWW.
    localhost .localhost LOCALHOST 127.0.0.1 127.1 127 0x7f 0 1 0177 256 2130706433 [::1] [::] [::ffff:127.0.0.1]
    [2001:db8::1] [ ] example.com Example com .com github.com huggingface.co gitlab.com spaces datasets .git .GIT ...git
    a b A x user:pw@ :80 :443 :3000 :99999 <X> < > ${X} $ { } {{ }} {{x}} YOUR_SITE_URL your_ your- %3C %3E %7B%7B
    %00 %0a %25 % %zz %ff %C3%BC %c3 xn-- xn--bcher-kva ü é ß İ 。 ． １２７
    ｛｛ ＜ ， null about:client ; ' " ` | ^ * ( ) ! & = + ~ - _
"""
INVISIBLE = [" ", "\t", "\n", "\r", "\x00", "\x1f", "\x7f", "\x85", "\xa0", "\xad", "\u200d", "\u202e", "\ufeff"]
PIECES = st.sampled_from(WORDS.split() + INVISIBLE)
REFERERS = (
    st.lists(PIECES, max_size=12).map("".join)
    | st.lists(PIECES, max_size=8).map(lambda pieces: "https://" + "".join(pieces))
    | st.lists(PIECES, max_size=8).map(lambda pieces: "app://" + "".join(pieces))
    | st.lists(PIECES, max_size=8).map(lambda pieces: "https://github.com/a/" + "".join(pieces))
)

CANONICAL = re.compile(
    r"""
      https://[^/?\#@:\s\[\]<>{}A-Z]+(?::[1-9][0-9]{0,4}|:0)?(?:/[^?\#\s<>]*)?      # a name or IPv4
    | https://\[[0-9a-f:]+\](?::[0-9]+)?(?:/[^?\#\s<>]*)?                           # IPv6
    | http://[^/?\#@:\s\[\]<>{}A-Z]+(?::[0-9]+)?                                    # loopback
    | http://\[[0-9a-f:]+\](?::[0-9]+)?
    | [a-z][a-z0-9+.-]*://[^/?\#@:\s\[\]<>{}A-Z]+(?::[0-9]+)?                       # another scheme
    | [a-z][a-z0-9+.-]*://\[[0-9a-f:]+\](?::[0-9]+)?
    """,
    re.VERBOSE,
)
REFUSED_SCHEMES = ("javascript:", "data:", "file:", "blob:", "about:", "vbscript:", "filesystem:", "view-source:")


def check_canonical(url: str) -> None:
    assert CANONICAL.fullmatch(url), url
    assert url.isascii()
    assert url.isprintable()
    assert len(url) <= 512
    assert not url.startswith(REFUSED_SCHEMES)
    assert not url.endswith("/")
    assert canonical_url(url) == url


@settings(max_examples=1500, deadline=None)
@given(REFERERS)
@example("https://www.www.example.com")
@example("https://127.1..")
@example("https://github.com/a/...git")
@example("https://localhost:80")
@example("http://x.com:443")
@example("app://%41.localhost")
@example("app://a%.localhost")
@example("app://%7B%7B.localhost")
@example("app://a%2Eyour_.localhost")
@example("app://\uff11\uff12\uff17.1")
def test_a_canonical_url_is_its_own_canonical_url(text: str) -> None:
    try:
        url = canonical_url(text)
    except RefererError:
        return
    check_canonical(url)
    if "," in url:
        return  # allowed in a path, where a header's line may end the value
    # It comes through the header as the one value that it is, and is the same app.
    assert attribute([(b"http-referer", url.encode()), (b"x-title", b"T")]).app == AppIdentity.of(url, "T")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_have_a_canonical_url_or_a_reason(value: bytes) -> None:
    for prefix in (b"", b"https://", b"https://x.com/", b"app://"):
        try:
            check_canonical(canonical_url(prefix + value))
        except RefererError:
            continue


RULES = (
    AttributionRule("https://batch.example", key_label="batch"),
    AttributionRule("localhost:1", user_agent_prefix="a", title="A"),
)


@settings(max_examples=600, deadline=None)
@given(
    st.lists(st.tuples(NAMES | st.binary(max_size=8), st.binary(max_size=60) | REFERERS.map(str.encode)), max_size=8),
    st.booleans(),
    st.sampled_from([(), RULES]),
    st.sampled_from([None, "batch", "other"]),
)
def test_attribution_never_raises_and_always_holds_together(
    headers: list[tuple[bytes, bytes]],
    browser_referer: bool,
    rules: tuple[AttributionRule, ...],
    key_label: str | None,
) -> None:
    attribution = attribute(headers, AttributionOptions(browser_referer, rules), key_label=key_label)
    assert (attribution.app is None) != (attribution.reason is None)
    assert attribution.tracked == (attribution.app is not None) == (attribution.name is not None)
    assert (attribution.title_source is None) or attribution.title is not None
    assert len(attribution.categories) <= 2
    assert set(attribution.categories) <= CATEGORIES
    assert all(item.value.isprintable() and len(item.value) <= 200 for item in attribution.ignored)
    assert len({warning.code for warning in attribution.warnings}) == len(attribution.warnings)
    if attribution.title is not None:
        assert attribution.title.isprintable()
        assert 1 <= len(attribution.title) <= 100
    if attribution.app is not None:
        check_canonical(attribution.app.url)
        assert attribution.app == AppIdentity.from_key(attribution.app.key)
        assert (attribution.app.title_key is not None) == attribution.app.url.startswith("http://")


# A slow reference: the canonical form is put together from the parts, never by parsing.

LABEL = st.from_regex(r"[a-z][a-z0-9]{0,7}", fullmatch=True).filter(lambda label: label not in ("www", "localhost"))
SEGMENT = st.from_regex(r"[A-Za-z0-9_~-]{1,8}(\.git)?", fullmatch=True)


def any_case(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from([text, text.upper(), text.title()])


@settings(max_examples=400, deadline=None)
@given(
    data=st.data(),
    scheme=st.sampled_from(["http", "https", "vscode", None]),
    user=st.sampled_from(["", "me@", "me:p,w@"]),
    www=st.sampled_from(["", "www."]),
    host=st.lists(LABEL, min_size=2, max_size=4).map(".".join)
    | st.sampled_from(
        ["github.com", "huggingface.co", "localhost", "app.localhost", "127.3.2.1", "0.0.0.0", "10.1.2.3"]
    ),
    dot=st.sampled_from(["", "."]),
    port=st.sampled_from([None, 80, 443, 3000]),
    segments=st.lists(SEGMENT | st.sampled_from(["spaces", "Datasets"]), max_size=5),
    slashes=st.sampled_from(["", "/", "//"]),
    rest=st.sampled_from(["", "?q=1,2", "#f", "?a#b/c"]),
)
def test_the_url_rules_agree_with_a_slow_reference(
    *,
    data: st.DataObject,
    scheme: str | None,
    user: str,
    www: str,
    host: str,
    dot: str,
    port: int | None,
    segments: list[str],
    slashes: str,
    rest: str,
) -> None:
    is_address = host[0].isdigit()
    loopback = host in ("localhost", "app.localhost", "127.3.2.1", "0.0.0.0")
    if is_address or loopback:
        www = ""
    if scheme is None:
        user = ""
    path = "".join(f"/{segment}" for segment in segments)
    sent = f"{scheme}://" if scheme else ""
    sent += user + data.draw(any_case(www + host)) + dot
    sent += "" if port is None else f":{port}"
    sent += path + (slashes if path or slashes else "/") + rest

    sent_scheme = scheme or "http"
    default = {"http": 80, "https": 443}
    if port == default.get(sent_scheme):
        port = None
    if loopback:
        expected = f"http://{host}" + ("" if port in (None, 80) else f":{port}")
    elif sent_scheme == "vscode":
        expected = f"vscode://{www}{host}" + ("" if port is None else f":{port}")
    else:
        expected = f"https://{host}" + ("" if port in (None, 443) else f":{port}")
        if host in ("github.com", "huggingface.co"):
            kept = [segment.lower() for segment in segments]
            kept = kept[:3] if host == "huggingface.co" and kept and kept[0] in ("spaces", "datasets") else kept[:2]
            if kept:
                kept[-1] = kept[-1].removesuffix(".git")
            expected += "".join(f"/{segment}" for segment in kept)
        else:
            expected += path
    assert expected == canonical_url(sent)
    attribution = attribute([(b"http-referer", sent.encode()), (b"x-title", b"T")])
    assert attribution.app is not None
    assert expected == attribution.app.url


@settings(deadline=None)
@given(st.lists(LABEL, min_size=2, max_size=3).map(".".join), st.lists(SEGMENT, max_size=3).map("/".join))
def test_a_plain_url_keeps_its_host_and_path_as_another_parser_reads_them(host: str, path: str) -> None:
    parts = urlsplit(canonical_url(f"http://{host}/{path}"))
    assert (parts.scheme, parts.hostname, parts.path.removeprefix("/")) == ("https", host, path)
