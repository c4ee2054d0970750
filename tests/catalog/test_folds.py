"""Folds: all paths of a host in one app, those there are and those to come, and how it is taken back."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic import command

from tests.catalog.seen import make, seen
from tokenboard.catalog import (
    Catalog,
    Field,
    Fold,
    FoldRefused,
    InvalidValue,
    LimitReached,
    UndoRefused,
    UnknownApp,
    Visibility,
    folds,
    migrate,
)

HOST = "https://x.dev"

OLD_APP = """
INSERT INTO apps (id, identity, url, name, header_categories, visibility, canonical_id, first_seen_ms, created_key_id,
                  created_day, search, revision)
VALUES (:id, :url, :url, :url, '', 'public', NULL, 1, 1, 1, :url, 1)
"""
OLD_ALIAS = "UPDATE apps SET canonical_id = 3 WHERE id = 2"
OLD_ENTRY = """
INSERT INTO audit (id, at_ms, actor, action, field, app_id, before, after)
VALUES (1, 1, 'ops', 'merge', 'alias', 2, '{"canonical_id": null}', '{"canonical_id": 3}')
"""


def pointers(catalog: Catalog) -> dict[int, int | None]:
    return {app.id: app.canonical_id for app in catalog.apps().apps}


def test_all_paths_of_a_host_count_for_the_app_at_its_root(catalog: Catalog) -> None:
    make(catalog, f"{HOST}/a", HOST, f"{HOST}/b/c", "https://sub.x.dev", f"{HOST}:8443/a", f"{HOST}.org/a")
    folded = catalog.fold("http://www.X.dev/whatever?q=1", "ops")
    assert {1: 2, 2: None, 3: 2, 4: None, 5: None, 6: None} == pointers(catalog)
    assert (2, [(1, 2), (3, 2)]) == (folded.total, [(app.id, app.canonical_id) for app in folded.apps])
    assert ("fold", Field.FOLD, 2) == (folded.entry.action, folded.entry.field, folded.entry.app_id)
    assert {"host": HOST, "canonical_id": None, "apps": 0} == folded.entry.before
    assert {"host": HOST, "canonical_id": 2, "apps": 2} == folded.entry.after
    assert (Fold(HOST, 2, 2),) == catalog.folds()


def test_a_fold_stamps_what_it_moves_with_one_revision(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a", f"{HOST}/b", "https://y.dev")
    revision = catalog.revision()
    catalog.fold(HOST, "ops")
    assert revision + 1 == catalog.revision()
    assert [2, 3] == [app.id for app in catalog.changes(revision).apps]


def test_apps_that_come_later_are_born_into_the_fold_and_freed_with_it(catalog: Catalog) -> None:
    make(catalog, HOST)
    catalog.fold(HOST, "ops")
    make(catalog, f"{HOST}/later", f"{HOST}:1/other", "https://y.dev/later")
    assert {1: None, 2: 1, 3: None, 4: None} == pointers(catalog)
    assert (Fold(HOST, 1, 1),) == catalog.folds()
    catalog.undo(1, "ops")
    assert {1: None, 2: None, 3: None, 4: None} == pointers(catalog)
    assert () == catalog.folds()


def test_another_process_folds_and_the_next_birth_knows(open_catalog: Callable[..., Catalog]) -> None:
    drain, operator = open_catalog(), open_catalog()
    make(drain, HOST, f"{HOST}/a")
    operator.fold(HOST, "ops")
    make(drain, f"{HOST}/a", f"{HOST}/b")
    assert {1: None, 2: 1, 3: 1} == pointers(operator)


def test_without_a_root_the_first_app_seen_is_chosen_and_the_root_folds_into_it_when_it_comes(catalog: Catalog) -> None:
    catalog.observe([seen(f"{HOST}/late", at=9), seen(f"{HOST}/early", at=1)])
    assert 2 == catalog.fold(HOST, "ops").entry.app_id
    make(catalog, HOST)
    assert {1: 2, 2: None, 3: 2} == pointers(catalog)
    assert catalog.fold(HOST, "ops").entry.after["canonical_id"] == 2
    catalog.fold(HOST, "ops", into=3)
    assert {1: 3, 2: 3, 3: None} == pointers(catalog)


def test_the_app_may_be_named_even_one_elsewhere_and_before_the_host_is_seen(catalog: Catalog) -> None:
    make(catalog, "https://y.dev")
    assert 0 == catalog.fold(HOST, "ops", into=1).total
    make(catalog, HOST, f"{HOST}/a")
    assert {1: None, 2: 1, 3: 1} == pointers(catalog)


def test_a_root_that_is_an_alias_folds_the_host_into_what_it_counts_for(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a", "https://y.dev")
    catalog.merge(1, 3, "ops")
    catalog.fold(HOST, "ops")
    assert {1: 3, 2: 3, 3: None} == pointers(catalog)


def test_what_an_operator_placed_stays_where_it_is(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a", f"{HOST}/b", f"{HOST}/c", "https://y.dev")
    catalog.merge(2, 5, "ops")
    catalog.fold(HOST, "ops")
    catalog.unmerge(3, "ops")
    assert {1: None, 2: 5, 3: None, 4: 1, 5: None} == pointers(catalog)
    assert [False, True, True, False, False] == [app.alias_pinned for app in catalog.apps().apps]
    assert {"canonical_id": 1, "folded": True} == catalog.log()[0].before
    assert {"canonical_id": None, "apart": True} == catalog.log()[0].after
    catalog.unmerge(2, "ops")
    assert 0 == catalog.fold(HOST, "ops").total
    assert {1: None, 2: None, 3: None, 4: 1, 5: None} == pointers(catalog)


def test_a_merge_taken_back_under_a_fold_leaves_the_app_to_the_fold(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a", "https://y.dev")
    merge = catalog.merge(2, 3, "ops")
    catalog.fold(HOST, "ops")
    undo = catalog.undo(merge.id, "ops")
    assert {"canonical_id": 1, "folded": True} == undo.after
    assert {1: None, 2: 1, 3: None} == pointers(catalog)
    catalog.undo(undo.id, "ops")
    assert {1: None, 2: 3, 3: None} == pointers(catalog)


def test_a_merge_undone_before_a_fold_can_be_had_again_after_it(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a", "https://y.dev")
    undo = catalog.undo(catalog.merge(2, 3, "ops").id, "ops")
    catalog.fold(HOST, "ops")
    catalog.undo(undo.id, "ops")
    assert {1: None, 2: 3, 3: None} == pointers(catalog)


def test_unfold_frees_what_the_fold_moved_and_can_be_taken_back(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a", f"{HOST}/b", "https://y.dev")
    catalog.merge(3, 4, "ops")
    catalog.fold(HOST, "ops")
    unfolded = catalog.unfold("x.dev", "ops")
    assert {1: None, 2: None, 3: 4, 4: None} == pointers(catalog)
    assert (1, "unfold", 1) == (unfolded.total, unfolded.entry.action, unfolded.entry.app_id)
    catalog.undo(unfolded.entry.id, "ops")
    assert {1: None, 2: 1, 3: 4, 4: None} == pointers(catalog)


def test_a_fold_that_is_so_already_is_logged_and_changes_nothing(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a")
    catalog.fold(HOST, "ops")
    revision = catalog.revision()
    again = catalog.fold(HOST, "ops")
    assert (again.entry.before, 0, revision) == (again.entry.after, again.total, catalog.revision())
    with pytest.raises(UndoRefused, match="changed nothing"):
        catalog.undo(again.entry.id, "ops")


def test_undo_says_what_stands_in_its_way(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a", "https://y.dev")
    catalog.fold(HOST, "ops")
    merge = catalog.merge(2, 3, "ops")
    with pytest.raises(UndoRefused, match=f"entry {merge.id} placed app 2") as caught:
        catalog.undo(1, "ops")
    assert f"Undo entry {merge.id} first." == caught.value.hint
    catalog.undo(merge.id, "ops")
    again = catalog.fold(HOST, "ops", into=3)
    with pytest.raises(UndoRefused, match=f"entry {again.entry.id} changed the fold of {HOST}"):
        catalog.undo(1, "ops")
    for entry_id in (again.entry.id, 1):
        catalog.undo(entry_id, "ops")
    assert {1: None, 2: None, 3: None} == pointers(catalog)


def test_an_undone_fold_can_be_had_again(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a")
    catalog.fold(HOST, "ops")
    seen_pointers = []
    for entry_id in (1, 2, 3):
        catalog.undo(entry_id, "ops")
        seen_pointers.append(pointers(catalog)[2])
    assert [None, 1, None] == seen_pointers


def test_a_ring_is_refused_whichever_action_would_close_it(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a", "https://y.dev", "https://y.dev/a")
    catalog.merge(1, 2, "ops")
    with pytest.raises(FoldRefused, match="leads to an app") as caught:
        catalog.fold(HOST, "ops", into=1)
    assert "into app 2" in caught.value.hint
    catalog.fold(HOST, "ops", into=3)
    with pytest.raises(FoldRefused):
        catalog.fold("y.dev", "ops", into=2)
    assert {1: 2, 2: 3, 3: None, 4: None} == pointers(catalog)
    assert [Fold(HOST, 3, 1)] == list(catalog.folds())
    assert 2 == len(catalog.log())


def test_going_back_to_a_fold_does_not_close_a_ring(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a", "https://y.dev")
    catalog.fold(HOST, "ops", into=3)
    unfold = catalog.unfold(HOST, "ops")
    merge = catalog.merge(3, 2, "ops")
    with pytest.raises(UndoRefused, match="app 3 leads") as caught:
        catalog.undo(unfold.entry.id, "ops")
    assert "Unmerge app 3" in caught.value.hint
    assert {1: None, 2: None, 3: 2} == pointers(catalog)
    catalog.undo(merge.id, "ops")
    catalog.undo(unfold.entry.id, "ops")
    assert {1: 3, 2: 3, 3: None} == pointers(catalog)


def test_hiding_and_naming_folded_apps_is_no_hindrance(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a")
    catalog.fold(HOST, "ops")
    catalog.hide(2, "ops")
    catalog.rename(1, "Named", "ops")
    catalog.undo(1, "ops")
    assert {1: None, 2: None} == pointers(catalog)


def test_a_url_nobody_has_sent_yet_resolves_where_its_host_is_folded(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a", "https://y.dev")
    with pytest.raises(UnknownApp) as unknown:
        catalog.resolve("x.dev/new")
    assert f"{HOST}/new" == unknown.value.tried
    catalog.fold(HOST, "ops")
    catalog.merge(1, 3, "ops")
    assert [3, 3, 3, 3] == [catalog.resolve(ref).id for ref in (1, "x.dev/a", "http://www.x.dev", "x.dev/new")]
    with pytest.raises(UnknownApp):
        catalog.resolve("https://z.dev/new")


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("localhost:3000", "not told apart by paths"),
        ("vscode://some.extension", "not told apart by paths"),
        ("myapp", "is no host"),
        ("", "is no host"),
        ("12", "is no host"),
        ("javascript:alert(1)", "is no host"),
    ],
)
def test_what_has_no_paths_is_not_folded(host: str, said: str, catalog: Catalog) -> None:
    catalog.observe([seen("http://localhost:3000", "Mine"), seen("http://localhost:3000", "Yours")])
    with pytest.raises(InvalidValue, match=said):
        catalog.fold(host, "ops", into=1)
    assert ((), ()) == (catalog.log(), catalog.folds())


def test_what_is_not_there_is_refused(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    make(catalog, HOST, "https://y.dev")
    with pytest.raises(UnknownApp, match="no app of https://z"):
        catalog.fold("z.dev", "ops")
    with pytest.raises(UnknownApp, match="id 9"):
        catalog.fold(HOST, "ops", into=9)
    with pytest.raises(FoldRefused, match="is not folded"):
        catalog.unfold(HOST, "ops")
    monkeypatch.setattr(folds, "FOLDS_LIMIT", 1)
    catalog.fold(HOST, "ops")
    with pytest.raises(LimitReached):
        catalog.fold("y.dev", "ops")


def test_a_host_with_more_apps_than_a_page_is_folded_whole(catalog: Catalog) -> None:
    count = 1_200
    catalog.observe([seen(f"{HOST}/{number}", key=number) for number in range(count)])
    folded = catalog.fold(HOST, "ops")
    assert (count - 1, 1_000) == (folded.total, len(folded.apps))
    assert count - 1 == len(catalog.aliases(1))


def test_the_log_of_an_app_holds_the_folds_into_it(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a", "https://y.dev")
    catalog.hide(3, "ops")
    catalog.fold(HOST, "ops")
    catalog.rename(1, "Named", "ops")
    page = catalog.log_page(1, app_id=1)
    assert (2, ["rename"]) == (page.total, [entry.action for entry in page.entries])
    assert catalog.log_page(5, 1, app_id=1).entries == (catalog.entry(2),)


def test_the_aliases_of_a_catalog_made_before_there_were_folds_are_an_operators(empty_url: str) -> None:
    catalog = Catalog.open(empty_url)
    config = migrate._config()
    with catalog._database.migrating() as connection:
        config.attributes.update(connection=connection, on_version_apply=lambda **_: None)
        command.upgrade(config, "0001")
        for app_id, path in ((1, ""), (2, "/a"), (3, "/b")):
            connection.execute(sa.text(OLD_APP), {"id": app_id, "url": HOST + path})
        for statement in (OLD_ALIAS, OLD_ENTRY, "UPDATE revisions SET value = 1"):
            connection.exec_driver_sql(statement)
    assert ["0002", "0003", "0004"] == catalog.migrate()
    catalog.fold(HOST, "ops")
    assert {1: None, 2: 3, 3: 1} == pointers(catalog)
    catalog.undo(1, "ops")
    assert {1: None, 2: 1, 3: 1} == pointers(catalog)
    catalog.close()


def test_the_aliases_of_an_app_are_paged_with_those_over_others(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a", f"{HOST}/b", "https://y.dev")
    catalog.fold(HOST, "ops")
    catalog.merge(1, 4, "ops")
    page = catalog.alias_page(4, limit=2, offset=1)
    assert (3, [2, 3]) == (page.total, [app.id for app in page.apps])
    with pytest.raises(UnknownApp):
        catalog.alias_page(9)
    with pytest.raises(InvalidValue):
        catalog.alias_page(4, limit=0)


def test_folding_keeps_the_names_and_the_visibility_of_apps(catalog: Catalog) -> None:
    make(catalog, HOST, f"{HOST}/a")
    catalog.hide(2, "ops")
    catalog.rename(2, "Named", "ops")
    catalog.fold(HOST, "ops")
    catalog.unfold(HOST, "ops")
    app = catalog.app(2)
    assert ("Named", Visibility.HIDDEN, None, False) == (app.name, app.visibility, app.canonical_id, app.alias_pinned)
