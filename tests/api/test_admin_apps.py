"""`/admin/apps`, `/admin/folds`, `/admin/log`: each change is audited, in the very next ranking, and undoable."""

from typing import Any

import httpx
import pytest

from tests.api.operator import Operator
from tests.board import BoardProcess, now_text


def test_an_app_is_shown_with_all_that_is_known_of_it(operator: Operator) -> None:
    site = operator.site
    app_id, alias_id = operator.use(f"https://{site}", f"https://old.{site}", title=f"T {site}", categories="game")
    operator.use(f"https://old.{site}", categories="legal")
    operator.ask("PUT", f"/apps/{alias_id}/canonical", json={"into": f"http://www.{site}/#x"})
    operator.ask("PUT", f"/apps/{app_id}/name", json={"name": "  Named\there "})

    shown = operator.ask("GET", f"/apps/{app_id}")

    assert ("Named here", True, f"https://{site}", "public") == tuple(
        shown[name] for name in ("name", "name_pinned", "url", "visibility")
    )
    assert (None, False, False, app_id, True) == tuple(
        shown[name] for name in ("canonical_id", "alias_pinned", "folded", "root_id", "listed")
    )
    assert (["game"], ["game", "legal"], False) == tuple(
        shown[name] for name in ("categories", "effective_categories", "categories_pinned")
    )
    assert ([f"T {site}"], 1, [alias_id]) == (
        [title["title"] for title in shown["titles"]],
        shown["aliases_total"],
        [alias["id"] for alias in shown["aliases"]],
    )
    assert (1, ["rename"], ["test"]) == (
        shown["log_total"],
        [entry["action"] for entry in shown["log"]],
        [entry["actor"] for entry in shown["log"]],
    )
    alias = operator.ask("GET", f"/apps/{alias_id}")
    assert (app_id, False, [], True) == tuple(
        alias[name] for name in ("root_id", "listed", "effective_categories", "alias_pinned")
    )


def test_apps_are_listed_searched_and_paged_with_hidden_ones_and_aliases(operator: Operator) -> None:
    first, second, third = operator.use(*(f"https://{name}.{operator.site}" for name in "abc"))
    operator.ask("PUT", f"/apps/{first}/visibility", json={"visibility": "hidden"})
    operator.ask("PUT", f"/apps/{second}/canonical", json={"into": third})

    def listed(**given: Any) -> tuple[list[int], int]:
        answer = operator.client.get("/api/v1/admin/apps", params={"search": operator.site.upper(), **given}).json()
        return [app["id"] for app in answer["data"]], answer["meta"]["total"]

    assert ([first, second, third], 3) == listed()
    assert ([second], 3) == listed(limit=1, offset=1)
    assert ([first], 1) == listed(visibility="hidden")
    answer = operator.client.get(f"/api/v1/admin/apps/{third}/aliases", params={"limit": 1}).json()
    assert ([second], {"total": 1, "limit": 1, "offset": 0}) == ([app["id"] for app in answer["data"]], answer["meta"])


def test_every_change_is_in_the_next_ranking_and_each_undo_takes_it_back(operator: Operator) -> None:
    site = operator.site
    app_id, other = operator.use(f"https://{site}", tokens=40_000) + operator.use(f"https://b.{site}", tokens=30_000)
    plain = {site: 40_000, f"b.{site}": 30_000}
    steps = [
        ("PUT", f"/apps/{app_id}/visibility", {"visibility": "hidden"}, {f"b.{site}": 30_000}),
        ("PUT", f"/apps/{app_id}/visibility", {"visibility": "private"}, {f"b.{site}": 30_000}),
        ("PUT", f"/apps/{app_id}/visibility", {"visibility": "public"}, plain),
        ("PUT", f"/apps/{app_id}/name", {"name": f"N {site}"}, {f"N {site}": 40_000, f"b.{site}": 30_000}),
        ("DELETE", f"/apps/{app_id}/name", None, plain),
        ("PUT", f"/apps/{other}/canonical", {"into": app_id}, {site: 70_000}),
        ("DELETE", f"/apps/{other}/canonical", None, plain),
    ]
    states, entries = [operator.ranked()], []
    for method, path, body, expected in steps:
        entries.append(operator.ask(method, path, json=body)["entry"]["id"])
        states.append(operator.ranked())
        assert expected == states[-1]

    for entry_id, before in zip(reversed(entries), reversed(states[:-1]), strict=True):
        undone = operator.ask("POST", f"/log/{entry_id}/undo")
        assert (entry_id, before) == (undone["entry"]["undoes"], operator.ranked())


def test_a_host_is_folded_seen_in_the_ranking_and_unfolded(operator: Operator) -> None:
    site = operator.site
    root, path = operator.use(f"https://{site}", f"https://{site}/a", tokens=20_000)
    folded = operator.ask("PUT", "/folds", json={"host": f"http://{site.upper()}/whatever"})
    operator.use(f"https://{site}/later", tokens=20_000)
    later = operator.ask("GET", "/apps/lookup", params={"url": f"{site}/later"})

    assert ("fold", 1, [path]) == (folded["entry"]["action"], folded["total"], [app["id"] for app in folded["apps"]])
    assert (root, True) == (later["canonical_id"], later["folded"])
    assert {site: 60_000} == operator.ranked()
    mine = [fold for fold in operator.ask("GET", "/folds", params={"limit": 1000}) if site in fold["host"]]
    assert [{"host": f"https://{site}", "canonical_id": root, "apps": 2}] == mine
    assert "fold" in [entry["action"] for entry in operator.ask("GET", f"/apps/{root}")["log"]]

    unfolded = operator.ask("DELETE", "/folds", params={"host": site})
    apart = operator.ranked()
    operator.ask("POST", f"/log/{unfolded['entry']['id']}/undo")

    assert ({site: 20_000, f"{site}/a": 20_000, f"{site}/later": 20_000}, {site: 60_000}) == (apart, operator.ranked())


def test_a_fold_may_name_its_app_and_refuses_a_ring(operator: Operator) -> None:
    site = operator.site
    root, path, other = operator.use(f"https://{site}", f"https://{site}/a", f"https://b.{site}")
    operator.ask("PUT", "/folds", json={"host": site, "into": f"b.{site}"})
    assert [other] * 2 == [operator.ask("GET", f"/apps/{app_id}")["root_id"] for app_id in (root, path)]

    status, message = operator.refused("PUT", "/folds", json={"host": f"b.{site}", "into": path})
    assert (409, True) == (status, "each would be the other's alias" in message)
    status, message = operator.refused("PUT", f"/apps/{other}/canonical", json={"into": root})
    assert (409, True) == (status, "each would be the other's alias" in message)


def test_categories_are_set_and_given_back(operator: Operator) -> None:
    (app_id,) = operator.use(f"https://{operator.site}", categories="game")
    pinned = operator.ask("PUT", f"/apps/{app_id}/categories", json={"categories": ["legal", "game"]})["app"]
    emptied = operator.ask("PUT", f"/apps/{app_id}/categories", json={"categories": []})["app"]
    freed = operator.ask("DELETE", f"/apps/{app_id}/categories")["app"]
    assert (["legal", "game"], True, [], ["game"], False) == (
        pinned["categories"],
        pinned["categories_pinned"],
        emptied["categories"],
        freed["categories"],
        freed["categories_pinned"],
    )


def test_the_log_is_paged_by_app_and_tells_what_undid_what(operator: Operator) -> None:
    (app_id,) = operator.use(f"https://{operator.site}")
    first = operator.ask("PUT", f"/apps/{app_id}/visibility", json={"visibility": "hidden"})["entry"]
    undo = operator.ask("POST", f"/log/{first['id']}/undo")["entry"]

    answer = operator.client.get("/api/v1/admin/log", params={"app_id": app_id, "limit": 1}).json()
    assert ([undo["id"]], {"total": 2, "limit": 1, "offset": 0}) == (
        [entry["id"] for entry in answer["data"]],
        answer["meta"],
    )
    shown = operator.ask("GET", f"/log/{first['id']}")
    assert (undo["id"], {"visibility": "public"}, {"visibility": "hidden"}, "visibility") == (
        shown["undone_by"],
        shown["before"],
        shown["after"],
        shown["field"],
    )
    status, message = operator.refused("POST", f"/log/{first['id']}/undo")
    assert (409, True) == (status, f"undone by entry {undo['id']}" in message)


def test_a_loopback_url_that_several_apps_share_is_no_app_and_names_them(operator: Operator) -> None:
    port = 1024 + int(operator.site[:6], 16) % 60_000
    for title in ("Mine", "Yours"):
        event: dict[str, Any] = {"id": f"{operator.site}-{title}", "ts": now_text(), "model": "m"}
        event |= {"referer": f"http://localhost:{port}", "title": title, "prompt_tokens": 1, "completion_tokens": 0}
        assert operator.client.post("/api/v1/usage", json=[event]).status_code == 202
    operator.board.wait_until_counted()

    answer = operator.client.get("/api/v1/admin/apps/lookup", params={"url": f"localhost:{port}"})

    named = answer.json()["error"]["metadata"]["app_ids"]
    assert (409, ["Mine", "Yours"]) == (
        answer.status_code,
        [operator.ask("GET", f"/apps/{app_id}")["name"] for app_id in named],
    )


@pytest.fixture(scope="module")
def itself(board: BoardProcess, key: str) -> int:
    """The id of an app that all mistakes are about."""
    with httpx.Client(base_url=board.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        return Operator(board, client, "").use("https://itself.example")[0]


@pytest.mark.parametrize(
    ("method", "path", "parts", "status", "said"),
    [
        ("GET", "/apps/999999999", {}, 404, "No app with the id 999999999"),
        ("GET", "/apps/99999999999999999999999", {}, 404, "No app with the id"),
        ("GET", "/apps/-1", {}, 404, "No app"),
        ("GET", "/apps/one", {}, 400, "path.app_id"),
        ("GET", "/apps/lookup", {}, 400, "query.url"),
        (
            "GET",
            "/apps/lookup",
            {"params": {"url": "nowhere.at-all.example/x"}},
            404,
            "https://nowhere.at-all.example/x",
        ),
        ("GET", "/apps", {"params": {"limit": 0}}, 400, "query.limit"),
        ("GET", "/apps", {"params": {"offset": -1}}, 400, "query.offset"),
        ("GET", "/apps", {"params": {"offset": 10**30}}, 400, "query.offset"),
        ("GET", "/apps", {"params": {"visibility": "seen"}}, 400, "query.visibility"),
        ("GET", "/apps", {"params": {"search": "x" * 201}}, 400, "query.search"),
        ("GET", "/apps", {"params": {"search": "a\0b"}}, 400, "no store can keep"),
        ("GET", "/log", {"params": {"app_id": 10**30}}, 404, "No app"),
        ("GET", "/log/0", {}, 404, "no entry 0"),
        ("POST", "/log/999999999/undo", {}, 404, "no entry"),
        ("GET", "/keys/999999999", {}, 404, "No key"),
        ("DELETE", "/keys/999999999", {}, 404, "No key"),
        ("POST", "/keys/999999999/rotate", {}, 404, "No key"),
        ("PUT", "/apps/1/name", {"json": {"name": ""}}, 400, "body.name"),
        ("PUT", "/apps/1/name", {"json": {"name": "x" * 101}}, 400, "at most 100"),
        ("PUT", "/apps/1/name", {"json": {"name": "\t"}}, 400, "can be seen"),
        ("PUT", "/apps/1/name", {"json": {"name": 5}}, 400, "body.name"),
        ("PUT", "/apps/1/name", {"json": {}}, 400, "body.name"),
        ("PUT", "/apps/1/name", {"json": {"name": "x", "more": 1}}, 400, "body.more"),
        ("PUT", "/apps/1/name", {"content": b'{"name": "\\ud800"}'}, 400, "body.name"),
        ("PUT", "/apps/1/name", {"content": b"{", "headers": {"content-type": "application/json"}}, 400, "body"),
        ("PUT", "/apps/1/name", {"content": b'{"name": "x"}', "headers": {"content-type": "text/plain"}}, 400, "body"),
        ("PUT", "/apps/1/name", {"content": b"[" * 60_000, "headers": {"content-type": "application/json"}}, 400, ""),
        ("PUT", "/apps/1/name", {"content": b"\xff", "headers": {"content-type": "application/json"}}, 400, ""),
        ("PUT", "/apps/1/name", {}, 400, "body"),
        ("PUT", "/apps/1/name", {"json": {"name": "x" * 70_000}}, 413, "larger than 65,536 bytes"),
        ("PUT", "/apps/1/visibility", {"json": {"visibility": "seen"}}, 400, "body.visibility"),
        ("PUT", "/apps/1/categories", {"json": {"categories": ["coding"]}}, 400, "Not a category"),
        ("PUT", "/apps/1/categories", {"json": {"categories": ["game"] * 11}}, 400, "body.categories"),
        ("PUT", "/apps/1/canonical", {"json": {"into": "itself.example"}}, 409, "alias of itself"),
        ("PUT", "/apps/1/canonical", {"json": {"into": True}}, 400, "body.into"),
        ("PUT", "/apps/1/canonical", {"json": {"into": "javascript:x"}}, 404, "neither an app's id nor its URL"),
        ("PUT", "/apps/1/canonical", {"json": {"into": 999999999}}, 404, "No app"),
        ("PUT", "/folds", {"json": {"host": "localhost:3000"}}, 400, "not told apart by paths"),
        ("PUT", "/folds", {"json": {"host": "a b"}}, 400, "no host"),
        ("PUT", "/folds", {"json": {"host": "never.seen.example"}}, 404, "no app of https://never.seen.example"),
        ("DELETE", "/folds", {"params": {"host": "never.seen.example"}}, 409, "is not folded"),
        ("DELETE", "/folds", {}, 400, "query.host"),
        ("PATCH", "/folds", {}, 405, "does not take PATCH. It takes: GET, HEAD, PUT, DELETE."),
        ("GET", "/nothing", {}, 404, "nothing at"),
    ],
)
def test_what_is_wrong_is_told_in_the_one_shape(
    method: str, path: str, parts: dict[str, Any], status: int, said: str, operator: Operator, itself: int
) -> None:
    if "content" in parts:
        parts = {"headers": {"content-type": "application/json"}, **parts}

    got, message = operator.refused(method, path.replace("/apps/1/", f"/apps/{itself}/"), **parts)

    assert (status, True) == (got, said.lower() in message.lower()), message
