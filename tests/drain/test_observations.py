"""A few observations tell the catalog what thousands of events would."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.events import DAY_MS, NOON, event
from tokenboard.attribution import AppIdentity
from tokenboard.catalog import Observation
from tokenboard.catalog.app_state import AppState, TitlePolicy
from tokenboard.drain.observations import group_observations
from tokenboard.event import UsageEvent
from tokenboard.event_table import table_of

events = st.lists(
    st.builds(
        event,
        app_key=st.sampled_from([None, "https://a.example", "https://b.example", "http://localhost:3000\ntitle"]),
        title=st.sampled_from([None, "A", "B", "C"]),
        categories=st.sampled_from([(), ("cli-agent",), ("ide-extension", "cli-agent")]),
        ts_ms=st.integers(NOON, NOON + 5),
        received_ms=st.sampled_from([NOON, NOON + DAY_MS]),
        key_id=st.integers(0, 2),
    ),
    max_size=30,
)


def observation(seen: UsageEvent) -> Observation:
    assert seen.app_key is not None
    identity = AppIdentity.from_key(seen.app_key)
    return Observation(identity, seen.title, seen.categories, seen.ts_ms, seen.received_ms, seen.key_id)


def outcome(observations: list[Observation], policy: TitlePolicy) -> dict[str, Any]:
    """Return what the catalog would know of each app, in the order in which the apps came."""
    apps: dict[str, AppState] = {}
    for one in observations:
        app = apps.setdefault(one.identity.key, AppState(0, one.identity, one.ts_ms))
        app.observe(one.title, one.categories, one.ts_ms, policy)
    return {
        key: (
            app.first_seen_ms,
            app.header_title,
            app.header_at,
            app.header_categories,
            {title: (variant.first_seen_ms, variant.last_seen_ms) for title, variant in app.variants.items()},
        )
        for key, app in apps.items()
    }


def makers(observations: list[Observation]) -> list[tuple[str, int, int]]:
    """Return who could have made which app, in order."""
    return list(dict.fromkeys((one.identity.key, one.key_id, one.received_ms // DAY_MS) for one in observations))


@settings(max_examples=300, deadline=None)
@given(events, st.sampled_from(TitlePolicy))
def test_the_catalog_learns_from_the_few_what_it_would_from_all(seen: list[UsageEvent], policy: TitlePolicy) -> None:
    grouped = group_observations(table_of(seen), np.zeros(len(seen), np.bool_))
    everything = [observation(one) for one in seen if one.app_key is not None]
    expected, few = outcome(everything, policy), outcome(grouped.observations, policy)
    assert (list(expected), expected) == (list(few), few)
    assert makers(everything) == makers(grouped.observations)


@settings(max_examples=100, deadline=None)
@given(events)
def test_each_event_is_in_the_group_of_its_own_app_and_maker(seen: list[UsageEvent]) -> None:
    grouped = group_observations(table_of(seen), np.zeros(len(seen), np.bool_))
    by_group = dict(zip(grouped.groups, grouped.observations, strict=True))
    for one, group in zip(seen, grouped.group_of.tolist(), strict=True):
        if one.app_key is None:
            assert group == -1
            continue
        answer = by_group[group]
        assert (one.app_key, one.key_id, one.title) == (answer.identity.key, answer.key_id, answer.title)
        assert one.received_ms // DAY_MS == answer.received_ms // DAY_MS


def test_thousands_of_events_of_one_app_are_three_observations_at_most() -> None:
    seen = [event(id=str(number), ts_ms=NOON + number * 7919 % 5000) for number in range(5_000)]
    grouped = group_observations(table_of(seen), np.zeros(len(seen), np.bool_))
    assert len(grouped.observations) <= 3


@pytest.mark.parametrize("key", ["", "https://" + "x" * 900])
def test_a_key_that_is_nobodys_and_what_is_skipped_are_not_told(key: str) -> None:
    seen = [event(app_key=key), event(), event(app_key="https://skipped.example")]
    grouped = group_observations(table_of(seen), np.array([False, False, True]))
    assert ["https://cline.bot"] == [one.identity.key for one in grouped.observations]
    assert ([0], [-1, 0, -1]) == (grouped.unfit.tolist(), grouped.group_of.tolist())


def test_numbers_too_many_to_combine_are_told_apart_all_the_same() -> None:
    seen = [
        event(
            id=str(number),
            app_key=f"https://app{number}.example",
            title=f"title {number}",
            categories=(f"category-{number}",),
            key_id=(2**32 - 1) * (number % 2),
            received_ms=(number % 3) * 20_000 * DAY_MS,
        )
        for number in range(3_000)
    ]
    grouped = group_observations(table_of(seen), np.zeros(len(seen), np.bool_))
    assert [one.app_key for one in seen] == [one.identity.key for one in grouped.observations]
