"""The feeds as a reader gets them: valid Atom, the ranking's own figures, nobody who is hidden."""

from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

from tests.analytics.rig import TODAY
from tests.web.names import HOSTILE
from tests.web.stage import ALIAS, ARABIC, BASE_URL, CREATIVE, GONE, HIDDEN, MARKUP, RISER, SMALL, STEADY, TITLES, Stage
from tokenboard.web.feeds import Entry, Feed, Movement, News, read_news, write_atom
from tokenboard.web.numbers import exact
from tokenboard.web.pages.feeds import MOST_ENTRIES, entry_of

ATOM = "{http://www.w3.org/2005/Atom}"


def feed(browser: TestClient, path: str = "/feeds/apps.atom") -> ElementTree.Element:
    answer = browser.get(path)
    assert (200, "application/atom+xml; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    return ElementTree.fromstring(answer.content)


def text(element: ElementTree.Element, name: str) -> str:
    found = element.findtext(ATOM + name)
    assert found
    return found


def entries(root: ElementTree.Element) -> list[ElementTree.Element]:
    return root.findall(f"{ATOM}entry")


def test_a_feed_has_what_rfc_4287_asks_of_it(browser: TestClient) -> None:
    root = feed(browser)
    assert f"{ATOM}feed" == root.tag
    assert ("tag:board.example,2025-01-01:feeds/apps", "Test board") == (
        text(root, "id"),
        root.findtext(f"{ATOM}author/{ATOM}name"),
    )
    links = {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")}
    assert {"self": f"{BASE_URL}/feeds/apps.atom", "alternate": f"{BASE_URL}/rankings"} == links
    found = entries(root)
    assert 0 < len(found) <= MOST_ENTRIES
    ids = [text(entry, "id") for entry in found]
    assert len(ids) == len(set(ids))
    updates = [datetime.fromisoformat(text(entry, "updated")) for entry in found]
    assert sorted(updates, reverse=True) == updates
    assert max(updates) == datetime.fromisoformat(text(root, "updated"))
    for entry in found:
        assert text(entry, "title")
        assert text(entry, "summary")
        assert {category.get("term") for category in entry.findall(f"{ATOM}category")} <= {
            "entrant",
            "overtake",
            "trending",
        }
        link = entry.find(f"{ATOM}link")
        assert link is not None
        assert str(link.get("href")).startswith(f"{BASE_URL}/apps/")


def test_an_entry_tells_the_rank_and_the_tokens_of_the_data_api(browser: TestClient, stage: Stage) -> None:
    for entry in entries(feed(browser)):
        day = date.fromisoformat(text(entry, "id").partition(",")[2][:10])
        app_id = int(text(entry, "id").rpartition("/")[2])
        week = {"start_date": str(day - timedelta(days=6)), "end_date": str(day)}
        (row,) = [row for row in stage.rig.get("/datasets/app-rankings", **week)["data"] if row["app_id"] == app_id]
        summary = text(entry, "summary")
        assert f"is #{row['rank']} of the seven days to {day}" in summary
        assert f"({exact(int(row['total_tokens']))})" in summary
        assert row["app_name"] in summary.replace("\u2068", "").replace("\u2069", "")
        assert datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) == datetime.fromisoformat(
            text(entry, "updated")
        )


def test_a_riser_enters_passes_and_trends_and_neighbours_do_not_flap(browser: TestClient, stage: Stage) -> None:
    riser = feed(browser, f"/feeds/apps/{stage.id_of(RISER)}.atom")
    titles = [text(entry, "title") for entry in entries(riser)]
    assert "Riser entered the top 3, at #2" in titles
    assert "Riser passed Steady, now #1" in titles
    terms = {category.get("term") for category in riser.iter(f"{ATOM}category")}
    assert {"entrant", "overtake", "trending"} >= terms
    told = " ".join(text(entry, "summary") for entry in entries(feed(browser)))
    assert not [
        pair
        for pair in ((CREATIVE, ARABIC), (ARABIC, CREATIVE))
        if f"{TITLES[pair[0]]} passed {TITLES[pair[1]]}" in told
    ]


def test_an_apps_own_feed_also_tells_who_passed_it(browser: TestClient, stage: Stage) -> None:
    titles = [text(entry, "title") for entry in entries(feed(browser, f"/feeds/apps/{stage.id_of(STEADY)}.atom"))]
    assert "Riser passed Steady, now #1" in titles


def test_the_same_days_give_the_same_entries_on_the_next_day(stage: Stage) -> None:
    def told(on: date) -> dict[tuple[date, int], Movement]:
        news = read_news(stage.rig.rankings, floor=date(2026, 1, 1), today=on)
        return {(each.day, each.app_id): each for each in news.movements}

    today, tomorrow = told(TODAY - timedelta(days=1)), told(TODAY)
    last_shown = TODAY - timedelta(days=30)
    assert {at: each for at, each in today.items() if at[0] >= last_shown} == {
        at: each for at, each in tomorrow.items() if at[0] < TODAY - timedelta(days=1)
    }


def test_hidden_apps_and_aliases_are_in_no_feed(browser: TestClient, stage: Stage) -> None:
    for path in ("/feeds/apps.atom", *(f"/feeds/apps/{stage.id_of(url)}.atom" for url in (STEADY, CREATIVE, MARKUP))):
        said = browser.get(path).text
        assert not [gone for gone in GONE if gone in said]
    hidden = browser.get(f"/feeds/apps/{stage.id_of(HIDDEN)}.atom")
    unknown = browser.get("/feeds/apps/99999999999999999999.atom")
    assert (404, 404) == (hidden.status_code, unknown.status_code)
    assert hidden.text == unknown.text
    answer = browser.get(f"/feeds/apps/{stage.id_of(ALIAS)}.atom")
    assert (301, f"/feeds/apps/{stage.id_of(CREATIVE)}.atom") == (answer.status_code, answer.headers["location"])


def test_when_nothing_moved_for_long_the_feed_is_valid_and_empty(
    browser: TestClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.rig, "now", datetime(2026, 12, 1, 9, tzinfo=UTC))
    for path in ("/feeds/apps.atom", f"/feeds/apps/{stage.id_of(SMALL)}.atom"):
        root = feed(browser, path)
        assert [] == entries(root)
        assert "2026-12-01T00:00:00Z" == text(root, "updated")


def test_a_feed_is_not_sent_again_while_nothing_changed(browser: TestClient) -> None:
    etag = browser.get("/feeds/apps.atom").headers["etag"]
    assert 304 == browser.get("/feeds/apps.atom", headers={"If-None-Match": etag}).status_code


@pytest.mark.parametrize("name", [name for name in HOSTILE if name])
def test_a_name_of_any_kind_leaves_the_feed_well_formed(stage: Stage, name: str) -> None:
    movement = Movement(TODAY, 7, 3, 10**20, 3 * 10**19, 3, (8, 9), trending=True)
    news = News((movement,), {7: name, 8: name, 9: name}, datetime(2026, 4, 15, tzinfo=UTC))
    told = entry_of(stage.services().site, news, movement)
    document = write_atom(Feed("tag:x", name, name, name, BASE_URL, BASE_URL, news.until, [told]))
    root = ElementTree.fromstring(document)
    (entry,) = entries(root)
    readable = "".join(c if c.isprintable() or c in "\u2028\u202e\u202c\u200d\ue000" else "\ufffd" for c in name)
    assert readable in text(entry, "title").replace("\u2068", "").replace("\u2069", "")
    assert b"<script" not in document


def test_names_from_right_to_left_are_kept_apart_from_the_sentence() -> None:
    entry = Entry("tag:x", "\u2068محرر\u2069 passed x", "s", BASE_URL, datetime(2026, 1, 1, tzinfo=UTC), ())
    assert (
        "\u2068محرر\u2069 passed x"
        in write_atom(Feed("tag:x", "t", "s", "a", BASE_URL, BASE_URL, entry.updated, [entry])).decode()
    )
