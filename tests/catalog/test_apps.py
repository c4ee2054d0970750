"""Looking apps up, and learning what changed."""

from collections.abc import Callable

import pytest

from tests.catalog.seen import NOON, make, seen
from tokenboard.attribution import AppIdentity
from tokenboard.catalog import AmbiguousApp, App, Catalog, InvalidValue, UnknownApp, Visibility


def test_an_app_has_what_was_seen_of_it(catalog: Catalog) -> None:
    catalog.observe([seen("https://cline.bot", "Cline", "cli-agent", at=3)])
    expected = App(
        id=1,
        identity=AppIdentity("https://cline.bot"),
        url="https://cline.bot",
        name="Cline",
        pinned=False,
        visibility=Visibility.PUBLIC,
        canonical_id=None,
        categories=("cli-agent",),
        first_seen_ms=NOON + 3,
        revision=1,
    )
    assert expected == catalog.app(1)


@pytest.mark.parametrize(
    "ref",
    [1, "1", " 1 ", "01", "https://cline.bot", "cline.bot", "http://www.cline.bot/?utm=x", "https://CLINE.bot/#top"],
)
def test_an_app_is_found_by_its_id_and_by_any_url_of_it(catalog: Catalog, ref: str | int) -> None:
    make(catalog, "https://cline.bot", "https://cline.bot/docs")
    assert catalog.find(ref) == catalog.app(1)


@pytest.mark.parametrize("ref", [0, -1, 2, "0", "2", "9" * 400, "0" * 20 + "1" + "0" * 20, 10**30])
def test_an_unknown_id_is_said_so(catalog: Catalog, ref: str | int) -> None:
    make(catalog, "https://cline.bot")
    with pytest.raises(UnknownApp, match="no app with the id") as caught:
        catalog.find(ref)
    assert caught.value.hint


def test_an_id_with_many_leading_zeros_is_that_id(catalog: Catalog) -> None:
    make(catalog, "https://cline.bot")
    assert catalog.find("0" * 30 + "1") == catalog.app(1)


def test_an_unknown_url_is_answered_with_the_canonical_form_tried(catalog: Catalog) -> None:
    with pytest.raises(UnknownApp, match=r"https://example\.com/a") as caught:
        catalog.find("HTTP://www.Example.com/a/?b=c")
    assert caught.value.tried == "https://example.com/a"


@pytest.mark.parametrize("ref", ["", "cline", "<YOUR_SITE_URL>", "javascript:alert(1)", "²"])
def test_what_is_neither_id_nor_url_is_said_so(catalog: Catalog, ref: str) -> None:
    with pytest.raises(UnknownApp, match="neither") as caught:
        catalog.find(ref)
    assert caught.value.tried is None


def test_a_loopback_url_of_one_app_finds_it(catalog: Catalog) -> None:
    catalog.observe([seen("http://localhost:3000", "Chat")])
    assert catalog.find("localhost:3000").name == "Chat"


def test_a_loopback_url_of_several_apps_is_ambiguous(catalog: Catalog) -> None:
    catalog.observe([seen("http://localhost:3000", title) for title in ("Chat", "Draw")])
    with pytest.raises(AmbiguousApp, match=r"1 \(Chat\), 2 \(Draw\)") as caught:
        catalog.find("http://localhost:3000/path")
    assert caught.value.ids == (1, 2)


def test_a_listing_is_paged_by_id(catalog: Catalog) -> None:
    make(catalog, *(f"https://app{n}.dev" for n in range(5)))
    page = catalog.apps(limit=2, offset=2)
    assert (page.total, [app.id for app in page.apps]) == (5, [3, 4])
    assert catalog.apps(limit=2, offset=9).apps == ()


@pytest.mark.parametrize(
    ("search", "ids"),
    [
        ("", [1, 2, 3]),
        ("écl", [1]),
        ("ÉCLAIR", [1]),
        ("b.dev", [2]),
        ("%", [3]),
        ("_", []),
        ("https://", [1, 2, 3]),
        ("\\", []),
    ],
)
def test_a_listing_is_searched_by_name_and_url_whatever_the_case(catalog: Catalog, search: str, ids: list[int]) -> None:
    catalog.observe([seen("https://a.dev", "Éclair"), seen("https://b.dev", "Two"), seen("https://c.dev", "100%")])
    assert [app.id for app in catalog.apps(search).apps] == ids


def test_a_search_finds_an_app_by_the_name_an_operator_gave(catalog: Catalog) -> None:
    catalog.observe([seen("https://a.dev", "Before")])
    catalog.rename(1, "After", "ops")
    assert (catalog.apps("before").total, catalog.apps("after").total) == (0, 1)


def test_a_listing_is_filtered_by_visibility(catalog: Catalog) -> None:
    make(catalog, "https://a.dev", "https://b.dev", "https://c.dev")
    catalog.hide(1, "ops")
    catalog.set_private(2, "ops")
    assert [app.id for app in catalog.apps(visibilities=[Visibility.HIDDEN, Visibility.PRIVATE]).apps] == [1, 2]
    assert catalog.apps(visibilities=[]).total == 0


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (1001, 0), (1, -1), (1, 2**40)])
def test_a_page_out_of_range_is_refused(catalog: Catalog, limit: int, offset: int) -> None:
    with pytest.raises(InvalidValue):
        catalog.apps(limit=limit, offset=offset)
    with pytest.raises(InvalidValue):
        catalog.log(limit, offset)


@pytest.mark.parametrize("search", ["a\0b", "\udcff"])
def test_a_search_text_that_no_store_can_keep_is_refused(catalog: Catalog, search: str) -> None:
    with pytest.raises(InvalidValue, match="no store can keep"):
        catalog.apps(search)


def test_a_search_text_too_long_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidValue, match="201"):
        catalog.apps("x" * 201)


def test_changes_are_the_apps_stamped_since(catalog: Catalog) -> None:
    make(catalog, "https://a.dev", "https://b.dev")
    first = catalog.changes(0)
    assert ([app.id for app in first.apps], first.revision) == ([1, 2], 1)
    catalog.hide(2, "ops")
    assert [(app.id, app.visibility, app.revision) for app in catalog.changes(1).apps] == [(2, Visibility.HIDDEN, 2)]
    assert (catalog.changes(2).revision, catalog.changes(2).apps) == (2, ())


def test_a_reader_ahead_of_the_catalog_is_given_everything(catalog: Catalog) -> None:
    make(catalog, "https://a.dev")
    assert [app.id for app in catalog.changes(99).apps] == [1]


def test_an_empty_catalog_is_at_revision_zero(catalog: Catalog) -> None:
    assert (catalog.revision(), catalog.keys_revision(), catalog.changes(0).apps) == (0, 0, ())


def test_another_process_sees_the_revision(catalog: Catalog, open_catalog: Callable[..., Catalog]) -> None:
    reader = open_catalog()
    assert reader.revision() == 0
    make(catalog, "https://a.dev")
    assert reader.revision() == 1


def test_aliases_are_those_that_lead_to_an_app_over_any_number_of_pointers(catalog: Catalog) -> None:
    make(catalog, *(f"https://app{n}.dev" for n in range(5)))
    catalog.merge(4, 2, "ops")
    catalog.merge(2, 3, "ops")
    catalog.merge(1, 3, "ops")
    assert [(app.id, app.canonical_id) for app in catalog.aliases(3)] == [(1, 3), (2, 3), (4, 2)]
    assert catalog.aliases(5) == ()


def test_titles_and_aliases_of_an_unknown_app_are_refused(catalog: Catalog) -> None:
    for ask in (catalog.titles, catalog.aliases, catalog.app):
        with pytest.raises(UnknownApp):
            ask(7)
