"""What becomes of observations."""

from collections.abc import Callable

import pytest

from tests.catalog.conftest import Clock
from tests.catalog.seen import NOON, make, seen
from tokenboard.attribution import AppIdentity, Reason
from tokenboard.catalog import OBSERVATIONS_LIMIT, Catalog, CatalogError, Observed, TitleVariant, app_state, revisions
from tokenboard.catalog.observations import DAY_MS, Observations

REFUSED = Observed(0, Reason.NEW_APP_LIMIT)


def test_new_identities_get_dense_ids_from_one_on(catalog: Catalog) -> None:
    assert make(catalog, "https://a.dev", "https://b.dev", "https://a.dev", "https://c.dev") == [1, 2, 1, 3]
    assert make(catalog, "https://b.dev", "https://d.dev") == [2, 4]


def test_no_id_is_lost_when_a_batch_fails(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    make(catalog, "https://a.dev")

    def fail(*_: object) -> int:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(revisions, "bump", fail)
        with pytest.raises(OSError, match="power cut"):
            make(catalog, "https://b.dev", "https://c.dev")
    assert catalog.apps().total == 1
    assert make(catalog, "https://c.dev") == [2]


def test_an_empty_batch_is_answered_without_a_database(clock: Clock) -> None:
    nowhere = Catalog.open("sqlite:////nonexistent/catalog.db", clock=clock)
    assert nowhere.observe([]) == []


def test_too_large_a_batch_is_refused(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="10000"):
        catalog.observe([seen()] * (OBSERVATIONS_LIMIT + 1))


def test_a_batch_of_the_largest_size_of_new_apps_is_taken_in(open_catalog: Callable[..., Catalog]) -> None:
    catalog = open_catalog(new_app_limit=0)
    assert list(range(1, OBSERVATIONS_LIMIT + 1)) == make(
        catalog, *(f"https://app{n}.dev" for n in range(OBSERVATIONS_LIMIT))
    )


def test_a_repeated_batch_is_answered_alike_and_changes_nothing(catalog: Catalog) -> None:
    batch = [seen(title="B", at=5), seen(title="A", at=5), seen("https://a.dev", "X", "game", at=9)]
    first = catalog.observe(batch)
    before = catalog.changes(0)
    assert first == catalog.observe(batch)
    assert before == catalog.changes(0)


def test_an_app_without_a_title_is_called_by_its_url(catalog: Catalog) -> None:
    make(catalog, "https://example.com/tools")
    assert catalog.app(1).name == "example.com/tools"


def test_the_latest_title_names_the_app(catalog: Catalog) -> None:
    catalog.observe([seen(title="Old", at=1), seen(title="New", at=2)])
    assert catalog.app(1).name == "New"


def test_of_two_titles_at_the_same_time_the_later_in_order_wins(catalog: Catalog) -> None:
    catalog.observe([seen(title="One", at=1)])
    catalog.observe([seen(title="Two", at=1)])
    assert catalog.app(1).name == "Two"


def test_a_late_event_does_not_rename(catalog: Catalog, open_catalog: Callable[..., Catalog]) -> None:
    catalog.observe([seen(title="New", at=2), seen(title="Newer", at=4)])
    open_catalog().observe([seen(title="Newer", at=9)])
    catalog.observe([seen(title="Late", at=8)])
    assert catalog.app(1).name == "Newer"
    assert [variant.title for variant in catalog.titles(1)] == ["Newer", "Late", "New"]


def test_an_event_without_a_title_does_not_rename(catalog: Catalog) -> None:
    catalog.observe([seen(title="Cline", at=1), seen(at=2)])
    assert catalog.app(1).name == "Cline"


def test_the_policy_first_keeps_the_first_title_that_came(open_catalog: Callable[..., Catalog]) -> None:
    catalog = open_catalog(title_policy="first")
    catalog.observe([seen(), seen(title="First", at=5), seen(title="Second", at=9)])
    catalog.observe([seen(title="Earlier", at=1)])
    assert catalog.app(1).name == "First"
    assert len(catalog.titles(1)) == 3


def test_variants_keep_their_first_and_last_time(catalog: Catalog) -> None:
    catalog.observe([seen(title="A", at=5), seen(title="B", at=7), seen(title="A", at=3), seen(title="A", at=4)])
    catalog.observe([seen(title="A", at=6)])
    assert (TitleVariant("B", NOON + 7, NOON + 7), TitleVariant("A", NOON + 3, NOON + 6)) == catalog.titles(1)


def test_fifty_variants_are_kept_and_the_least_recently_seen_goes(catalog: Catalog) -> None:
    catalog.observe([seen(title=f"T{n}", at=100 + n) for n in range(50)])
    catalog.observe([seen(title="T0", at=200), seen(title="late", at=1)])
    assert len(catalog.titles(1)) == 50
    assert "late" not in {variant.title for variant in catalog.titles(1)}
    catalog.observe([seen(title="newest", at=300)])
    titles = {variant.title for variant in catalog.titles(1)}
    assert (len(titles), "newest" in titles, "T0" in titles, "T1" in titles) == (50, True, True, False)


def test_the_title_that_names_an_app_is_never_forgotten(
    open_catalog: Callable[..., Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_state, "VARIANTS_LIMIT", 2)
    catalog = open_catalog(title_policy="first")
    catalog.observe([seen(title=title, at=at) for at, title in enumerate("ABCD")])
    assert [variant.title for variant in catalog.titles(1)] == ["D", "A"]


def test_a_variant_forgotten_and_seen_again_in_one_batch_is_stored(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_state, "VARIANTS_LIMIT", 2)
    catalog.observe([seen(title="A", at=1), seen(title="B", at=2)])
    catalog.observe([seen(title="C", at=3), seen(title="A", at=4)])
    assert (TitleVariant("A", NOON + 4, NOON + 4), TitleVariant("C", NOON + 3, NOON + 3)) == catalog.titles(1)


def test_the_first_time_is_the_earliest_event(catalog: Catalog) -> None:
    catalog.observe([seen(at=5)])
    catalog.observe([seen(at=7)])
    assert catalog.app(1).first_seen_ms == NOON + 5
    catalog.observe([seen(at=2)])
    assert catalog.app(1).first_seen_ms == NOON + 2


def test_categories_are_merged_in_order_up_to_ten(catalog: Catalog) -> None:
    catalog.observe(
        [seen("https://cline.bot", None, "game", "legal"), seen("https://cline.bot", None, "roleplay", "game")]
    )
    assert catalog.app(1).categories == ("game", "legal", "roleplay")
    more = [
        "cli-agent",
        "ide-extension",
        "cloud-agent",
        "video-gen",
        "image-gen",
        "audio-gen",
        "general-chat",
        "writing-assistant",
    ]
    catalog.observe([seen("https://cline.bot", None, category) for category in more])
    assert ("game", "legal", "roleplay", *more[:7]) == catalog.app(1).categories


def test_loopback_apps_are_told_apart_by_their_titles(catalog: Catalog) -> None:
    url = "http://localhost:3000"
    assert [one.app_id for one in catalog.observe([seen(url, "Chat"), seen(url, "Draw"), seen(url, "CHAT", at=1)])] == [
        1,
        2,
        1,
    ]
    assert [app.name for app in catalog.apps().apps] == ["CHAT", "Draw"]


def test_a_key_makes_a_limited_number_of_apps_in_a_day(open_catalog: Callable[..., Catalog]) -> None:
    catalog = open_catalog(new_app_limit=2)
    urls = [f"https://{name}.dev" for name in "abcd"]
    known = [Observed(1, None), Observed(2, None)]
    assert [*known, REFUSED, REFUSED] == catalog.observe([seen(url) for url in urls])
    assert [*known, REFUSED] == catalog.observe([seen(url) for url in urls[:3]])
    assert [Observed(3, None)] == catalog.observe([seen(urls[2], key=2)])
    next_day = DAY_MS - NOON % DAY_MS
    assert catalog.observe([seen(urls[3], received=next_day - 1)]) == [REFUSED]
    assert [Observed(4, None)] == catalog.observe([seen(urls[3], received=next_day)])


def test_the_day_of_the_limit_is_that_of_receiving_not_of_the_event(open_catalog: Callable[..., Catalog]) -> None:
    catalog = open_catalog(new_app_limit=1)
    batch = [seen("https://a.dev", at=-DAY_MS), seen("https://b.dev", at=-2 * DAY_MS)]
    assert [Observed(1, None), REFUSED] == catalog.observe(batch)


def test_no_limit_is_no_limit(open_catalog: Callable[..., Catalog]) -> None:
    catalog = open_catalog(new_app_limit=0)
    assert list(range(1, 202)) == make(catalog, *(f"https://app{n}.dev" for n in range(201)))


def test_what_one_key_may_not_make_another_of_the_batch_may(open_catalog: Callable[..., Catalog]) -> None:
    catalog = open_catalog(new_app_limit=1)
    batch = [seen("https://a.dev"), seen("https://b.dev", "B", at=5), seen("https://b.dev", key=2, at=9)]
    answers = [Observed(1, None), Observed(2, None), Observed(2, None)]
    assert answers == catalog.observe(batch)
    assert answers == catalog.observe(batch)
    assert (catalog.app(2).name, catalog.app(2).first_seen_ms) == ("B", NOON + 5)


def test_a_refused_observation_changes_nothing(open_catalog: Callable[..., Catalog]) -> None:
    catalog = open_catalog(new_app_limit=1)
    make(catalog, "https://a.dev")
    revision = catalog.revision()
    catalog.observe([seen("https://b.dev", "B", "game")])
    assert (revision, 1) == (catalog.revision(), catalog.apps().total)


def test_a_batch_that_changes_nothing_visible_keeps_the_revision(catalog: Catalog) -> None:
    catalog.observe([seen(title="Cline", at=1), seen(title="Roo", at=0)])
    revision = catalog.revision()
    catalog.observe([seen(title="Cline", at=9), seen(title="Roo", at=8), seen(title="Other", at=7)])
    assert revision == catalog.revision()
    assert {variant.title: variant.last_seen_ms for variant in catalog.titles(1)} == {
        "Cline": NOON + 9,
        "Roo": NOON + 8,
        "Other": NOON + 7,
    }


def test_headers_change_nothing_visible_while_an_operator_has_pinned(catalog: Catalog) -> None:
    catalog.observe([seen(title="Cline")])
    catalog.rename(1, "Our Cline", "ops")
    catalog.categorize(1, ["game"], "ops")
    revision = catalog.revision()
    catalog.observe([seen("https://cline.bot", "Cline 2", "cli-agent", at=9)])
    assert ("Our Cline", ("game",), revision) == (catalog.app(1).name, catalog.app(1).categories, catalog.revision())
    catalog.unpin(1, "ops")
    catalog.uncategorize(1, "ops")
    assert (catalog.app(1).name, catalog.app(1).categories) == ("Cline 2", ("cli-agent",))


def test_what_another_process_changed_is_seen(catalog: Catalog, open_catalog: Callable[..., Catalog]) -> None:
    other = open_catalog()
    catalog.observe([seen(title="Cline", at=1)])
    other.observe([seen(title="Roo", at=9), seen("https://a.dev")])
    assert [Observed(2, None), Observed(3, None)] == catalog.observe([seen("https://a.dev"), seen("https://b.dev")])
    catalog.observe([seen(title="Cline", at=5)])
    assert catalog.app(1).name == "Roo"
    other.rename(1, "Pinned", "ops")
    catalog.observe([seen(title="Cline", at=99)])
    assert catalog.app(1).name == "Pinned"


def test_after_a_failed_batch_memory_and_database_agree(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog.observe([seen(title="A", at=1)])

    def fail(*_: object) -> int:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(revisions, "bump", fail)
        with pytest.raises(OSError, match="power cut"):
            catalog.observe([seen(title="B", at=9)])
    catalog.observe([seen(title="C", at=5)])
    assert catalog.app(1).name == "C"
    assert [variant.title for variant in catalog.titles(1)] == ["C", "A"]


def test_memory_is_bounded(catalog: Catalog) -> None:
    observations = Observations(catalog._database, new_app_limit=0, policy=app_state.TitlePolicy.LATEST, memory_limit=6)
    observations.observe([seen(f"https://app{n}.dev", "T") for n in range(10)])
    assert list(observations._known) == ["https://app7.dev", "https://app8.dev", "https://app9.dev"]
    observations.observe([seen("https://app7.dev", "T"), seen("https://app0.dev", "T")])
    assert list(observations._known) == ["https://app9.dev", "https://app7.dev", "https://app0.dev"]
    assert observations._weight == 6


def test_an_identity_is_read_back_as_it_was_seen(catalog: Catalog) -> None:
    identities = {AppIdentity.of("http://localhost", f"T{n}") for n in range(20)}
    catalog.observe([seen("http://localhost", f"T{n}") for n in range(20)])
    assert identities == {app.identity for app in catalog.apps().apps}


def test_every_error_has_a_hint() -> None:
    kinds = [CatalogError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    assert [kind for kind in kinds if not kind.default_hint] == []
