"""What a client says in HTTP's fields is understood by their grammar, on pages, files of pages and the API alike."""

import gzip
import http.client
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.board import BoardProcess

RANKINGS = "/api/v1/datasets/app-rankings"
ADDRESSES = ("/docs", "/docs.json", RANKINGS)
PACKED = ("/docs", "/docs/api/try/assets/swagger-ui.css", "static")


@pytest.fixture(scope="module")
def plain(board: BoardProcess, key: str) -> Iterator[httpx.Client]:
    """Return a client that says nothing of codings unless it is told to."""
    with httpx.Client(base_url=board.url, headers={"Authorization": f"bEARER  {key}"}, timeout=30) as client:
        del client.headers["accept-encoding"]
        yield client


def static(client: httpx.Client) -> str:
    found = re.search(r'href="(/static/[^"]+\.css)"', client.get("/docs").text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_tag_is_known_again_in_a_list_in_several_lines_and_by_a_star(plain: httpx.Client, address: str) -> None:
    etag = plain.get(address).headers["etag"]
    opaque = etag.removeprefix("W/")
    for fields in (
        [etag],
        [f'"x", W/{opaque} , "y"'],
        ['"x"', opaque],
        ["*"],
        [f'"with, comma",{opaque}'],
    ):
        answer = plain.get(address, headers=[("If-None-Match", field) for field in fields])
        assert (304, b"", etag) == (answer.status_code, answer.content, answer.headers["etag"]), fields


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_tag_that_only_holds_ours_is_another(plain: httpx.Client, address: str) -> None:
    etag = plain.get(address).headers["etag"]
    opaque = etag.removeprefix("W/")
    for other in (f'"x{opaque[1:]}', f'{opaque[:-1]}x"', opaque.strip('"'), f'"a {opaque}', f"w/{opaque}", ""):
        assert 200 == plain.get(address, headers={"If-None-Match": other}).status_code, other


@pytest.mark.parametrize("where", PACKED)
@pytest.mark.parametrize(
    ("fields", "packed"),
    [
        ([], False),
        (["gzip"], True),
        (["GZIP"], True),
        (["br", "x-gzip;q=0.5"], True),
        (["*"], True),
        (["gzip;q=0"], False),
        (["gzip ; Q=0.0, *"], False),
        (["*;q=0"], False),
        (["notgzip"], False),
        (["identity;q=1, gzip;q=0.1"], False),
    ],
)
def test_bytes_are_compressed_for_whoever_asks_for_it(
    plain: httpx.Client, where: str, fields: list[str], packed: bool
) -> None:
    address = static(plain) if where == "static" else where
    with plain.stream("GET", address, headers=[("Accept-Encoding", field) for field in fields]) as answer:
        raw = b"".join(answer.iter_raw())
    assert (200, "gzip" if packed else None) == (answer.status_code, answer.headers.get("content-encoding"))
    assert "Accept-Encoding" in answer.headers["vary"]
    assert (gzip.decompress(raw) if packed else raw) == plain.get(address).content


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("TEXT/CSV", "text/csv"),
        ("application/json;q=0.1, text/csv;q=0.9", "text/csv"),
        ("text/csv;q=0, */*", "application/json"),
        ('image/png;a=",text/csv"', "application/json"),
    ],
)
def test_the_form_is_the_one_that_accept_prefers(plain: httpx.Client, accept: str, expected: str) -> None:
    answer = plain.get(RANKINGS, headers={"Accept": accept})
    assert expected == answer.headers["content-type"].partition(";")[0]


@pytest.mark.parametrize(
    ("accept", "page"),
    [("text/html", True), ("*/*;q=0.8, TEXT/HTML", True), ("text/html;q=0, */*", False), ("*/*", False)],
)
def test_an_error_is_a_page_for_whoever_reads_pages(plain: httpx.Client, accept: str, page: bool) -> None:
    answer = plain.get("/nothing/there", headers={"Accept": accept})
    assert (404, page) == (answer.status_code, answer.headers["content-type"].startswith("text/html"))


@pytest.mark.parametrize(
    ("fields", "status"),
    [(["GZip"], 202), (["identity", "gzip"], 202), (["x-gzip, "], 202), (["gzip, gzip"], 415), (["br"], 415)],
)
def test_a_compressed_report_is_taken_however_its_coding_is_written(
    board: BoardProcess, key: str, fields: list[str], status: int
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", board.port, timeout=30)
    body = gzip.compress(b"[]")
    connection.putrequest("POST", "/api/v1/usage")
    for name, value in (("Authorization", f"BEARER {key}"), ("Content-Length", str(len(body)))):
        connection.putheader(name, value)
    for field in fields:
        connection.putheader("Content-Encoding", field)
    connection.endheaders(body)
    assert status == connection.getresponse().status
    connection.close()
