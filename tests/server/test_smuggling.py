"""What two parsers could read in two ways is refused, and nothing of it is handed on.

Each row: a name, the raw bytes, and either the statuses sent back, or what the application saw of one request.
"""

import pytest

from tests.server.rig import HOST, Log, error_of, run, serving, statuses

GET = b"GET / HTTP/1.1\r\n" + HOST
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"

REFUSED: dict[str, tuple[bytes, int]] = {
    # two framings
    "length and chunked": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    "chunked and length": (CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + NEXT, 400),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello" + NEXT, 400),
    "two equal lengths": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" + NEXT, 400),
    "a list of lengths": (POST + b"Content-Length: 5, 5\r\n\r\nhello" + NEXT, 400),
    "a signed length": (POST + b"Content-Length: +5\r\n\r\nhello" + NEXT, 400),
    "a negative length": (POST + b"Content-Length: -5\r\n\r\nhello" + NEXT, 400),
    "a hexadecimal length": (POST + b"Content-Length: 0x5\r\n\r\nhello" + NEXT, 400),
    "a length in two words": (POST + b"Content-Length: 1 5\r\n\r\nhello" + NEXT, 400),
    "an empty length": (POST + b"Content-Length:\r\n\r\n" + NEXT, 400),
    "a length past 64 bits": (POST + b"Content-Length: 18446744073709551621\r\n\r\nhello" + NEXT, 400),
    "a length with a tab inside": (POST + b"Content-Length: 5\t0\r\n\r\nhello" + NEXT, 400),
    # transfer codings
    "chunked twice": (CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    "chunked twice in one": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    "chunked, then another": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" + NEXT, 400),
    "another, then chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + NEXT, 501),
    "identity": (POST + b"Transfer-Encoding: identity\r\n\r\n" + NEXT, 501),
    "almost chunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + NEXT, 501),
    "chunked in quotes": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n' + NEXT, 501),
    "chunked behind a vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    "chunked on a folded line": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    "chunked in HTTP/1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    "chunked with a parameter": (POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n" + NEXT, 501),
    # chunks
    "a chunk size past 64 bits": (CHUNKED + b"\r\n1000000000000000f\r\n" + NEXT, 400),
    "a negative chunk size": (CHUNKED + b"\r\n-1\r\n" + NEXT, 400),
    "a chunk size with 0x": (CHUNKED + b"\r\n0x5\r\nhello\r\n0\r\n\r\n" + NEXT, 400),
    "a chunk size and a space": (CHUNKED + b"\r\n5 \r\nhello\r\n0\r\n\r\n" + NEXT, 400),
    "no chunk size": (CHUNKED + b"\r\n\r\n" + NEXT, 400),
    "a chunk size before a bare LF": (CHUNKED + b"\r\n5\nhello\n0\n\n" + NEXT, 400),
    "chunk data longer than its size": (CHUNKED + b"\r\n1\r\nhello\r\n0\r\n\r\n" + NEXT, 400),
    "a bare LF in a chunk extension": (CHUNKED + b"\r\n5;a=b\n0\r\nhello\r\n0\r\n\r\n" + NEXT, 400),
    "NUL in a chunk extension": (CHUNKED + b"\r\n5;a=\x00\r\nhello\r\n0\r\n\r\n" + NEXT, 400),
    "a flood of chunk extension": (CHUNKED + b"\r\n5;a=" + b"b" * 400_000 + b"\r\nhello\r\n0\r\n\r\n", 400),
    "chunk extensions without end": (CHUNKED + b"\r\n" + (b"1;" + b"e" * 2_000 + b"\r\nx\r\n") * 400, 400),
    "a length in a trailer": (CHUNKED + b"\r\n0\r\nContent-Length: 5\r\n\r\n" + NEXT, 400),
    "chunked in a trailer": (CHUNKED + b"\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n" + NEXT, 400),
    "a flood of trailers": (CHUNKED + b"\r\n0\r\n" + b"X: y\r\n" * 10_000 + b"\r\n" + NEXT, 431),
    # lines and fields
    "bare LF everywhere": (b"GET / HTTP/1.1\nHost: board\n\n" + NEXT, 400),
    "a bare LF behind a field": (GET + b"X: a\nY: b\r\n\r\n" + NEXT, 400),
    "a bare LF as the empty line": (GET + b"X: a\r\n\n" + NEXT, 400),
    "a bare CR in a value": (GET + b"X: a\rContent-Length: 5\r\n\r\n" + NEXT, 400),
    "two CRs": (GET + b"X: a\r\r\n\r\n" + NEXT, 400),
    "NUL in a value": (GET + b"X: a\x00b\r\n\r\n" + NEXT, 400),
    "NUL in a name": (GET + b"X\x00: a\r\n\r\n" + NEXT, 400),
    "a control in a value": (GET + b"X: a\x01b\r\n\r\n" + NEXT, 400),
    "DEL in a value": (GET + b"X: a\x7fb\r\n\r\n" + NEXT, 400),
    "a folded value": (GET + b"X: a\r\n b\r\n\r\n" + NEXT, 400),
    "a folded first field": (b"GET / HTTP/1.1\r\n Host: board\r\n\r\n" + NEXT, 400),
    "a space before the colon": (POST + b"Content-Length : 5\r\n\r\nhello" + NEXT, 400),
    "a tab before the colon": (POST + b"Content-Length\t: 5\r\n\r\nhello" + NEXT, 400),
    "a space within a name": (GET + b"Content Length: 5\r\n\r\n" + NEXT, 400),
    "no colon": (GET + b"nonsense\r\n\r\n" + NEXT, 400),
    "no name": (GET + b": a\r\n\r\n" + NEXT, 400),
    "a name beyond ASCII": (GET + "Größe: 5\r\n\r\n".encode() + NEXT, 400),
    "one header of 1 MB": (GET + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n" + NEXT, 431),
    "one name of 1 MB": (GET + b"X" * 1_000_000 + b": y\r\n\r\n" + NEXT, 431),
    "10,000 headers": (GET + b"X: y\r\n" * 10_000 + b"\r\n" + NEXT, 431),
    "many headers of 66 kB together": (GET + (b"X: " + b"y" * 600 + b"\r\n") * 110 + b"\r\n" + NEXT, 431),
    "empty lines without end": (b"\r\n" * 200_000, 431),
    # hosts
    "no Host": (b"GET / HTTP/1.1\r\n\r\n" + NEXT, 400),
    "two Hosts": (GET + b"Host: other\r\n\r\n" + NEXT, 400),
    "two equal Hosts": (GET + HOST + b"\r\n" + NEXT, 400),
    "a Host with a user": (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n" + NEXT, 400),
    "a Host with a path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" + NEXT, 400),
    "a Host in two words": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n" + NEXT, 400),
    # request lines
    "HTTP/0.9 with its version": (b"GET / HTTP/0.9\r\n\r\n" + NEXT, 505),
    "HTTP/0.9": (b"GET /\r\n\r\n" + NEXT, 505),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n" + NEXT, 505),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n" + NEXT, 505),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", 505),
    "a version in lower case": (b"GET / http/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a space behind the version": (b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n" + NEXT, 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32, 400),
    "an unknown method": (b"FOO / HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a method in lower case": (b"get / HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a method without end": (b"G" * 100_000, 400),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 501),
    "a method of WebDAV": (b"PROPFIND / HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 501),
    "RTSP": (b"DESCRIBE / RTSP/1.0\r\n\r\n" + NEXT, 501),
    "ICE": (b"SOURCE / ICE/1.0\r\n\r\n" + NEXT, 501),
    "a fragment": (b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a control in the target": (b"GET /a\x01b HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "NUL in the target": (b"GET /a\x00b HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a space in the target": (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a byte beyond ASCII in the target": (b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a target that is no path": (b"GET a HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a target of another scheme": (b"GET ftp://a/ HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a target with a user": (b"GET http://a@b/ HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a target without a host": (b"GET http:///a HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a star for anything but OPTIONS": (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a target of 9 kB": (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 414),
    "a target of 1 MB": (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 414),
    "another expectation": (POST + b"Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello" + NEXT, 417),
}

LAST = b"Connection: close\r\n"

HARMLESS: dict[str, tuple[bytes, str, bytes, bytes]] = {
    "a plain request": (GET + LAST + b"\r\n", "GET", b"/", b""),
    "a length with spaces around it": (POST + LAST + b"Content-Length:  5 \r\n\r\nhello", "POST", b"/", b"hello"),
    "a length with zeros in front": (POST + LAST + b"Content-Length: 005\r\n\r\nhello", "POST", b"/", b"hello"),
    "chunked in capitals": (POST + LAST + b"Transfer-Encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n", "POST", b"/", b"a"),
    "chunk extensions": (CHUNKED + LAST + b'\r\n1;a=b;c="d"\r\na\r\n0;e\r\n\r\n', "POST", b"/", b"a"),
    "trailers": (CHUNKED + LAST + b"\r\n1\r\na\r\n0\r\nHost: other\r\nX: y\r\n\r\n", "POST", b"/", b"a"),
    "Connection names the length": (
        POST + b"Connection: close, content-length\r\nContent-Length: 5\r\n\r\nhello",
        "POST",
        b"/",
        b"hello",
    ),
    "an empty line in front": (b"\r\n" + GET + LAST + b"\r\n", "GET", b"/", b""),
    "two spaces in the request line": (b"GET  /  HTTP/1.1\r\n" + HOST + LAST + b"\r\n", "GET", b"/", b""),
    "an absolute target": (b"GET http://other:80/a?b HTTP/1.1\r\n" + HOST + LAST + b"\r\n", "GET", b"/a", b""),
    "an absolute target without a path": (b"GET http://other?b HTTP/1.1\r\n" + HOST + LAST + b"\r\n", "GET", b"/", b""),
    "a star for OPTIONS": (b"OPTIONS * HTTP/1.1\r\n" + HOST + LAST + b"\r\n", "OPTIONS", b"*", b""),
    "an empty Host": (b"GET / HTTP/1.1\r\nHost:\r\n" + LAST + b"\r\n", "GET", b"/", b""),
    "a Host of IPv6": (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n" + LAST + b"\r\n", "GET", b"/", b""),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", "GET", b"/", b""),
    "bytes behind the last request": (GET + LAST + b"\r\n" + NEXT, "GET", b"/", b""),
    "nonsense behind the last request": (b"GET / HTTP/1.0\r\n\r\n\x00\x01", "GET", b"/", b""),
    "a request for WebSocket": (GET + b"Connection: upgrade, close\r\nUpgrade: websocket\r\n\r\n", "GET", b"/", b""),
    "a request for h2c, with a body": (
        POST + b"Connection: Upgrade, close\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello" + NEXT,
        "POST",
        b"/",
        b"hello",
    ),
    "a request for h2c, with chunks": (
        CHUNKED + b"Connection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n1\r\na\r\n0\r\n\r\n" + NEXT,
        "POST",
        b"/",
        b"a",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_read_in_two_ways_is_refused_and_the_connection_closed(name: str) -> None:
    data, status = REFUSED[name]
    log = Log()

    async def main() -> None:
        async with serving(log) as there:
            answer = await there.ask(data)

            assert ([status], status) == (statuses(answer), error_of(answer)["code"])

    run(main)
    assert [] == log.asked


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_odd_but_clear_makes_one_well_formed_request(name: str) -> None:
    data, *expected = HARMLESS[name]
    log = Log()

    async def main() -> None:
        async with serving(log) as there:
            assert [200] == statuses(await there.ask(data))

    run(main)
    (asked,) = log.asked
    assert expected == [asked.method, asked.raw_path, asked.body]
    assert b"x" not in dict(asked.headers)


def test_the_host_of_an_absolute_target_takes_the_place_of_the_header() -> None:
    log = Log()

    async def main() -> None:
        async with serving(log) as there:
            await there.ask(HARMLESS["an absolute target"][0])

    run(main)
    (asked,) = log.asked
    assert ([b"other:80"], b"b") == ([value for name, value in asked.headers if name == b"host"], asked.query)


def test_values_lose_the_white_space_around_them_and_names_their_capitals() -> None:
    log = Log()

    async def main() -> None:
        async with serving(log) as there:
            await there.ask(GET + LAST + b"X-Title:\t a b \t\r\nX-Empty: \r\n\r\n")

    run(main)
    (asked,) = log.asked
    assert ((b"x-title", b"a b"), (b"x-empty", b"")) == asked.headers[2:]
