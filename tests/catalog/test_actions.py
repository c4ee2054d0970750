"""What operators do, and how it is undone."""

import pytest

from tests.catalog.conftest import Clock
from tests.catalog.seen import make, seen
from tokenboard.attribution import CATEGORIES
from tokenboard.catalog import (
    AuditEntry,
    Catalog,
    Field,
    InvalidValue,
    MergeRefused,
    UndoRefused,
    UnknownApp,
    UnknownEntry,
    Visibility,
)


@pytest.fixture(autouse=True)
def four_apps(catalog: Catalog) -> None:
    make(catalog, *(f"https://{name}.dev" for name in "abcd"))


def test_an_action_is_logged_with_who_when_and_what(catalog: Catalog, clock: Clock) -> None:
    clock.now = 1_800_000_000_123
    entry = catalog.rename(1, "  Our\tApp ", "  ops ")
    expected = AuditEntry(
        id=1,
        at_ms=1_800_000_000_123,
        actor="ops",
        action="rename",
        field=Field.NAME,
        app_id=1,
        key_id=None,
        before={"name": "a.dev", "pinned": False},
        after={"name": "Our App", "pinned": True},
        undoes=None,
        undone_by=None,
    )
    assert expected == entry
    assert catalog.log() == (expected,)
    assert (catalog.app(1).name, catalog.app(1).pinned) == ("Our App", True)


def test_the_log_is_paged_newest_first(catalog: Catalog) -> None:
    for app_id in (1, 2, 3):
        catalog.hide(app_id, "ops")
    assert [entry.id for entry in catalog.log(2, 1)] == [2, 1]


def test_an_action_stamps_only_its_app(catalog: Catalog) -> None:
    revision = catalog.revision()
    catalog.hide(2, "ops")
    assert [app.id for app in catalog.changes(revision).apps] == [2]
    assert catalog.revision() == revision + 1


def test_an_action_that_finds_its_result_there_is_logged_and_changes_nothing(catalog: Catalog) -> None:
    catalog.hide(1, "ops")
    catalog.merge(2, 3, "ops")
    catalog.rename(3, "X", "ops")
    revision = catalog.revision()
    for entry in (
        catalog.hide(1, "ops"),
        catalog.merge(2, 3, "ops"),
        catalog.rename(3, "X", "ops"),
        catalog.unpin(4, "ops"),
        catalog.uncategorize(4, "ops"),
        catalog.publish(4, "ops"),
    ):
        assert entry.before == entry.after
        with pytest.raises(UndoRefused, match="changed nothing"):
            catalog.undo(entry.id, "ops")
    assert catalog.revision() == revision
    catalog.undo(1, "ops")
    assert catalog.app(1).visibility == Visibility.PUBLIC


def test_apps_are_hidden_made_private_and_published(catalog: Catalog) -> None:
    for act, visibility in (
        (catalog.hide, Visibility.HIDDEN),
        (catalog.set_private, Visibility.PRIVATE),
        (catalog.publish, Visibility.PUBLIC),
    ):
        act(1, "ops")
        assert catalog.app(1).visibility == visibility
    assert [entry.action for entry in catalog.log()] == ["publish", "set_private", "hide"]


def test_unpin_takes_the_name_that_headers_have_come_to(catalog: Catalog) -> None:
    catalog.rename(1, "Pinned", "ops")
    catalog.observe([seen("https://a.dev", "By header")])
    catalog.unpin(1, "ops")
    assert (catalog.app(1).name, catalog.app(1).pinned) == ("By header", False)


def test_a_name_may_be_pinned_as_it_is(catalog: Catalog) -> None:
    catalog.rename(1, catalog.app(1).name, "ops")
    catalog.observe([seen("https://a.dev", "By header")])
    assert catalog.app(1).name == "a.dev"


@pytest.mark.parametrize("name", ["", " \t\n", "\u200b\u202e", "x" * 101, "x" * 10_000])
def test_a_name_without_one_to_a_hundred_printable_characters_is_refused(catalog: Catalog, name: str) -> None:
    with pytest.raises(InvalidValue):
        catalog.rename(1, name, "ops")
    assert catalog.log() == ()


@pytest.mark.parametrize(
    ("name", "cleaned"), [("x" * 100, "x" * 100), ("e\u0301", "é"), ("a\u202eb\r\nc", "ab c"), ("日本 語", "日本 語")]
)
def test_a_name_is_cleaned(catalog: Catalog, name: str, cleaned: str) -> None:
    catalog.rename(1, name, "ops")
    assert catalog.app(1).name == cleaned


def test_an_actor_without_a_name_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidValue, match="actor"):
        catalog.hide(1, " ")


def test_an_operators_categories_replace_and_are_pinned(catalog: Catalog) -> None:
    catalog.observe([seen("https://a.dev", None, "game")])
    catalog.categorize(1, ["legal", "cli-agent", "legal"], "ops")
    catalog.observe([seen("https://a.dev", None, "roleplay")])
    assert (catalog.app(1).categories, catalog.app(1).categories_pinned) == (("legal", "cli-agent"), True)
    catalog.categorize(1, [], "ops")
    assert (catalog.app(1).categories, catalog.app(1).categories_pinned) == ((), True)
    catalog.uncategorize(1, "ops")
    assert (catalog.app(1).categories, catalog.app(1).categories_pinned) == (("game", "roleplay"), False)


def test_unknown_and_too_many_categories_are_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidValue, match="coding") as caught:
        catalog.categorize(1, ["coding"], "ops")
    assert "cli-agent" in caught.value.hint
    eleven = sorted(CATEGORIES)[:11]
    with pytest.raises(InvalidValue, match="11"):
        catalog.categorize(1, eleven, "ops")


def test_a_merge_stores_the_pointer_as_given(catalog: Catalog) -> None:
    catalog.merge(1, 2, "ops")
    catalog.merge(2, 3, "ops")
    assert [app.canonical_id for app in catalog.apps().apps] == [2, 3, None, None]


def test_merging_an_alias_again_points_it_elsewhere(catalog: Catalog) -> None:
    catalog.merge(1, 2, "ops")
    entry = catalog.merge(1, 3, "ops")
    assert (entry.before, entry.after) == ({"canonical_id": 2}, {"canonical_id": 3})
    catalog.undo(entry.id, "ops")
    assert catalog.app(1).canonical_id == 2


def test_a_merge_that_would_close_a_ring_is_refused(catalog: Catalog) -> None:
    with pytest.raises(MergeRefused, match="itself"):
        catalog.merge(1, 1, "ops")
    catalog.merge(1, 2, "ops")
    catalog.merge(2, 3, "ops")
    for canonical_id in (1, 2):
        with pytest.raises(MergeRefused, match="already leads"):
            catalog.merge(3, canonical_id, "ops")
    catalog.merge(1, 4, "ops")
    catalog.merge(3, 1, "ops")


def test_only_an_alias_is_unmerged(catalog: Catalog) -> None:
    with pytest.raises(MergeRefused, match="not an alias"):
        catalog.unmerge(1, "ops")
    catalog.merge(1, 2, "ops")
    catalog.unmerge(1, "ops")
    assert catalog.app(1).canonical_id is None


def test_actions_on_unknown_apps_are_refused(catalog: Catalog) -> None:
    for act in (
        catalog.hide,
        catalog.set_private,
        catalog.publish,
        catalog.unpin,
        catalog.uncategorize,
        catalog.unmerge,
    ):
        with pytest.raises(UnknownApp):
            act(9, "ops")
    with pytest.raises(UnknownApp):
        catalog.merge(1, 9, "ops")
    with pytest.raises(UnknownApp):
        catalog.rename(9, "x", "ops")
    assert catalog.log() == ()


def test_undo_puts_the_field_back_and_notes_it_at_both_entries(catalog: Catalog) -> None:
    catalog.merge(1, 2, "ops")
    undo = catalog.undo(1, "chief")
    assert (
        undo.action,
        undo.actor,
        undo.undoes,
        undo.before,
        undo.after,
    ) == ("undo", "chief", 1, {"canonical_id": 2}, {"canonical_id": None})
    assert [(entry.id, entry.undoes, entry.undone_by) for entry in catalog.log()] == [(2, 1, None), (1, None, 2)]
    assert catalog.app(1).canonical_id is None


def test_undoing_a_rename_shows_what_headers_have_come_to(catalog: Catalog) -> None:
    catalog.rename(1, "Pinned", "ops")
    catalog.observe([seen("https://a.dev", "By header")])
    catalog.undo(1, "ops")
    assert (catalog.app(1).name, catalog.app(1).pinned) == ("By header", False)


def test_undoing_an_unpin_pins_the_name_again(catalog: Catalog) -> None:
    catalog.rename(1, "Pinned", "ops")
    entry = catalog.unpin(1, "ops")
    catalog.observe([seen("https://a.dev", "By header")])
    catalog.undo(entry.id, "ops")
    assert (catalog.app(1).name, catalog.app(1).pinned) == ("Pinned", True)


def test_undoing_a_categorize_gives_the_headers_set(catalog: Catalog) -> None:
    catalog.categorize(1, ["game"], "ops")
    catalog.observe([seen("https://a.dev", None, "legal")])
    catalog.undo(1, "ops")
    assert catalog.app(1).categories == ("legal",)


def test_an_entry_is_undone_once(catalog: Catalog) -> None:
    catalog.hide(1, "ops")
    catalog.undo(1, "ops")
    with pytest.raises(UndoRefused, match="undone by entry 2"):
        catalog.undo(1, "ops")


def test_undo_refuses_while_a_later_change_of_the_field_is_in_force(catalog: Catalog) -> None:
    catalog.rename(1, "One", "ops")
    catalog.rename(1, "Two", "ops")
    with pytest.raises(UndoRefused, match="entry 2 changed the name of app 1 after entry 1") as caught:
        catalog.undo(1, "ops")
    assert "Undo entry 2 first" in caught.value.hint
    catalog.undo(2, "ops")
    catalog.undo(1, "ops")
    assert catalog.app(1).name == "a.dev"


def test_undo_refuses_when_later_changes_came_back_to_the_same_value(catalog: Catalog) -> None:
    catalog.hide(1, "ops")
    catalog.publish(1, "ops")
    catalog.hide(1, "ops")
    with pytest.raises(UndoRefused, match="entry 3"):
        catalog.undo(1, "ops")


def test_other_fields_and_other_apps_are_no_hindrance(catalog: Catalog) -> None:
    catalog.hide(1, "ops")
    catalog.rename(1, "X", "ops")
    catalog.hide(2, "ops")
    catalog.undo(1, "ops")
    assert (catalog.app(1).visibility, catalog.app(1).name) == (Visibility.PUBLIC, "X")


def test_an_undo_is_undone_and_its_redo_too(catalog: Catalog) -> None:
    catalog.hide(1, "ops")
    visibilities = []
    for audit_id in (1, 2, 3, 4):
        catalog.undo(audit_id, "ops")
        visibilities.append(catalog.app(1).visibility)
    assert visibilities == [Visibility.PUBLIC, Visibility.HIDDEN] * 2


def test_an_undo_is_not_undone_after_another_change(catalog: Catalog) -> None:
    catalog.hide(1, "ops")
    catalog.undo(1, "ops")
    catalog.set_private(1, "ops")
    with pytest.raises(UndoRefused, match="entry 3"):
        catalog.undo(2, "ops")
    catalog.undo(3, "ops")
    with pytest.raises(UndoRefused):
        catalog.undo(2, "ops")


def test_undo_does_not_close_a_ring(catalog: Catalog) -> None:
    catalog.merge(1, 2, "ops")
    unmerge = catalog.unmerge(1, "ops")
    catalog.merge(2, 1, "ops")
    with pytest.raises(UndoRefused, match="leads to") as caught:
        catalog.undo(unmerge.id, "ops")
    assert "Unmerge app 2" in caught.value.hint


@pytest.mark.parametrize("audit_id", [0, -1, 1, 2**40])
def test_an_unknown_entry_cannot_be_undone(catalog: Catalog, audit_id: int) -> None:
    with pytest.raises(UnknownEntry):
        catalog.undo(audit_id, "ops")


def test_a_keys_entry_cannot_be_undone(catalog: Catalog) -> None:
    catalog.create_key("laptop", ["data"])
    with pytest.raises(UndoRefused, match="key"):
        catalog.undo(1, "ops")
