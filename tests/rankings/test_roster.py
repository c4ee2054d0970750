from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.rankings.fakes import App
from tests.rankings.reference import categories_of, is_visible, root_of
from tokenboard.attribution import GROUPS
from tokenboard.rankings import Roster, RosterEntry

WIDTH = 12
FIFTEEN = [name for names in GROUPS.values() for name in names]


def roster_of(*apps: App) -> Roster:
    roster = Roster()
    roster.update(apps)
    return roster


def entry_of(roster: Roster, app_id: int) -> RosterEntry:
    entry = roster.entry(app_id)
    assert entry is not None
    return entry


def visible_ids(roster: Roster) -> list[int]:
    return [int(app_id) for app_id in np.flatnonzero(roster.visible(WIDTH))]


def test_an_empty_roster_knows_nobody() -> None:
    roster = Roster()
    assert roster.entry(1) is None
    assert visible_ids(roster) == []
    assert roster.root_of(7) == 7


def test_only_public_apps_that_are_no_alias_are_visible() -> None:
    roster = roster_of(App(1), App(2, visibility="hidden"), App(3, visibility="private"), App(4, canonical_id=1))
    assert visible_ids(roster) == [1]


def test_aliases_resolve_to_the_end_of_their_chain() -> None:
    roster = roster_of(App(1), App(2, canonical_id=1), App(3, canonical_id=2), App(4, canonical_id=3))
    assert [roster.root_of(app_id) for app_id in (1, 2, 3, 4)] == [1, 1, 1, 1]
    assert entry_of(roster, 1).aliases == (2, 3, 4)


def test_a_merge_and_its_undo_take_effect() -> None:
    roster = roster_of(App(1), App(2))
    assert roster.update([App(2, canonical_id=1)])
    assert visible_ids(roster) == [1]
    assert roster.update([App(2)])
    assert visible_ids(roster) == [1, 2]


def test_each_member_of_a_ring_counts_as_no_alias() -> None:
    roster = roster_of(App(1, canonical_id=2), App(2, canonical_id=1), App(3, canonical_id=1), App(4, canonical_id=4))
    assert [roster.root_of(app_id) for app_id in (1, 2, 3, 4)] == [1, 2, 1, 4]
    assert visible_ids(roster) == [1, 2, 4]


def test_a_link_to_an_app_that_comes_later_waits_for_it() -> None:
    roster = roster_of(App(2, canonical_id=9))
    assert visible_ids(roster) == [2]
    roster.update([App(9)])
    assert visible_ids(roster) == [9]


def test_folding_moves_the_figures_of_aliases_to_their_roots() -> None:
    roster = roster_of(App(1), App(2, canonical_id=1), App(3, canonical_id=2), App(4))
    for dtype in (np.int64, object):
        figures = np.array([1, 10, 100, 1000, 10000], dtype)
        roster.fold(figures)
        assert figures.tolist() == [1, 1110, 0, 0, 10000]


def test_a_root_takes_its_aliases_categories_by_ascending_id_up_to_ten() -> None:
    roster = roster_of(
        App(1, categories=tuple(FIFTEEN[:4])),
        App(3, canonical_id=1, categories=tuple(FIFTEEN[8:14])),
        App(2, canonical_id=1, categories=tuple(FIFTEEN[3:8])),
    )
    assert tuple(FIFTEEN[:10]) == entry_of(roster, 1).categories
    assert entry_of(roster, 2).categories == ()
    assert roster.in_category(None, FIFTEEN[9], WIDTH)[1]
    assert not roster.in_category(None, FIFTEEN[10], WIDTH).any()


def test_new_categories_of_an_alias_reach_its_root_without_a_new_link() -> None:
    roster = roster_of(App(1), App(2, canonical_id=1))
    roster.update([App(2, canonical_id=1, categories=("game",))])
    assert entry_of(roster, 1).categories == ("game",)
    assert np.flatnonzero(roster.in_category("entertainment", None, WIDTH)).tolist() == [1]


def test_categories_that_are_not_of_the_fifteen_match_nothing() -> None:
    roster = roster_of(App(1, categories=("games", "coding")))
    assert not any(roster.in_category(group, None, WIDTH).any() for group in GROUPS)


def test_every_app_qualifies_where_no_category_is_asked() -> None:
    assert roster_of(App(1)).in_category(None, None, WIDTH).all()


def test_an_unchanged_app_is_no_change() -> None:
    roster = roster_of(App(1, name="Cline"))
    assert not roster.update([App(1, name="Cline")])
    assert roster.update([App(1, name="Roo")])
    assert roster.name_of(1) == "Roo"


@pytest.mark.parametrize("app_id", [0, -1])
def test_an_id_that_is_not_positive_is_refused_and_changes_nothing(app_id: int) -> None:
    roster = Roster()
    with pytest.raises(ValueError, match="positive"):
        roster.update([App(1), App(app_id)])
    assert roster.entry(1) is None


apps = st.builds(
    App,
    id=st.integers(1, WIDTH - 2),
    canonical_id=st.none() | st.integers(-1, WIDTH),
    visibility=st.sampled_from(["public", "public", "hidden", "private"]),
    categories=st.lists(st.sampled_from(FIFTEEN), unique=True, max_size=8).map(tuple),
)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.lists(apps, max_size=6), max_size=8))
def test_any_series_of_changes_gives_what_plain_rules_give(batches: list[list[App]]) -> None:
    roster = Roster()
    known: dict[int, App] = {}
    for batch in batches:
        latest = {app.id: app for app in batch}
        expected_change = any(known.get(app_id) != app for app_id, app in latest.items())
        assert expected_change == roster.update(latest.values())
        known |= latest
        for app_id, app in known.items():
            aliases = tuple(each for each in sorted(known) if each != app_id and root_of(known, each) == app_id)
            is_root = root_of(known, app_id) == app_id
            expected = RosterEntry(
                app=app,
                root_id=root_of(known, app_id),
                visible=is_visible(known, app_id),
                categories=categories_of(known, app_id) if is_root else (),
                aliases=aliases,
            )
            assert expected == roster.entry(app_id)
        for group, names in GROUPS.items():
            roots = [each for each in known if root_of(known, each) == each]
            held = {each for each in roots if set(names) & set(categories_of(known, each))}
            assert held == set(np.flatnonzero(roster.in_category(group, None, WIDTH)).tolist())
    assert sorted(each for each in known if is_visible(known, each)) == visible_ids(roster)


def test_a_long_chain_of_aliases_is_resolved_at_once() -> None:
    chain = [App(1), *(App(app_id, canonical_id=app_id - 1) for app_id in range(2, 20_001))]
    roster = roster_of(*reversed(chain))
    assert roster.root_of(20_000) == 1
    roster.update([replace(chain[0], canonical_id=20_000)])
    assert roster.root_of(20_000) == 20_000
