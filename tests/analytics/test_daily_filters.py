"""The filters of daily rankings, against a list of requests that is gone through one by one."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.analytics.rig import TODAY, Rig, days_before, empty
from tests.effort import examples
from tests.events import DAY_MS, event
from tests.rows import arrange_rows
from tokenboard.gateway.endpoints import ENDPOINTS

DAILY = "/datasets/rankings-daily"
BUCKETS = {"1K": (0, 1_000), "10K": (1_001, 10_000), "100K": (10_001, 100_000), "1M": (100_001, 10**6)}
BUCKETS["10M"] = (10**6 + 1, 10**12)
EDGES = [edge for bucket in BUCKETS.values() for edge in bucket]
SPAN = {"start_date": str(days_before(40)), "end_date": str(TODAY)}


@dataclass(frozen=True)
class Asked:
    day: int
    model: str
    endpoint: str
    prompt: int | None
    completion: int | None
    tool_calls: bool | None

    @property
    def tokens(self) -> int:
        return (self.prompt or 0) + (self.completion or 0)

    def is_in(self, bucket: str) -> bool | None:
        least, most = BUCKETS[bucket]
        return None if self.prompt is None else least <= self.prompt <= most

    def is_of(self, modality: str) -> bool | None:
        if modality == "tool_calling":
            return self.tool_calls
        if self.endpoint:
            return self.endpoint != "embeddings"
        return True if self.completion else None


requests = st.builds(
    Asked,
    day=st.integers(0, 40),
    model=st.sampled_from(["a/one", "b/two", "c/three", "other"]),
    endpoint=st.sampled_from(["chat", "completions", "responses", "messages", "embeddings", ""]),
    prompt=st.none() | st.sampled_from(EDGES) | st.integers(0, 2 * 10**7),
    completion=st.sampled_from([None, 0, 1, 50, 10**12]),
    tool_calls=st.sampled_from([None, False, True]),
)


def put(rig: Rig, asked: list[Asked]) -> None:
    today_ms = int(rig.now.timestamp() * 1000)
    events = [
        event(
            id=str(number),
            ts_ms=today_ms - one.day * DAY_MS,
            model=one.model,
            endpoint=one.endpoint,
            prompt_tokens=one.prompt,
            completion_tokens=one.completion,
            tool_calls=one.tool_calls,
        )
        for number, one in enumerate(asked)
    ]
    rig.ledger.insert(rig.next_batch(), arrange_rows(events, [0] * len(events), [None] * len(events)))
    rig.rankings.refresh()


def verdict(one: Asked, bucket: str | None, modality: str | None) -> bool | None:
    """Return whether a request is of what is asked for; None when nobody knows."""
    told = [one.is_in(bucket)] if bucket else []
    told += [one.is_of(modality)] if modality else []
    return False if False in told else None if None in told else True


def reference(asked: list[Asked], bucket: str | None, modality: str | None) -> tuple[list[Any], int]:
    """Return the rows by day, and the tokens of which nobody knows."""
    sums: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    unknown = 0
    for one in asked:
        is_of = verdict(one, bucket, modality)
        unknown += one.tokens if is_of is None else 0
        if is_of:
            sums[days_before(one.day)][one.model] += one.tokens
    rows = []
    for day in sorted(sums):
        ranked = sorted(sums[day].items(), key=lambda each: (each[0] == "other", -each[1], each[0]))
        rows += [
            {"date": str(day), "model_permaslug": model, "total_tokens": str(tokens)}
            for model, tokens in ranked
            if tokens
        ]
    return rows, unknown


@given(asked=st.lists(requests, min_size=1, max_size=30))
@settings(max_examples=examples(6), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_filter_and_both_together_keep_exactly_the_requests_that_they_name(rig: Rig, asked: list[Asked]) -> None:
    empty(rig.ledger)
    rig.restart()
    put(rig, asked)
    whole = rig.get(DAILY, **SPAN)
    assert reference(asked, None, None)[0] == whole["data"]
    assert "unknown_tokens" not in whole["meta"]
    for bucket, modality in product((None, *BUCKETS), (None, "text", "tool_calling")):
        if bucket or modality:
            filters = {"context_bucket": bucket, "modality": modality}
            answer = rig.get(DAILY, **SPAN, **{name: value for name, value in filters.items() if value})
            rows, unknown = reference(asked, bucket, modality)
            assert (rows, str(unknown)) == (answer["data"], answer["meta"]["unknown_tokens"]), filters


def test_the_buckets_part_all_prompts_whose_tokens_are_known_among_them(rig: Rig) -> None:
    put(rig, [Asked(0, "m", "chat", prompt, 0, None) for prompt in EDGES if prompt])
    shares = [rig.get(DAILY, **SPAN, context_bucket=bucket)["data"] for bucket in BUCKETS]
    told = sum(int(row["total_tokens"]) for rows in shares for row in rows)
    assert sum(EDGES) == told
    assert [1_000, 1_001 + 10_000] == [int(row["total_tokens"]) for rows in shares[:2] for row in rows]


def test_a_filter_holds_by_week_and_month_and_in_every_format(rig: Rig) -> None:
    put(rig, [Asked(1, "a", "chat", 5, 1, True), Asked(9, "a", "chat", 7, 1, True), Asked(9, "a", "chat", 7, 1, False)])
    ask = SPAN | {"modality": "tool_calling", "context_bucket": "1K"}
    assert [6 + 8] == [int(row["total_tokens"]) for row in rig.get(DAILY, **ask, period="month")["data"]]
    assert [8, 6] == [int(row["total_tokens"]) for row in rig.get(DAILY, **ask, period="week")["data"]]
    file = rig.client.get(f"/api/v1{DAILY}", params=ask | {"format": "csv"})
    assert [",8", ",6"] == [line[-2:] for line in file.text.split()[1:]]


@pytest.mark.parametrize("endpoint", [each.name for each in ENDPOINTS if each.metered])
def test_the_ledger_knows_what_every_endpoint_gives(rig: Rig, endpoint: str) -> None:
    put(rig, [Asked(0, "m", endpoint, 5, 5, None)])
    answer = rig.get(DAILY, **SPAN, modality="text")
    assert (endpoint != "embeddings", "0") == (bool(answer["data"]), answer["meta"]["unknown_tokens"])


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ("category", ["programming", "coding", ""]),
        ("language_type", ["natural", "programming", ""]),
        ("modality", ["image", "image_output", "audio", "", "TEXT", "video"]),
        ("context_bucket", ["", "1k", "100M", "1000"]),
    ],
)
def test_a_filter_that_cannot_be_honoured_is_refused_and_never_ignored(
    rig: Rig, parameter: str, values: list[str]
) -> None:
    for value in values:
        answer = rig.client.get(f"/api/v1{DAILY}", params={parameter: value})
        assert 400 == answer.status_code, (parameter, value)
        error = answer.json()["error"]
        assert parameter == error["metadata"]["parameter"]
        if value in {"programming", "natural", "image", "image_output", "audio"}:
            assert "never looks at" in error["message"]


def test_filters_given_twice_are_refused(rig: Rig) -> None:
    for name in ("modality=text", "context_bucket=1K"):
        assert 400 == rig.client.get(f"/api/v1{DAILY}?{name}&{name}").status_code
