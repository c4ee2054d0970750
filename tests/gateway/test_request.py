"""What the gateway reads of a body, and what it sends on."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenboard.gateway.inference import InferenceRequest
from tokenboard.gateway.request import MAX_MODEL, body_for_upstream, parse_request
from tokenboard.problem import Problem


def refusal(body: bytes) -> str:
    with pytest.raises(Problem) as caught:
        parse_request(body)
    assert 400 == caught.value.status
    return caught.value.message


def pairs(body: bytes) -> list[tuple[str, Any]]:
    """Return the members of the outermost object in their order, with those given twice."""
    found: list[list[tuple[str, Any]]] = []

    def keep(members: list[tuple[str, Any]]) -> dict[str, Any]:
        found.append(members)
        return dict(members)

    json.loads(body, object_pairs_hook=keep)
    return found[-1]


def test_a_request_is_its_model_its_stream_and_its_bytes() -> None:
    body = b' { "messages" : [ ] ,"model":"a/b/c" , "stream":true}\n'
    assert InferenceRequest("a/b/c", True, False, body) == parse_request(body)


@pytest.mark.parametrize("stream", [b"", b', "stream": false', b', "stream": null'])
def test_a_request_streams_only_when_told_so(stream: bytes) -> None:
    assert not parse_request(b'{"model": "m"' + stream + b"}").stream


def test_a_request_shows_no_prompt_where_it_is_printed() -> None:
    assert "PRIVATE" not in repr(parse_request(b'{"model": "m", "x": "PRIVATE"}'))


@pytest.mark.parametrize("body", [b"", b" \r\n\t"])
def test_an_empty_body_is_refused(body: bytes) -> None:
    assert "The body is empty" in refusal(body)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"model"',
        b"null",
        b"7",
        b'{"model": "m"} x',
        b'{"model": "m",}',
        b'{"model": NaN}',
        b"model=m",
        b"\xef\xbb\xbf{}",
        b'{"model": "\xff"}',
        b'{"\xff": 1}',
        b'{"model": "\\ud800"}',
        b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b', "model": "m"}',
        b'{"model": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"model": "m", "stream_options": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    assert refusal(body)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, "`model` is missing"),
        ({"model": None}, "`model` is missing"),
        ({"model": ""}, "`model` must be a string"),
        ({"model": "  "}, "`model` must be a string"),
        ({"model": 5}, "`model` must be a string"),
        ({"model": ["m"]}, "`model` must be a string"),
        ({"model": "m" * (MAX_MODEL + 1)}, "printable"),
        ({"model": "m\nx"}, "printable"),
        ({"model": "m\u202e"}, "printable"),
        ({"model": "m", "stream": 1}, "`stream` must be"),
        ({"model": "m", "stream": "true"}, "`stream` must be"),
        ({"model": "m", "stream_options": []}, "`stream_options` must be"),
        ({"model": "m", "stream_options": True}, "`stream_options` must be"),
        ({"model": "m", "Model": "x"}, "send `model`, not `Model`"),
        ({"model": "m", "STREAM": True}, "send `stream`, not `STREAM`"),
        ({"model": "m", "\u017ftream": True}, "send `stream`"),
        ({"MODEL": "m"}, "send `model`"),
    ],
)
def test_a_wrong_member_is_named(members: dict[str, Any], words: str) -> None:
    for body in (json.dumps(members), json.dumps(members, ensure_ascii=False)):
        assert words in refusal(body.encode())


def test_a_refusal_tells_nothing_of_the_rest() -> None:
    for body in (b'{"model": "PRIVATE', b'PRIVATE{"model"}', b'{"model": ["PRIVATE"]}', b'{"PRIVATE": 1}'):
        assert "PRIVATE" not in refusal(body)


@pytest.mark.parametrize("model", ["m" * MAX_MODEL, "a/b/c:free", "gpt 4", "模型", "m@2024-01-01"])
def test_odd_names_are_names(model: str) -> None:
    assert model == parse_request(json.dumps({"model": model}).encode()).model


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "cheap", "model": "dear"}',
        b'{"mod\\u0065l": "cheap", "model": "dear"}',
        b'{"model": "cheap", "mo\\u0064el": "dear"}',
        b'{"model": "cheap", "x": "model", "model": "dear"}',
        b'{"model": "cheap", "x": {"model": 1}, "model" : "dear" }',
        b'{"x": 1, "model": "dearest", "x": 2, "model": "dear", "y": "\\u00e9"}',
    ],
)
def test_of_a_model_given_twice_the_one_billed_is_the_only_one_sent(body: bytes) -> None:
    request = parse_request(body)
    assert "dear" == request.model
    sent = pairs(request.body)
    assert [("model", "dear")] == [pair for pair in sent if pair[0] == "model"]
    assert json.loads(body) == dict(sent)


def test_stream_given_twice_is_sent_once() -> None:
    request = parse_request(b'{"model": "m", "stream": true, "stream": false}')
    assert not request.stream
    assert [("model", "m"), ("stream", False)] == pairs(request.body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "model"}',
        b' { "model" :\t"m" ,\n"tools":[{"model":"x","stream":1}] , "n" : -1.50e+10 } ',
        b'{"m\\u006fdel": "m", "x": "\\u00e9\\"}", "y": [1, {"stream_options": {}}]}',
        b'{"stream_options": {"include_usage": true}, "model": "m", "stream": true, "z": "stream"}',
        b'{"model": "m", "x": "\xff\xfe", "y": 1e400, "z": 00000000000000000000000000}'.replace(b"0" * 26, b"1" * 40),
    ],
)
def test_a_body_that_reads_the_same_to_everybody_keeps_its_bytes(body: bytes) -> None:
    request = parse_request(body)
    assert body == request.body
    assert body == body_for_upstream(request, request.model, include_usage=True)


def test_a_stream_asks_for_usage_and_keeps_its_other_options() -> None:
    request = parse_request(b'{"model":"m","stream":true,"stream_options":{"chunk":1,"include_usage":false},"n":1.50}')
    sent = body_for_upstream(request, "m", include_usage=True)
    assert b'{"model":"m","stream":true,"stream_options":{"chunk":1,"include_usage":true},"n":1.50}' == sent


@pytest.mark.parametrize("options", [b"", b', "stream_options": null', b', "stream_options": {}'])
def test_a_stream_without_options_gets_them(options: bytes) -> None:
    request = parse_request(b'{"model": "m", "stream": true' + options + b"}")
    assert {"include_usage": True} == json.loads(body_for_upstream(request, "m", include_usage=True))["stream_options"]


@pytest.mark.parametrize(
    "body", [b'{"model": "m", "stream": true }', b'{"model": "m"}', b'{"model": "m", "stream": null}']
)
def test_usage_is_not_asked_of_an_upstream_that_would_not_understand_nor_without_a_stream(body: bytes) -> None:
    request = parse_request(body)
    assert body == body_for_upstream(request, "m", include_usage=not request.stream)


def test_only_the_model_changes_with_its_name() -> None:
    request = parse_request(b'{"x": "\xff", "n": 1.0, "model": "p/q/r" }')
    assert b'{"x": "\xff", "n": 1.0, "model": "q/r" }' == body_for_upstream(request, "q/r", include_usage=True)


@pytest.mark.parametrize(
    "kept",
    [
        b'"messages": [{"role": "user", "content": "half: \\ud83d"}]',
        b'"messages": [{"content": "\\udc00 \\ud83d\\ude00 \\\\ud800"}]',
        b'"\\ud800": 1',
        b'"n": [1e400, -0.0, 1.50, 1E+2, 12345678901234567890123456789]',
        b'"x": 1, "x" : 2,  "x": 12',
        b'"x": 12, "x": 1',
        b'"x": {"model": "other", "model": 1}, "user": "\\u00e9"',
        b'"stream": true, "stream_options": {"include_usage":  true , "y": "\\ud800", "y": 1e400}',
    ],
)
@pytest.mark.parametrize(
    "form", [b'{ %b ,\n"model" : "p/q" }\r\n', b'{"model": "p/q", %b}', b'\t{"a":0,"model": "p/q",%b , "z": []}']
)
def test_the_models_name_is_all_that_changes_in_the_bytes(kept: bytes, form: bytes) -> None:
    body = form % kept
    request = parse_request(body)
    assert (body, "p/q") == (request.body, request.model)
    assert body.replace(b"p/q", b"q") == body_for_upstream(request, "q", include_usage=True)


def test_the_options_of_a_stream_keep_their_bytes_too() -> None:
    body = b'{"model": "m", "stream": true, "stream_options": { "x": 1e400, "y": "\\ud800" } , "z": 1}'
    sent = body_for_upstream(parse_request(body), "m", include_usage=True)
    assert body.replace(b'" }', b'" ,"include_usage":true}') == sent
    assert b'{"model":"m","stream":true ,"stream_options":{"include_usage":true}}' == body_for_upstream(
        parse_request(b'{"model":"m","stream":true }'), "m", include_usage=True
    )


@pytest.mark.parametrize("model", [b'"\\ud800"', b'"m\\udfff"'])
def test_a_model_of_half_a_character_is_refused(model: bytes) -> None:
    assert "not a valid JSON object" in refusal(b'{"x": "\\ud800", "model": ' + model + b"}")


def test_a_body_that_repeats_its_members_without_end_is_refused() -> None:
    body = b"{" + b'"x": [1], ' * 5_000 + b'"x": 2, "model": "a", "y": {"model": 1}, "\\u0061": 1}'
    assert "given twice" in refusal(body)


_spellings = st.sampled_from(
    ["1", "12", "-0.0", "1e400", '"\\ud800"', '"\\\\ud800"', '"a\\"b"', '{"model": 1}', "[{}, []]", "null", '"model"']
)
_blank = st.sampled_from(["", " ", "\n\t"])
_spelled_names = st.sampled_from(
    ['"x"', '"x"', '"y"', '"\\ud800"', '"stream"', '"\\u0073tream"', '"\\u00e9"', '"model "', '"models"']
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(_spelled_names, _blank, _spellings, _blank), max_size=6),
    st.lists(_blank, min_size=9, max_size=9),
    st.integers(0, 6),
)
def test_any_body_is_sent_as_its_pieces_say(
    given_members: list[tuple[str, str, str, str]], blanks: list[str], at: int
) -> None:
    members = [(name, a, "true" if "tream" in name else value, b) for name, a, value, b in given_members]
    members.insert(min(at, len(members)), ('"model"', "", '"p/q"', " "))
    last_stream = max((i for i, member in enumerate(members) if "tream" in member[0]), default=None)

    named = '"model"'

    def written(model: str, *, once: bool) -> bytes:
        text = "{" + blanks[0]
        for i, (name, a, value, b) in enumerate(members):
            end = "}" if i == len(members) - 1 else "," + blanks[i + 1]
            if "tream" in name and once and i != last_stream:
                continue
            spelled = model if name == named else value
            text += f"{name}{a}:{b}{spelled}{a}{end}"
        return text.encode()

    request = parse_request(written('"p/q"', once=False))
    assert written('"p/q"', once=True) == request.body
    assert written('"q"', once=True) == body_for_upstream(request, "q", include_usage=False)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
_names = st.sampled_from(["model", "stream", "stream_options", "x", "y"]) | st.text(max_size=4)
_space = st.sampled_from(["", " ", "\n", "\t "])


@st.composite
def _objects(draw: st.DrawFn) -> bytes:
    """Write an object with any white space, escapes and repeated names."""
    members = []
    for _ in range(draw(st.integers(0, 6))):
        name = json.dumps(draw(_names), ensure_ascii=draw(st.booleans()))
        if draw(st.booleans()) and "\\" not in name:
            at = draw(st.integers(1, max(1, len(name) - 2)))
            name = name[:at] + "".join(f"\\u{ord(c):04x}" for c in name[at : at + 1] if c != '"') + name[at + 1 :]
            name = name if name.endswith('"') and len(name) > 1 else '""'
        value = json.dumps(draw(_values), ensure_ascii=draw(st.booleans()))
        members.append(f"{draw(_space)}{name}{draw(_space)}:{draw(_space)}{value}{draw(_space)}")
    model = f'{draw(_space)}"model"{draw(_space)}:{draw(_space)}"m"'
    members.insert(draw(st.integers(0, len(members))), model)
    return (draw(_space) + "{" + ",".join(members) + "}" + draw(_space)).encode("utf-8", "surrogatepass")


@settings(max_examples=400, deadline=None)
@given(_objects(), st.booleans())
def test_whatever_is_sent_reads_as_what_was_parsed(body: bytes, include_usage: bool) -> None:
    try:
        request = parse_request(body)
    except Problem:
        return
    assert request.model == json.loads(body)["model"]
    before = pairs(body)
    unique = len(before) == len(dict(before))
    read = [name for name, _ in before if name in {"model", "stream", "stream_options"}]
    if unique:
        assert body == request.body
    if len(read) != len(set(read)):
        assert body != request.body
    after = pairs(body_for_upstream(request, request.model, include_usage=include_usage))
    assert len({name for name, _ in after if name in read}) == len([name for name, _ in after if name in read])
    expected = json.loads(body)
    if include_usage and request.stream:
        expected["stream_options"] = (expected.get("stream_options") or {}) | {"include_usage": True}
    assert expected == dict(after)


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_no_bytes_are_more_than_a_refusal(body: bytes) -> None:
    try:
        parse_request(body)
    except Problem as problem:
        msgspec.json.decode(problem.body())
