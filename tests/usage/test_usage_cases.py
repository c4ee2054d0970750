"""Bodies out of public reports, with the right values, whole and cut at every byte."""

import pytest

from tests.usage.cases import Case, cases
from tokenboard.usage import Meter

CASES = cases()


def found(case: Case, chunks: list[bytes]) -> dict[str, object]:
    meter = Meter(case.headers.get("content-type"), case.headers.get("content-encoding"), 200)
    for chunk in chunks:
        meter.feed(chunk)
    usage = meter.finish(True)
    assert meter.fault == ""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cost": usage.cost,
        "usage_source": usage.source,
        "failed": meter.failed,
    }


def test_there_are_all_cases() -> None:
    assert 31 <= len(CASES)
    assert all(case.right for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_body_of_a_report_gives_the_right_usage(case: Case) -> None:
    assert {} == case.differences(found(case, case.pieces))


@pytest.mark.parametrize("case", [case for case in CASES if len(case.body) < 10_000], ids=lambda case: case.name)
def test_a_body_of_a_report_gives_the_right_usage_cut_at_any_byte(case: Case) -> None:
    body = case.body
    for at in range(len(body)):
        assert {} == case.differences(found(case, [body[:at], body[at:]])), f"cut at {at}"
    assert {} == case.differences(found(case, [bytes([byte]) for byte in body]))
