"""`tokenboard apps`, at a running server: each change is in force at once, on the whole history, and undoable."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.board import BRISK, BoardProcess, now_text, running_board, today
from tests.cli.conftest import Run


@pytest.fixture
def site() -> str:
    """Return a host that no other test uses."""
    return f"{uuid.uuid4().hex[:12]}.example"


Feed = Callable[[str, int, str | None], None]
Ranked = Callable[[], dict[str, int]]


@pytest.fixture
def feed(client: httpx.Client, board: BoardProcess) -> Feed:
    """Report one use of an app, by URL, and wait until it is in the rankings."""

    def report(url: str, tokens: int, title: str | None) -> None:
        event: dict[str, Any] = {"id": uuid.uuid4().hex, "ts": now_text(), "referer": url, "model": "m"}
        event |= {"prompt_tokens": tokens, "completion_tokens": 0, "title": title}
        answer = client.post("/api/v1/usage", json=[event])
        assert answer.status_code == 202, answer.text
        board.wait_until_counted()

    return report


@pytest.fixture
def ranked(client: httpx.Client, site: str) -> Ranked:
    """Return the tokens of today by app name, of the apps whose name holds the test's own host."""

    def read() -> dict[str, int]:
        day = today().isoformat()
        parameters = {"start_date": day, "end_date": day, "limit": "100"}
        rows = client.get("/api/v1/datasets/app-rankings", params=parameters).json()["data"]
        return {row["app_name"]: int(row["total_tokens"]) for row in rows if site in row["app_name"]}

    return read


def test_a_merge_moves_the_whole_history_at_once_and_unmerge_and_undo_move_it_back(
    on_board: Run, feed: Feed, ranked: Ranked, site: str
) -> None:
    feed(f"https://old.{site}", 10_000, None)
    feed(f"https://{site}", 70_000, None)
    apart = ranked()

    merged = on_board("apps", "merge", f"http://OLD.{site}:80/?x=1#y", f"www.{site}/")
    together = ranked()
    on_board("apps", "unmerge", f"old.{site}")
    again_apart = ranked()
    undone = on_board("apps", "undo", str(on_board("apps", "log", "--json").json[0]["entry"]))

    assert {f"old.{site}": 10_000, site: 70_000} == apart == again_apart
    assert {site: 80_000} == together == ranked()
    assert (0, 0) == (merged.code, undone.code)
    ids = {url: on_board("apps", "show", url, "--json").json["id"] for url in (f"old.{site}", site)}
    told = f"merge: app {ids[f'old.{site}']} into app {ids[site]} (take back with `tokenboard apps undo "
    assert told == merged.out[: len(told)]


def test_hiding_renaming_and_publishing_are_in_force_at_once_by_id_and_by_url(
    on_board: Run, feed: Feed, ranked: Ranked, site: str
) -> None:
    feed(f"https://{site}/", 50_000, None)
    app_id = str(on_board("apps", "show", site, "--json").json["id"])
    seen = []

    for arguments in (
        ("hide", app_id),
        ("publish", f"https://www.{site}"),
        ("rename", app_id, f"Named {site}"),
        ("private", site),
        ("publish", app_id),
    ):
        assert on_board("apps", *arguments).code == 0
        seen.append(ranked())

    named = {f"Named {site}": 50_000}
    assert [{}, {site: 50_000}, named, {}, named] == seen


def test_a_pinned_name_and_pinned_categories_no_longer_follow_the_headers_until_they_are_unpinned(
    on_board: Run, feed: Feed, site: str
) -> None:
    url = f"https://{site}"
    feed(url, 1, f"First {site}")
    on_board("apps", "pin", url)
    on_board("apps", "categorize", url, "game, roleplay")
    feed(url, 1, f"Second {site}")
    pinned = on_board("apps", "show", url, "--json").json
    on_board("apps", "unpin", url)
    on_board("apps", "uncategorize", url)
    freed = on_board("apps", "show", url, "--json").json

    assert (f"First {site}", True, ["game", "roleplay"]) == (pinned["name"], pinned["pinned"], pinned["categories"])
    assert (f"Second {site}", False, []) == (freed["name"], freed["pinned"], freed["categories"])
    assert [f"Second {site}", f"First {site}"] == freed["titles"]


def test_a_fold_gathers_a_hosts_paths_at_once_and_one_undo_frees_them_with_those_that_came_later(
    on_board: Run, feed: Feed, ranked: Ranked, site: str
) -> None:
    feed(f"https://{site}/a", 20_000, None)
    feed(f"https://{site}", 30_000, None)
    path, root = (str(on_board("apps", "show", url, "--json").json["id"]) for url in (f"{site}/a", site))

    folded = on_board("apps", "fold", f"http://{site}/any/page")
    feed(f"https://{site}/later", 40_000, None)
    together = ranked()
    entry = on_board("apps", "log", "--app", site, "--limit", "1", "--json").json[0]
    listed = on_board("apps", "folds").rows
    undone = on_board("apps", "undo", str(entry["entry"]))

    head, moved = folded.out.splitlines()
    assert f"fold: https://{site} into app {root} (take back with `tokenboard apps undo {entry['entry']}`)" == head
    assert [path, f"https://{site}/a", root] == moved.split("\t")
    assert {site: 90_000} == together
    assert [f"https://{site}", root, "2"] in listed
    assert f"undo: https://{site} (take back" == undone.out[: len(f"undo: https://{site} (take back")]
    assert {site: 30_000, f"{site}/a": 20_000, f"{site}/later": 40_000} == ranked()


def test_a_fold_names_its_app_and_unfold_and_a_second_fold_say_what_they_did(
    on_board: Run, feed: Feed, site: str
) -> None:
    for url in (f"https://{site}/a", f"https://{site}/b", f"https://b.{site}"):
        feed(url, 1, None)
    other = on_board("apps", "show", f"b.{site}", "--json").json["id"]

    folded = on_board("apps", "fold", site, "--into", f"b.{site}", "--json").json
    again = on_board("apps", "fold", site, "--into", str(other))
    shown = on_board("apps", "show", f"{site}/a", "--json").json
    refused = on_board("apps", "fold", f"b.{site}", "--into", f"{site}/a")
    unfolded = on_board("apps", "unfold", site, "--json").json
    twice = on_board("apps", "unfold", site)

    assert (2, "fold", [other, other]) == (
        folded["total"],
        folded["field"],
        [a["canonical_id"] for a in folded["apps"]],
    )
    assert f"fold: https://{site} is so already; nothing changed\n" == again.out
    assert (other, True) == (shown["canonical_id"], shown["folded"])
    assert (1, True) == (refused.code, "each would be the other's alias" in refused.err)
    assert (2, [None, None]) == (unfolded["total"], [a["canonical_id"] for a in unfolded["apps"]])
    assert (1, f"error: https://{site} is not folded\n") == (twice.code, twice.err.splitlines(keepends=True)[0])


def test_apps_commands_work_before_during_and_after_a_server(on_data: Run, data: Path) -> None:
    key = on_data("keys", "create", "--label", "x", "--scopes", "data,ingest", "--json").json["key"]
    before = on_data("apps", "list", "--json").json
    event = {"ts": now_text(), "model": "m", "prompt_tokens": 5, "completion_tokens": 0}
    events = [{"id": path, "referer": f"https://x.example{path}", **event} for path in ("/", "/a", "/b")]
    parameters = {"start_date": today().isoformat(), "end_date": today().isoformat()}

    with (
        running_board(data, module=BRISK) as board,
        httpx.Client(base_url=board.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client,
    ):
        assert client.post("/api/v1/usage", json=events).status_code == 202
        board.wait_until_counted()
        assert on_data("apps", "fold", "x.example").code == 0
        rows = client.get("/api/v1/datasets/app-rankings", params=parameters).json()["data"]
    on_data("apps", "unmerge", "x.example/b")
    after = on_data("apps", "list", "--json").json["apps"]

    assert {"total": 0, "apps": []} == before
    assert [("x.example", "15")] == [(row["app_name"], row["total_tokens"]) for row in rows]
    assert [(None, False), (1, True), (None, False)] == [(app["canonical_id"], app["folded"]) for app in after]


def test_apps_are_listed_searched_and_shown(on_board: Run, feed: Feed, site: str) -> None:
    for name in ("a", "b"):
        feed(f"https://{name}.{site}", 1, None)
    on_board("apps", "merge", f"a.{site}", f"b.{site}")

    table = on_board("apps", "list", "--search", site, "--limit", "1")
    listed = on_board("apps", "list", "--search", site, "--json").json
    shown = on_board("apps", "show", f"b.{site}")

    first, second = listed["apps"]
    assert (2, second["id"]) == (listed["total"], first["canonical_id"])
    assert [str(first["id"]), f"a.{site}", f"https://a.{site}", "public", str(second["id"])] == table.rows[0][:5]
    assert "1 more: --offset 1\n" == table.err
    assert ["alias", "url"] != shown.rows[-1]
    assert [str(first["id"]), f"https://a.{site}"] == shown.rows[-1]


def test_the_log_tells_who_did_what_in_tab_separated_rows(on_board: Run, feed: Feed, site: str) -> None:
    feed(f"https://{site}", 1, None)
    done = on_board("apps", "hide", site, "--json").json
    again = on_board("apps", "hide", site)

    rows = {row[0]: row for row in on_board("apps", "log", "--limit", "2").rows}

    entry = rows[str(done["entry"])]
    assert ("cli:", "hide", f"app {done['app_id']}") == (entry[2][:4], entry[3], entry[4])
    assert ('{"visibility": "public"}', '{"visibility": "hidden"}', "") == tuple(entry[5:])
    assert f"hide: app {done['app_id']} is so already; nothing changed\n" == again.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "nowhere.invalid-app.example"], "error: no app with the URL https://nowhere.invalid-app.example"),
        (["hide", "999999"], "error: no app with the id 999999"),
        (["merge", "javascript:x", "1"], "error: 'javascript:x' is neither an app's id nor its URL"),
        (["show", "\x1b[31m"], "error: '\\x1b[31m' is neither an app's id nor its URL"),
        (["undo", "999999"], "error: "),
        (
            ["fold", "localhost:3000"],
            "error: http://localhost:3000 cannot be folded: its apps are not told apart by paths",
        ),
        (["fold", "nowhere.invalid-app.example"], "error: no app of https://nowhere.invalid-app.example has been seen"),
        (["fold", "a.example", "--into", "999999"], "error: no app with the id 999999"),
        (["log", "--app", "999999"], "error: no app with the id 999999"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_hint(arguments: list[str], said: str, on_board: Run) -> None:
    done = on_board("apps", *arguments)

    assert (1, "", True) == (done.code, done.out, done.err.startswith(said)), done.err
    assert done.err.splitlines()[-1].startswith("hint: ")
    assert "\x1b" not in done.err
