"""HTTP fields are read as RFC 9110 writes them: case, weights, lists in several lines, quotes, weak tags, ``*``."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.http_fields import reference
from tokenboard.http_fields import accepts_gzip, content_codings, credentials, media_type, none_match, preferred
from tokenboard.http_fields.grammar import LONGEST, members, with_parameters

OFFERED = ("application/json", "text/csv", "application/x-ndjson", "text/html")

junk = st.text(st.sampled_from('aWq01./*;=,"\\ \t-é'), max_size=24)
spaces = st.sampled_from(["", " ", "\t", "  "])
weights = st.sampled_from(
    ["0", "0.", "0.0", "0.000", "0.5", "0.333", "1", "1.000", "1.1", "0.0000", "2", "x", '"0"', ""]
)
parameters = st.one_of(
    st.builds("{}q={}".format, spaces, weights),
    st.builds("{}Q={}".format, spaces, weights),
    st.sampled_from(["charset=utf-8", 'a="b,c;q=0"', 'a="\\""', 'a="', "level", "", "header = x"]),
)
ranges = st.one_of(
    st.sampled_from([*OFFERED, "TEXT/CSV", "text/*", "application/*", "*/*", "image/png", "text", "/", "t xt/csv"]),
    junk,
)
codings = st.one_of(st.sampled_from(["gzip", "GZip", "x-gzip", "identity", "*", "br", "gzipped", "notgzip"]), junk)


def fields(values: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Return lines of members that may have parameters, with and without white space, empty ones between them."""
    member = st.builds(
        lambda value, given, before, after: before + ";".join([value, *given]) + after,
        values,
        st.lists(parameters, max_size=3),
        spaces,
        spaces,
    )
    return st.lists(st.builds(",".join, st.lists(st.one_of(member, st.just("")), max_size=4)), max_size=3)


tags = st.one_of(
    st.sampled_from(['"a"', 'W/"a"', 'w/"a"', '"a,b"', '"b"', "a", '""', '"a b"', '"a\\"', "*", "W/"]), junk
)


@given(fields(ranges))
@example(["text/csv;q=0, */*"])
@example(["text/csv", "application/json"])
def test_the_type_that_is_preferred_is_the_slow_readers(lines: list[str]) -> None:
    assert reference.preferred(lines, OFFERED) == preferred(lines, OFFERED)


@given(fields(codings))
@example(["gzip;q=0"])
@example(["br", "GZIP"])
def test_whether_gzip_is_taken_is_as_the_slow_reader_says(lines: list[str]) -> None:
    assert reference.accepts_gzip(lines) == accepts_gzip(lines)


@given(
    st.lists(st.builds(",".join, st.lists(tags, max_size=4)), max_size=3), st.sampled_from(['"a"', 'W/"a"', '"a,b"'])
)
@example(['"x", W/"a"'], '"a"')
@example(['"x"', '"a"'], 'W/"a"')
def test_whether_a_tag_is_named_is_as_the_slow_reader_says(lines: list[str], etag: str) -> None:
    assert reference.none_match(lines, etag) == none_match(lines, etag)


@given(st.lists(junk, max_size=3))
def test_lists_and_parameters_are_taken_apart_as_by_the_slow_reader(lines: list[str]) -> None:
    found = list(members(lines))
    assert reference.split(lines) == found
    for member in found:
        slow, ours = reference.parts(member), with_parameters(member)
        if slow is None or ours is None:
            assert (slow is None) == (ours is None), member
        else:
            assert slow == (
                ours.value,
                {name: [v for n, v in ours.parameters if n == name] for name, _ in ours.parameters},
            )


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ([], "application/json"),
        (["*/*"], "application/json"),
        (["text/csv"], "text/csv"),
        (["text/csv, application/json"], "text/csv"),
        (["application/json", "text/csv"], "application/json"),
        (["text/csv;q=0.4, application/x-ndjson;q=0.5"], "application/x-ndjson"),
        (["Text/CSV ; Q=1"], "text/csv"),
        (["*/*, application/json;q=0"], "text/csv"),
        (["text/csv;q=0"], None),
        (['text/csv;a="x,application/json"'], "text/csv"),
        (["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], "text/html"),
        (["x-text/csv"], None),
    ],
)
def test_accept(accept: list[str], expected: str | None) -> None:
    assert expected == preferred(accept, OFFERED)


@pytest.mark.parametrize(
    ("coding", "taken"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip;q=0.1", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*;q=0", False),
        ("*, gzip;q=0", False),
        ("identity, gzip;q=0.5", False),
        ("not-gzip", False),
        ("gzipped", False),
        ("identity", False),
        ("", False),
    ],
)
def test_accept_encoding(coding: str, taken: bool) -> None:
    assert taken is accepts_gzip([coding])


def test_content_fields_are_read_whatever_their_case() -> None:
    assert "application/x-www-form-urlencoded" == media_type("Application/X-WWW-Form-Urlencoded ; charset=UTF-8")
    assert "" == media_type("application/x-www-form-urlencoded-not really")
    assert "" == media_type("text")
    assert ("gzip", "zstd") == content_codings([" X-GZip", "identity,, ZSTD "])
    assert (b"bearer", b"tb-1") == credentials(b" BEARER   tb-1 ")
    assert (b"bearer", b"") == credentials(b"Bearer")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ['"', '\\"', ",", ";", "a;", ";q=", '"a",', 'W/"', " ", "é", '"\\'])
def test_however_long_a_field_is_it_is_read_in_no_time(piece: str) -> None:
    lines = [piece * 40_000]
    assert len(list(members(lines))) <= LONGEST
    for _ in range(20):
        preferred(lines, OFFERED)
        accepts_gzip(lines)
        none_match(lines, '"a"')
