import json
import time
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest.bodies import CALLER, FULL, PLAIN, TS_MS, lines, one, outcome, parse, raw, refusal, status
from tokenboard.attribution import AttributionOptions, AttributionRule
from tokenboard.ingest.content_coding import MAX_BYTES
from tokenboard.ingest.reports import MAX_EVENTS, Parsed
from tokenboard.intake import RefusalReason
from tokenboard.usage import UsageSource

# --- one event ------------------------------------------------------------------------------------------------------


def test_an_event_becomes_facts_with_every_member_in_its_place() -> None:
    (facts,) = parse(lines(FULL)).facts
    assert ("e-1", TS_MS, CALLER, "openai/gpt-4o", "openai") == (
        facts.id,
        facts.ts_ms,
        facts.caller,
        facts.model,
        facts.provider,
    )
    app = facts.attribution.app
    assert app is not None
    assert ("https://cline.bot", "Cline", ("cli-agent", "ide-extension")) == (
        app.url,
        facts.attribution.title,
        facts.attribution.categories,
    )
    usage = facts.usage
    assert (12, 9, 1, 2) == (
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens,
        usage.reasoning_tokens,
    )
    assert (Decimal("0.00021"), UsageSource.REPORTED) == (usage.cost, usage.source)
    assert (200, False, 812) == (facts.status, facts.failed, facts.latency_ms)


def test_what_is_not_given_is_unknown_and_null_is_not_given() -> None:
    nulls = {name: None for name in FULL if name not in PLAIN}
    for facts in (one(), one(**nulls)):
        usage = facts.usage
        assert (None, None, None, None) == (
            usage.cached_tokens,
            usage.reasoning_tokens,
            usage.cost,
            facts.latency_ms,
        )
        assert (200, False, "", "missing_referer") == (
            facts.status,
            facts.failed,
            facts.provider,
            str(facts.attribution.reason),
        )


@pytest.mark.parametrize("field", list(PLAIN))
def test_a_required_member_must_be_there(field: str) -> None:
    assert (field, RefusalReason.MISSING) == refusal(lines({name: PLAIN[name] for name in PLAIN if name != field}))
    assert (field, RefusalReason.WRONG_TYPE) == refusal(raw(field, "null"))


COUNTS = ["prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"]


@pytest.mark.parametrize("value", ['"12"', "12.5", "1e-3", "true", "[]", "{}"])
@pytest.mark.parametrize("field", COUNTS)
def test_a_token_count_is_a_whole_json_number(field: str, value: str) -> None:
    assert (field, RefusalReason.WRONG_TYPE) == refusal(raw(field, value))


@pytest.mark.parametrize(("value", "count"), [("5.0", 5), ("5e0", 5), ("-0.0", 0), ("1e300", int(1e300))])
@pytest.mark.parametrize("field", COUNTS)
def test_a_whole_number_may_be_written_as_a_fraction(field: str, value: str, count: int) -> None:
    (facts,) = parse(raw(field, value)).facts
    assert count == getattr(facts.usage, field)


def test_a_status_may_be_written_as_a_fraction_too() -> None:
    assert (200, ("status", RefusalReason.WRONG_TYPE)) == (
        one(status=200.0).status,
        refusal(lines(PLAIN | {"status": 200.5})),
    )


@pytest.mark.parametrize("value", ["-1", "0", "1000000000000", "1000000000001", "9" * 30])
def test_the_range_of_a_token_count_is_not_the_parsers_to_judge(value: str) -> None:
    (facts,) = parse(raw("prompt_tokens", value)).facts
    assert int(value) == facts.usage.prompt_tokens


@pytest.mark.parametrize("field", ["id", "model", "referer", "title", "categories", "provider"])
@pytest.mark.parametrize("value", ["1", "true", "[]", '{"a": 1}', "1.5"])
def test_a_text_is_a_json_string(field: str, value: str) -> None:
    assert (field, RefusalReason.WRONG_TYPE) == refusal(raw(field, value))


@pytest.mark.parametrize(("field", "limit"), [("id", 128), ("model", 200), ("provider", 100)])
def test_a_name_has_a_longest_length_in_characters(field: str, limit: int) -> None:
    assert "é" * limit == getattr(one(**{field: "é" * limit}), field)
    assert (field, RefusalReason.TOO_LONG) == refusal(lines(PLAIN | {field: "x" * (limit + 1)}))


@pytest.mark.parametrize("field", ["id", "model", "provider"])
@pytest.mark.parametrize("value", [" ", "\t\n", "\u2003"])
def test_a_name_of_white_space_is_empty(field: str, value: str) -> None:
    assert (field, RefusalReason.EMPTY) == refusal(lines(PLAIN | {field: value}))


@pytest.mark.parametrize("field", ["id", "model"])
def test_an_id_and_a_model_have_a_character_at_least(field: str) -> None:
    assert (field, RefusalReason.EMPTY) == refusal(lines(PLAIN | {field: ""}))


@pytest.mark.parametrize(
    ("value", "failed"), [(100, True), (199, True), (200, False), (299, False), (300, True), (599, True)]
)
def test_an_answer_without_a_2xx_status_is_a_failed_use(value: int, failed: bool) -> None:
    facts = one(status=value)
    assert (value, failed) == (facts.status, facts.failed)


@pytest.mark.parametrize("value", [99, 600, 0, -200, 10**30])
def test_a_status_is_an_http_status(value: int) -> None:
    assert ("status", RefusalReason.OUT_OF_RANGE) == refusal(lines(PLAIN | {"status": value}))


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ('"0.00021"', "0.00021"),
        ("0.00021", "0.00021"),
        ("0.1", "0.1"),
        ("0", "0"),
        ("-0.0", "0"),
        ('"-0"', "0"),
        ("7", "7"),
        ('"1e-6"', "0.000001"),
        ("1E+2", "100"),
        ('"1000000000"', "1000000000"),
        ('"123456789.123456789012"', "123456789.123456789012"),
    ],
)
def test_a_cost_is_taken_exactly(literal: str, expected: str) -> None:
    (facts,) = parse(raw("cost", literal)).facts
    assert Decimal(expected) == facts.usage.cost


@pytest.mark.parametrize(
    "literal",
    [
        '""',
        '"x"',
        '"NaN"',
        '"Infinity"',
        "-0.01",
        '"-1"',
        "1e10",
        '"1000000001"',
        '"1_0"',
        '"٣"',
        '"１.５"',
        '"0x1"',
        '"1,5"',
        f'"{"1" * 70}"',
    ],
)
def test_a_cost_that_is_no_amount_is_refused(literal: str) -> None:
    assert ("cost", RefusalReason.OUT_OF_RANGE) == refusal(raw("cost", literal))


@pytest.mark.parametrize("literal", ["true", "[]", "{}", "1e999"])
def test_a_cost_is_a_number_or_a_string(literal: str) -> None:
    assert ("cost", RefusalReason.WRONG_TYPE) == refusal(raw("cost", literal))


@pytest.mark.parametrize(("literal", "expected"), [("0", 0), ("812", 812), ("811.6", 812), ("4294967295", 4294967295)])
def test_a_latency_is_rounded_to_milliseconds(literal: str, expected: int) -> None:
    (facts,) = parse(raw("latency_ms", literal)).facts
    assert expected == facts.latency_ms


@pytest.mark.parametrize("literal", ["-1", "-0.5", "4294967296", "1e300", "9" * 40])
def test_a_latency_is_bounded(literal: str) -> None:
    assert ("latency_ms", RefusalReason.OUT_OF_RANGE) == refusal(raw("latency_ms", literal))


@pytest.mark.parametrize(
    ("literal", "told"),
    [("true", True), ("false", False), ("null", None), ("0", False), ("3", True), ("2.0", True), ("0.0", False)],
)
def test_calls_of_tools_are_told_as_whether_or_as_how_many(literal: str, told: bool | None) -> None:
    (facts,) = parse(raw("tool_calls", literal)).facts
    assert told is facts.tool_calls


@pytest.mark.parametrize(
    ("literal", "reason"),
    [
        ("-1", RefusalReason.OUT_OF_RANGE),
        ("0.5", RefusalReason.WRONG_TYPE),
        ('"yes"', RefusalReason.WRONG_TYPE),
        ('[{"id": "call-1"}]', RefusalReason.WRONG_TYPE),
    ],
)
def test_calls_of_tools_that_are_neither_are_refused(literal: str, reason: RefusalReason) -> None:
    assert ("tool_calls", reason) == refusal(raw("tool_calls", literal))


def test_members_that_are_not_named_are_not_read() -> None:
    assert one() == one(prompt="a prompt", messages=[{"role": "user", "content": "hello"}], extra={"deep": [1, [2]]})


def test_of_a_member_given_twice_the_last_counts() -> None:
    (facts,) = parse(lines(PLAIN)[:-1] + b', "model": "b", "prompt_tokens": 5}').facts
    assert ("b", 5) == (facts.model, facts.usage.prompt_tokens)


# --- attribution ----------------------------------------------------------------------------------------------------


def test_events_are_attributed_by_the_rules_for_headers_each_by_its_own() -> None:
    events = [
        PLAIN | {"referer": "HTTPS://WWW.Cline.bot:443/?a=1#b", "title": " Cline "},
        PLAIN | {"referer": "http://localhost:3000", "title": "Mine"},
        PLAIN | {"referer": "http://localhost:3000"},
        PLAIN | {"referer": "ünï\ud83d\ude00 \n\x00"},
        PLAIN | {"referer": ""},
        PLAIN | {"title": "Cline"},
    ]
    facts = parse(lines(*events)).facts
    assert facts[0].attribution.app == one(referer="https://www.cline.bot").attribution.app
    assert "mine" == getattr(facts[1].attribution.app, "title_key", None)
    assert [True, True, False, False, False, False] == [use.attribution.tracked for use in facts]
    assert "localhost_without_title" == str(facts[2].attribution.reason)


def test_a_rule_for_the_keys_label_gives_the_app_when_there_is_no_referer() -> None:
    options = AttributionOptions(rules=(AttributionRule(url="https://rule.example", key_label="laptop"),))
    facts = parse(lines(PLAIN, FULL), options).facts
    assert ["https://rule.example", "https://cline.bot"] == [getattr(use.attribution.app, "url", "") for use in facts]


# --- halves of surrogate pairs --------------------------------------------------------------------------------------

HALVES = ["\\ud83d", "\\uDE00", "\\ud83d\\ud83d", "\\ude00\\ud83d", "\\uD800x\\udfff"]


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize("half", HALVES)
def test_half_of_a_surrogate_pair_is_dropped_from_a_text(half: str, array: bool) -> None:
    event = PLAIN | {
        "referer": "https://a.example/p%s",
        "title": "My %s app",
        "categories": "game%s",
        "provider": "p%s",
    }
    body = (json.dumps(event) % ((half,) * 4)).encode()
    facts, good = parse(b"[" + body + b"]" if array else body).facts[0], half.count("x") * "x"
    app = facts.attribution.app
    assert (f"https://a.example/p{good}", f"p{good}") == (app.url if app else None, facts.provider)
    assert f"My {good} app".replace("  ", " ") == facts.attribution.title
    assert (() if good else ("game",)) == facts.attribution.categories


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("field", ["id", "model"])
def test_half_of_a_surrogate_pair_in_a_name_is_a_bad_event(field: str, half: str) -> None:
    body = raw(field, f'"a{half}"') + b"\n" + lines(PLAIN | {"id": "good"})
    parsed = parse(body)
    assert [(0, field, RefusalReason.BAD_CHARACTER)] == [(bad.index, bad.field, bad.reason) for bad in parsed.refused]
    assert ["good"] == [use.id for use in parsed.facts]


@pytest.mark.parametrize("half", HALVES)
def test_half_of_a_surrogate_pair_in_a_member_that_is_not_read_does_not_matter(half: str) -> None:
    assert one() == parse(raw("more", f'["{half}", {{"{half}": 1}}]')).facts[0]


def test_a_whole_pair_and_an_escaped_backslash_stay_as_they_are() -> None:
    body = raw("title", r'"\\ud83d \ud83d\ude00 \ud83d"')
    assert r"\ud83d 😀" == parse(body).facts[0].attribution.title


# --- bodies ---------------------------------------------------------------------------------------------------------


def ids(body: bytes) -> list[str]:
    parsed = parse(body)
    assert [] == parsed.refused
    assert list(range(len(parsed.facts))) == parsed.positions
    return [use.id for use in parsed.facts]


A, B = lines(PLAIN | {"id": "a"}), lines(PLAIN | {"id": "b"})


@pytest.mark.parametrize(
    "body",
    [
        A + b"\n" + B,
        A + b"\n" + B + b"\n",
        A + b"\r\n" + B + b"\r\n",
        b"\n\n" + A + b"\n \n\t\r\n" + B + b"\n\n\n",
        b"\xef\xbb\xbf" + A + b"\n" + B,
        b"  " + A + b"  \n  " + B + b"  ",
        b"[" + A + b"," + B + b"]",
        b"\xef\xbb\xbf \r\n[\n" + A + b"\n,\n" + B + b"\n]\n",
    ],
)
def test_events_come_one_to_a_line_or_in_a_json_array(body: bytes) -> None:
    assert ["a", "b"] == ids(body)


def test_an_empty_array_is_a_body_of_no_events() -> None:
    assert Parsed([], [], []) == parse(b"[]")
    assert Parsed([], [], []) == parse(b" [ ] ")


@pytest.mark.parametrize("body", [b"", b" \r\n\t ", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_body_is_refused(body: bytes) -> None:
    assert 400 == status(body)


@pytest.mark.parametrize(
    "body", [b"[", b"[" + A, b"[" + A + b",]", b"[" + A + b"] x", b"[" + A + b"]\n" + B, b"[" * 100_000]
)
def test_a_damaged_array_is_refused_as_a_whole(body: bytes) -> None:
    assert 400 == status(body)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (b"{", RefusalReason.INVALID_JSON),
        (b"not json", RefusalReason.INVALID_JSON),
        (A[:-1], RefusalReason.INVALID_JSON),
        (A + b" x", RefusalReason.INVALID_JSON),
        (A + B, RefusalReason.INVALID_JSON),
        (A + b",", RefusalReason.INVALID_JSON),
        (raw("id", "NaN"), RefusalReason.INVALID_JSON),
        (raw("cost", "Infinity"), RefusalReason.INVALID_JSON),
        (raw("id", '"x').replace(b'"x}', b'"\xff"}'), RefusalReason.INVALID_JSON),
        (raw("extra", "[" * 50_000 + "]" * 50_000), RefusalReason.INVALID_JSON),
        (b"null", RefusalReason.NOT_AN_OBJECT),
        (b"12", RefusalReason.NOT_AN_OBJECT),
        (b'"text"', RefusalReason.NOT_AN_OBJECT),
        (b"[1]", RefusalReason.NOT_AN_OBJECT),
    ],
)
def test_a_line_that_is_no_event_is_named_and_the_others_are_read(item: bytes, reason: RefusalReason) -> None:
    parsed = parse(A + b"\n" + item + b"\n\n" + B)
    assert ["a", "b"] == [use.id for use in parsed.facts]
    assert [0, 2] == parsed.positions
    assert [(1, "", reason)] == [(bad.index, bad.field, bad.reason) for bad in parsed.refused]


@pytest.mark.parametrize("item", [b"null", b"12", b"[1]", b'"x"'])
def test_an_item_that_is_no_event_is_named_and_the_others_are_read(item: bytes) -> None:
    parsed = parse(b"[" + A + b"," + item + b"," + B + b"]")
    assert [0, 2] == parsed.positions
    assert [(1, RefusalReason.NOT_AN_OBJECT)] == [(bad.index, bad.reason) for bad in parsed.refused]


@pytest.mark.parametrize("array", [False, True])
def test_every_bad_event_is_named_by_position_and_id(array: bool) -> None:
    events = [PLAIN | {"id": str(number), "model": "" if number % 2 else "m"} for number in range(50)]
    events[7] = {"id": "7"}
    events[9] = PLAIN | {"id": 9}
    events[11] = PLAIN | {"id": "x" * 1000}
    parsed = parse(json.dumps(events).encode() if array else lines(*events))
    assert list(range(0, 50, 2)) == parsed.positions
    assert list(range(1, 50, 2)) == [bad.index for bad in parsed.refused]
    named = {bad.index: bad.id for bad in parsed.refused}
    assert ("1", "7", None, "x" * 128) == (named[1], named[7], named[9], named[11])


@pytest.mark.parametrize("array", [False, True])
def test_there_are_at_most_ten_thousand_events(array: bool) -> None:
    events = [PLAIN | {"id": str(number)} for number in range(MAX_EVENTS + 1)]

    def pack(some: list[Any]) -> bytes:
        return json.dumps(some).encode() if array else lines(*some)

    assert MAX_EVENTS == len(ids(pack(events[:-1])))
    assert 413 == status(pack(events))
    events[5] = {}
    assert 413 == status(pack(events))


HOSTILE = {
    "lines of nothing": b"{}\n" * (MAX_BYTES // 3),
    "numbers in an array": b"[" + b"1," * (MAX_BYTES // 2 - 2) + b"1]",
    "objects in an array": b"[" + b"{}," * (MAX_BYTES // 3 - 2) + b"{}]",
    "arrays in an event": raw("x", "[" + "[]," * (MAX_BYTES // 3 - 200) + "[]]"),
    "an event in an array with much in its id": b"[" + raw("id", "[" + "[]," * (MAX_BYTES // 3 - 200) + "[]]") + b"]",
    "blank lines": b"{}" + b"\n" * (MAX_BYTES - 4) + b"{}",
    "a line of blanks": b"{}" + b" " * (MAX_BYTES - 5) + b"\n{}",
    "a long text": raw("title", '"' + "x" * (MAX_BYTES - 200) + '"'),
    "a long number": raw("prompt_tokens", "9" * (MAX_BYTES - 200)),
    "a long fraction": raw("cost", '"0.' + "1" * (MAX_BYTES - 200) + '"'),
    "many events in a line": b"{}" * (MAX_BYTES // 2),
    "nesting": b"[" * MAX_BYTES,
    "nesting in a line": raw("x", "[" * (MAX_BYTES - 200)),
    "brackets and braces": b'[{"a":' * (MAX_BYTES // 6),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_of_16_mib_takes_little_time_and_memory(body: bytes) -> None:
    assert len(body) <= MAX_BYTES
    started = time.process_time()
    tracemalloc.start()
    try:
        assert outcome(body) in {None, 400, 413}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 * 1024 * 1024
    assert time.process_time() - started < 3


def test_a_complaint_quotes_nothing_long_from_the_body() -> None:
    for body in (
        raw("ts", '"' + "x" * 1000 + '"'),
        raw("cost", '"' + "x" * 1000 + '"'),
        b"x" * 1000,
        raw("x" * 500, "1,"),
    ):
        refusal(body)


@given(st.lists(st.binary(max_size=30), max_size=6).map(b"\n".join))
def test_any_bytes_are_a_problem_or_bad_events_and_never_an_error(body: bytes) -> None:
    assert outcome(body) in {None, 400}
