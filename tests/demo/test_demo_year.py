"""The demo year: deterministic, wide, invented, and fit for ingest."""

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenboard.attribution import CATEGORIES, AppIdentity, Reason, canonical_url
from tokenboard.demo import CLIENTS, HIDDEN, MODELS, MOVES, DemoYear
from tokenboard.event import encode_parcel
from tokenboard.ingest import Ingest
from tokenboard.intake import Facts
from tokenboard.ledger.kinds import ENDPOINTS
from tokenboard.observability import Counters
from tokenboard.spool import Spool

UNTIL = date(2026, 5, 11)
DAY_MS = 86_400_000


@cache
def whole_year() -> tuple[Facts, ...]:
    """Return a thin year: every day and client of it, one event in ten."""
    return tuple(facts for day in DemoYear(UNTIL, density=0.1).days() for facts in day.facts)


def tokens_by_app() -> Counter[str]:
    found: Counter[str] = Counter()
    for facts in whole_year():
        if facts.attribution.app:
            found[facts.attribution.app.key] += facts.usage.total_tokens or 0
    return found


def digest(year: DemoYear) -> str:
    hashed = sha256()
    for day in year.days():
        hashed.update(msgspec.json.encode((day.day, day.arrived_ms, [facts.id for facts in day.facts])))
        hashed.update(
            repr(
                [(facts.ts_ms, facts.model, facts.usage, facts.attribution, facts.tool_calls) for facts in day.facts]
            ).encode()
        )
    return hashed.hexdigest()


def days_of(title: str) -> Counter[date]:
    """Return tokens per day of those who call themselves so."""
    found: Counter[date] = Counter()
    for facts in whole_year():
        if facts.attribution.title == title:
            found[datetime.fromtimestamp(facts.ts_ms / 1000, UTC).date()] += facts.usage.total_tokens or 0
    return found


def test_the_same_seed_gives_the_same_year() -> None:
    first, second = (digest(DemoYear(UNTIL, seed=7, days=40, density=0.2)) for _ in range(2))
    assert first == second


def test_agents_call_tools_most_of_the_time_and_storytellers_never() -> None:
    def share(title: str) -> float:
        told = [facts.tool_calls for facts in whole_year() if facts.attribution.title == title and not facts.failed]
        return sum(map(bool, told)) / len(told)

    assert 0.7 < share("Pebblecode") < 0.95
    assert 0.0 == share("Tavernlight")
    assert all(facts.tool_calls is None for facts in whole_year() if facts.failed)


def test_endpoints_are_those_of_the_ledger() -> None:
    known = {name for names in ENDPOINTS.values() for name in names}
    assert {facts.endpoint for facts in whole_year()} <= known


def test_another_seed_gives_another_year() -> None:
    first, second = (digest(DemoYear(UNTIL, seed=seed, days=10, density=0.2)) for seed in (1, 2))
    assert first != second


@settings(max_examples=12)
@given(st.integers(0, 2**32), st.integers(1, 30), st.sampled_from([0.05, 0.3, 1.0]))
def test_every_year_ends_where_asked_and_holds_each_id_once(seed: int, days: int, density: float) -> None:
    year = list(DemoYear(UNTIL, seed=seed, days=days, density=density).days())
    assert [UNTIL - timedelta(days=back) for back in reversed(range(days))] == [day.day for day in year]
    ids = [facts.id for day in year for facts in day.facts]
    assert len(ids) == len(set(ids))


def test_nothing_arrives_before_it_happened_and_little_of_it_days_later() -> None:
    late = [
        (day.arrived_ms - 1) // DAY_MS - facts.ts_ms // DAY_MS
        for day in DemoYear(UNTIL, days=120, density=0.5).days()
        for facts in day.facts
    ]
    assert set(range(7)) == set(late)
    assert 0.001 < sum(1 for days in late if days) / len(late) < 0.02


def test_a_year_has_sixty_apps_and_thirty_models() -> None:
    apps = {facts.attribution.app.key for facts in whole_year() if facts.attribution.app}
    assert 60 == len(apps)
    assert {model.slug for model in MODELS} == {facts.model for facts in whole_year()}
    assert 30 == len({model.slug for model in MODELS})


def test_every_category_is_present() -> None:
    tracked = (facts.attribution for facts in whole_year() if facts.attribution.app)
    assert set(CATEGORIES) == {category for who in tracked for category in who.categories}


def test_no_category_is_sent_in_vain() -> None:
    assert [] == [facts.attribution.ignored for facts in whole_year() if facts.attribution.ignored]


def test_every_reason_that_headers_can_give_is_present() -> None:
    reasons = {facts.attribution.reason for facts in whole_year()} - {None}
    assert set(Reason) - {Reason.NEW_APP_LIMIT} == reasons


def test_no_app_lies_at_a_domain_of_the_real_world() -> None:
    referers = [client.referer or "" for client in CLIENTS]
    hosts = [urlsplit(canonical_url(referer)) for referer in referers if _names_an_app(referer)]
    assert [] == [
        url.geturl()
        for url in hosts
        if url.scheme == "https" and not str(url.hostname).endswith(".example") and url.hostname != "localhost"
    ]
    assert {"https", "http", "vscode", "app"} == {url.scheme for url in hosts}


def _names_an_app(referer: str) -> bool:
    return "://" in referer and len(referer) < 2_000


def test_models_are_written_as_author_and_name() -> None:
    assert [] == [model.slug for model in MODELS if not re.fullmatch(r"[a-z]+/[a-z0-9-]+", model.slug)]


def test_titles_come_in_many_scripts() -> None:
    titles = "".join(client.title or "" for client in CLIENTS)
    for first, last in ("את", "اي", "ऄह", "ぁヿ", "가힣", "一龥", "Ая", "Αω", "กฮ", "🌀🫿"):
        assert any(first <= char <= last for char in titles), f"{first}-{last}"


@pytest.mark.parametrize(
    ("title", "before", "after"),
    [("Pebblecode", 0.2, 0.9), ("Stickerpatch", 0.5, 0.7), ("Larkbellow", 0.4, 0.8), ("Guildhall", 0.6, 0.9)],
)
def test_some_apps_rise(title: str, before: float, after: float) -> None:
    assert _around(title, after) > 1.5 * _around(title, before)


@pytest.mark.parametrize(("title", "before", "after"), [("lintel", 0.1, 0.9), ("Stickerpatch", 0.68, 0.98)])
def test_some_apps_fade(title: str, before: float, after: float) -> None:
    assert _around(title, before) > 1.5 * _around(title, after)


def _around(title: str, moment: float) -> int:
    middle = UNTIL - timedelta(days=round(365 * (1 - moment)))
    return sum(tokens for day, tokens in days_of(title).items() if abs((day - middle).days) <= 10)


def test_work_rests_at_the_weekend_and_play_does_not() -> None:
    def weekend(title: str) -> float:
        days = days_of(title)
        return sum(tokens for day, tokens in days.items() if day.weekday() >= 5) / days.total()

    assert weekend("Hedgerow") < 0.2 < 2 / 7 < weekend("Tavernlight")


def test_the_app_that_moved_is_never_at_both_places_for_long() -> None:
    old, new = days_of("Larkbellow Beta"), days_of("Larkbellow")
    assert max(old) < max(new)
    assert (max(old) - min(new)).days < 14


def test_what_the_operator_did_concerns_apps_of_the_year() -> None:
    apps = set(tokens_by_app())
    assert {AppIdentity(canonical_url(url)).key for move in MOVES for url in move} <= apps
    assert {AppIdentity(canonical_url(url)).key for url in HIDDEN} <= apps


def test_usage_is_whole_failed_cut_off_cached_reasoned_priced_and_unknown() -> None:
    year = whole_year()
    failed = [facts for facts in year if facts.failed]
    assert failed
    assert all(facts.status >= 400 and facts.usage.total_tokens is None for facts in failed)
    assert all(facts.status == 200 for facts in year if not facts.failed)
    assert {"reported", "partial", "unknown"} == {facts.usage.source for facts in year}
    assert any(facts.usage.cost is None and facts.usage.total_tokens for facts in year)
    for facts in year:
        usage = facts.usage
        assert (usage.cached_tokens or 0) <= (usage.prompt_tokens or 0)
        assert (usage.reasoning_tokens or 0) <= (usage.completion_tokens or 0)
    for field in ("cached_tokens", "reasoning_tokens", "cost"):
        assert sum(1 for facts in year if getattr(facts.usage, field)) > len(year) / 20


def test_the_door_takes_every_day_of_it(tmp_path: Path) -> None:
    arrived_ms = 0
    spool = Spool(tmp_path, "demo", max_bytes=10**9, fsync=False, clock_ms=lambda: arrived_ms)
    ingest = Ingest(spool, Counters(), floor=UNTIL - timedelta(days=99), clock_ms=lambda: arrived_ms)
    taken = 0
    for day in DemoYear(UNTIL, days=100, density=0.1).days():
        arrived_ms = day.arrived_ms
        assert [] == ingest.examine(day.facts)
        ingest.record_new(day.facts)
        taken += len(day.facts)
    assert taken == spool.state().pending
    assert len(encode_parcel(())) < spool.state().bytes
    spool.close()


def test_a_year_of_no_days_or_no_events_is_refused() -> None:
    for days, density in ((0, 1.0), (1, 0.0)):
        with pytest.raises(ValueError, match="at least one day"):
            DemoYear(UNTIL, days=days, density=density)
