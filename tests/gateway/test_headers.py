"""Which headers cross the gateway."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenboard.gateway import ForwardAttribution
from tokenboard.gateway.headers import (
    AnswerHeadersReader,
    Headers,
    request_headers,
    response_headers,
    withheld_from_upstream,
)

OWN = [(b"authorization", b"Bearer sk-upstream")]
APP = [
    (b"HTTP-Referer", b"https://a.example"),
    (b"X-OpenRouter-Title", b"A"),
    (b"X-Title", b"B"),
    (b"X-OpenRouter-Categories", b"game"),
]
HOP_BY_HOP = [
    b"Connection",
    b"Keep-Alive",
    b"Proxy-Authenticate",
    b"Proxy-Authorization",
    b"Proxy-Connection",
    b"TE",
    b"Trailer",
    b"Transfer-Encoding",
    b"Upgrade",
]


def sent(received: Headers, forward: ForwardAttribution = ForwardAttribution.PASS, own: Headers = OWN) -> Headers:
    return request_headers(received, withheld_from_upstream(forward, own), own)


@pytest.mark.parametrize(
    "name", [b"Authorization", b"X-Api-Key", b"Api-Key", b"X-Goog-Api-Key", b"Cookie", *HOP_BY_HOP]
)
@pytest.mark.parametrize("spelled", [bytes.lower, bytes.upper, bytes.title, bytes.swapcase])
def test_the_clients_credentials_and_hop_by_hop_headers_stay_here(name: bytes, spelled: object) -> None:
    assert OWN == sent([(spelled(name), b"secret"), (spelled(name), b"again")])  # type: ignore[operator]


@pytest.mark.parametrize(
    "name", [b"host", b"content-length", b"expect", b"x-forwarded-for", b"x-real-ip", b"forwarded"]
)
def test_what_belongs_to_the_clients_connection_stays_here(name: bytes) -> None:
    assert OWN == sent([(name, b"1")])


def test_all_else_is_sent_on_in_order_with_its_bytes() -> None:
    headers = [
        (b"accept", b"*/*"),
        (b"x-stainless-os", b"Linux"),
        (b"x-y", b"caf\xe9"),
        (b"accept", b""),
        (b"user-agent", b"x"),
    ]
    assert headers + OWN == sent(headers)


def test_names_that_no_upstream_knows_are_left_out() -> None:
    assert [(b"x" * 256, b"1"), *OWN] == sent([(b"x" * 256, b"1"), (b"x" * 257, b"2")])


def test_what_connection_names_is_hop_by_hop_too() -> None:
    headers = [
        (b"X-One", b"1"),
        (b"Connection", b"close, X-ONE"),
        (b"connection", b"x-two,, "),
        (b"x-two", b"2"),
        (b"x-3", b"3"),
    ]
    assert [(b"x-3", b"3"), *OWN] == sent(headers)
    assert [(b"x-3", b"3")] == response_headers(headers, 200)


def test_connection_cannot_take_off_what_tells_how_to_read_the_body() -> None:
    headers = [
        (b"connection", b"content-type, content-encoding, content-length"),
        (b"content-type", b"a/b"),
        (b"content-encoding", b"br"),
        (b"content-length", b"3"),
    ]
    assert headers[1:] == response_headers(headers, 200)


def test_connection_cannot_take_off_the_upstreams_key() -> None:
    assert OWN == sent([(b"connection", b"authorization")])


def test_attribution_is_passed_replaced_or_dropped() -> None:
    board = [*OWN, (b"http-referer", b"https://board.example"), (b"x-title", b"board")]
    lower = [(name.lower(), value) for name, value in APP]
    assert lower + OWN == sent(APP)
    assert board == sent(APP, ForwardAttribution.REPLACE, board)
    assert OWN == sent(APP, ForwardAttribution.DROP)


def test_a_header_of_the_upstreams_own_replaces_the_clients() -> None:
    own = [*OWN, (b"openai-organization", b"ours")]
    assert own == sent([(b"OpenAI-Organization", b"theirs")], own=own)


ABOUT_THE_UPSTREAM = b"""
    Date Server Via X-Powered-By
    Location Content-Location Refresh Alt-Svc Link
    Set-Cookie Set-Cookie2 WWW-Authenticate Proxy-Status
    Strict-Transport-Security Clear-Site-Data Content-Security-Policy Content-Security-Policy-Report-Only
    X-Frame-Options
    Permissions-Policy Referrer-Policy NEL Report-To Reporting-Endpoints Accept-CH Service-Worker-Allowed
    Access-Control-Allow-Origin Access-Control-Allow-Credentials Access-Control-Expose-Headers Access-Control-Anything
    Cross-Origin-Opener-Policy Cross-Origin-Resource-Policy Timing-Allow-Origin Origin-Agent-Cluster
    X-Accel-Redirect X-Sendfile
    X-Generation-Id X-Tokenboard-App X-Tokenboard-As-Of
""".split()


@pytest.mark.parametrize("name", [*ABOUT_THE_UPSTREAM, *HOP_BY_HOP])
def test_what_the_upstream_says_of_itself_does_not_reach_the_client(name: bytes) -> None:
    assert [] == response_headers([(name, b"x"), (name.lower(), b"y")], 200)


def test_the_answers_headers_reach_the_client() -> None:
    headers = [
        (b"content-type", b"text/event-stream"),
        (b"content-encoding", b"gzip"),
        (b"x-request-id", b"\xff"),
        (b"request-id", b"r"),
        (b"retry-after", b"9"),
        (b"x-should-retry", b"false"),
        (b"x-ratelimit-remaining-tokens", b"7"),
        (b"anthropic-ratelimit-requests-limit", b"50"),
        (b"anthropic-organization-id", b"o"),
        (b"openai-processing-ms", b"12"),
        (b"cf-ray", b"c"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"warning", b"w"),
        (b"vary", b"a"),
        (b"vary", b"b"),
    ]
    assert headers == response_headers(headers, 200)


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_tells_no_length(status: int) -> None:
    assert [(b"etag", b"x")] == response_headers([(b"content-length", b"10"), (b"etag", b"x")], status)


_header = st.tuples(
    st.sampled_from([b"Connection", b"x-a", b"X-B", b"Authorization", b"COOKIE", b"x-title", b"te"]),
    st.sampled_from([b"x-a", b"x-b, te", b"authorization", b"", b"close"]),
)


@given(st.lists(_header, max_size=8), st.sampled_from(ForwardAttribution))
def test_any_headers_give_what_a_slow_reading_of_the_rules_gives(
    received: Headers, forward: ForwardAttribution
) -> None:
    named = {part.strip() for name, value in received if name.lower() == b"connection" for part in value.split(b",")}
    barred = {b"connection", b"authorization", b"cookie", b"te"} | named
    if forward is not ForwardAttribution.PASS:
        barred |= {b"x-title"}
    expected = [(name.lower(), value) for name, value in received if name.lower() not in barred]
    assert expected + OWN == sent(received, forward)


_answered = st.tuples(
    st.sampled_from(
        [
            b"Connection",
            b"Content-Type",
            b"content-type",
            b"Content-Encoding",
            b"Content-Length",
            b"X-A",
            b"Server",
            b"Via",
        ]
    ),
    st.sampled_from([b"x-a", b"X-A, te", b"Keep-Alive", b"", b"close", b"Text/Plain", b"7"]),
)


@given(st.lists(st.lists(_answered, max_size=6), max_size=9), st.sampled_from([200, 204, 304, 429]))
def test_answers_headers_that_are_kept_in_mind_by_their_names_read_as_at_first_sight(
    answers: list[Headers], status: int
) -> None:
    reader = AnswerHeadersReader()
    for received in [*answers, *answers]:
        fields = response_headers(received, status)
        found = reader.read(received, status)
        assert fields == found.fields
        first = dict(reversed(fields))
        assert first.get(b"content-type", b"").lower() == found.kind
        assert first.get(b"content-encoding", b"") == found.coding
        assert (b"content-length" in first) == found.sized
