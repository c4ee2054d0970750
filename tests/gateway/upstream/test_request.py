import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenboard.gateway.upstream.request import render_head

TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def post(headers: list[tuple[bytes, bytes]], body: bytes = b"{}", target: bytes = b"/v1/x") -> bytes:
    return render_head(b"up:8000", b"POST", target, headers, body)


def test_host_and_content_length_are_added_when_missing() -> None:
    assert b"POST /v1/x HTTP/1.1\r\nHost: up:8000\r\nA: b\r\nContent-Length: 2\r\n\r\n" == post([(b"A", b"b")])


def test_given_host_and_length_are_kept_in_their_places() -> None:
    headers = [(b"content-LENGTH", b"2"), (b"x-b", b""), (b"hOST", b"other")]
    assert b"POST /v1/x HTTP/1.1\r\ncontent-LENGTH: 2\r\nx-b: \r\nhOST: other\r\n\r\n" == post(headers)


def test_a_get_without_body_has_no_length() -> None:
    assert b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" == render_head(b"h", b"GET", b"/", [], b"")


def test_a_get_without_any_line_to_add_is_still_a_whole_head() -> None:
    assert b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" == render_head(b"h", b"GET", b"/", [(b"Host", b"x")], b"")


def test_a_head_without_body_has_no_length() -> None:
    assert b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" == render_head(b"h", b"HEAD", b"/", [], b"")


def test_an_empty_post_says_that_it_is_empty() -> None:
    assert post([], b"").endswith(b"Content-Length: 0\r\n\r\n")


@pytest.mark.parametrize("value", [b"a\rb", b"a\nb", b"a\r\nX-Evil: 1", b"\x00", b"a\x1b", b"\x7f", b"\r\n"])
def test_a_control_character_in_a_value_is_refused_without_telling_the_value(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"^a header value holds a control character$"):
        post([(b"Authorization", b"Bearer k"), (b"X", value), (b"Y", b"z")])


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r\nb", b"a\x00", "é".encode(), b" a", b"a" * 257])
def test_a_name_that_is_no_token_is_refused(name: bytes) -> None:
    with pytest.raises(ValueError, match="header name"):
        post([(name, b"v")])


@pytest.mark.parametrize("target", [b"", b"/a b", b"/a\r\n", b"/\x00", "/é".encode(), b"/\x7f"])
def test_a_target_with_anything_but_visible_ascii_is_refused(target: bytes) -> None:
    with pytest.raises(ValueError, match="target"):
        post([], target=target)


@pytest.mark.parametrize("method", [b"", b"GE T", b"GET\r\n", b"CONNECT"])
def test_methods_that_cannot_be_relayed_are_refused(method: bytes) -> None:
    with pytest.raises(ValueError, match=r"method|relayed"):
        render_head(b"h", method, b"/", [], b"")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"Content-Length", b"3")],
        [(b"Content-Length", b"+2")],
        [(b"Content-Length", b" 2")],
        [(b"Content-Length", b"9" * 5000)],
        [(b"Content-Length", b"2"), (b"content-length", b"2")],
        [(b"Host", b"a"), (b"host", b"a")],
        [(b"Transfer-Encoding", b"chunked")],
    ],
)
def test_framing_that_contradicts_the_body_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ValueError, match=r"Content-Length|Host|host|content-length|Transfer-Encoding"):
        post(headers)


def is_clean(name: bytes, value: bytes) -> bool:
    return 0 < len(name) <= 256 and all(c in TOKEN for c in name) and all(c == 9 or 32 <= c != 127 for c in value)


@given(
    headers=st.lists(
        st.tuples(
            st.one_of(st.binary(max_size=3), st.text("ab-", min_size=1, max_size=5).map(str.encode)),
            st.one_of(st.binary(max_size=4), st.text("ab \t", max_size=5).map(str.encode)),
        ),
        max_size=5,
    ),
    body=st.binary(max_size=9),
)
def test_what_is_rendered_is_read_back_line_by_line(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    if not all(is_clean(name, value) for name, value in headers):
        with pytest.raises(ValueError, match="header"):
            post(headers, body)
        return
    expected = [b"Host: up:8000", *(n + b": " + v for n, v in headers), b"Content-Length: %d" % len(body)]
    assert [b"POST /v1/x HTTP/1.1", *expected, b"", b""] == post(headers, body).split(b"\r\n")
