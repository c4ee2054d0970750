"""Bodies of ``POST /usage`` made and parsed briefly."""

import json
from typing import Any

import pytest

from tokenboard.attribution import AttributionOptions
from tokenboard.ingest.reports import Parsed, parse_reports
from tokenboard.intake import Caller, Facts, RefusalReason
from tokenboard.problem import Problem

CALLER = Caller(account_id=3, key_id=8, label="laptop")
PLAIN: dict[str, Any] = {
    "id": "e-1",
    "ts": "2026-05-11T23:59:59.123Z",
    "model": "openai/gpt-4o",
    "prompt_tokens": 12,
    "completion_tokens": 9,
}
FULL: dict[str, Any] = PLAIN | {
    "referer": "https://cline.bot",
    "title": "Cline",
    "categories": "cli-agent,ide-extension",
    "provider": "openai",
    "cached_tokens": 1,
    "reasoning_tokens": 2,
    "cost": "0.00021",
    "status": 200,
    "latency_ms": 812,
}
TS_MS = 1_778_543_999_123


def parse(body: bytes, options: AttributionOptions | None = None) -> Parsed:
    return parse_reports(body, caller=CALLER, options=options or AttributionOptions())


def lines(*events: Any) -> bytes:
    return b"\n".join(json.dumps(event).encode() for event in events)


def one(**given: Any) -> Facts:
    parsed = parse(lines(PLAIN | given))
    assert [] == parsed.refused
    (facts,) = parsed.facts
    return facts


def raw(field: str, literal: str) -> bytes:
    """Return an event in which this field is written just so."""
    rest = {name: value for name, value in PLAIN.items() if name != field}
    return (json.dumps(rest)[:-1] + f', "{field}": {literal}}}').encode()


def refusal(body: bytes) -> tuple[str, RefusalReason]:
    parsed = parse(body)
    assert [] == parsed.facts
    (bad,) = parsed.refused
    assert bad.message
    assert len(bad.message) < 300
    return bad.field, bad.reason


def status(body: bytes) -> int:
    with pytest.raises(Problem) as caught:
        parse(body)
    assert len(caught.value.message) < 400
    return caught.value.status


def outcome(body: bytes) -> int | None:
    """Parse a body; return the status of the problem with it as a whole, None when there is none."""
    try:
        parse(body)
    except Problem as problem:
        return problem.status
    return None
