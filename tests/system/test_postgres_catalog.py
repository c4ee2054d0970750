"""The whole product on PostgreSQL: its server stopped and started under load, and two boards that share one catalog."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from tests.board import BoardProcess, running_board, today, wait_for
from tests.effort import EFFORT
from tests.postgres import PostgresServer, postgres_server
from tests.system.feed import rankings
from tests.system.houses import two_houses
from tests.system.load import Held, Load, counted

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes in /proc"),
    pytest.mark.timeout(240 * EFFORT),
]

FOLLOWED_WITHIN_S = 10.0
"""Half a second and a round trip on a machine at rest; what is not followed never comes."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def url(server: PostgresServer, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database."""
    name = f"board_{request.node.name[:40]}"
    engine = sa.create_engine(server.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
    engine.dispose()
    return server.named(name)


def ranked(board: BoardProcess, key: str) -> dict[str, tuple[int, int]]:
    """Return tokens and requests of each app in today's rankings."""
    with httpx.Client(base_url=board.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        rows = rankings(client, start_date=str(today()), end_date=str(today()), limit=100)
    return {name: (tokens, requests) for name, _, tokens, requests in rows}


def catalog_of(board: BoardProcess) -> str:
    try:
        return str(board.ready()["checks"]["catalog"])
    except (httpx.HTTPError, ValueError, KeyError):
        return "no answer"


def test_the_server_stopped_and_started_under_load_costs_no_request_and_no_count(
    tmp_path: Path, server: PostgresServer, url: str
) -> None:
    with two_houses(tmp_path / "data", environment={"TOKENBOARD_CATALOG__URL": url}) as houses:
        key = houses.make_key()
        assert not (tmp_path / "data" / "catalog.sqlite").exists()
        load = Load(houses, key)
        try:
            load.wait_for(20)
            server.stop()
            try:
                wait_for(lambda: catalog_of(houses) not in {"ok", "no answer"}, 30, houses.log)
                load.wait_for(40)
                refused = httpx.post(
                    f"{houses.url}/api/v1/admin/keys",
                    headers={"Authorization": f"Bearer {key}"},
                    json={"label": "later", "scopes": ["data"]},
                    timeout=60,
                )
                assert 503 == refused.status_code, refused.text
            finally:
                server.start()
            began = time.monotonic()
            wait_for(lambda: catalog_of(houses) == "ok", 30, houses.log)
            assert time.monotonic() - began < 10 * EFFORT
            load.wait_for(20)
            load.end()
        finally:
            load.give_up()
        houses.wait_until_counted()
        told = ranked(houses, key)
        alias, into = sorted(told)[:2]
        houses.run("apps", "merge", f"https://{alias}", f"https://{into}")
        merged = ranked(houses, key)
        houses.run("apps", "unmerge", f"https://{alias}")
        assert told == ranked(houses, key)
        found = houses.run("doctor")
        assert 0 == houses.stop()
    assert [] == load.failures
    assert tuple(a + b for a, b in zip(told[alias], told[into], strict=True)) == merged[into]
    assert alias not in merged
    assert "catalog server\tok: PostgreSQL " in found
    Held(houses).must_hold(load)
    assert counted(load) == told


def test_two_boards_on_one_catalog_follow_each_other_and_make_an_app_once(tmp_path: Path, url: str) -> None:
    environment = {"TOKENBOARD_CATALOG__URL": url}
    with (
        running_board(tmp_path / "one", environment=environment) as one,
        running_board(tmp_path / "two", environment=environment) as two,
    ):
        key = one.make_key()
        assert seconds_until(partial(asked, two, key, 200)) < FOLLOWED_WITHIN_S, "a key is in force on the other board"
        made = admin(two, key, "POST", "/keys", {"label": "made on two", "scopes": ["inference", "data"]})
        assert asked(two, made["key"], 200), "and at once where it was made"
        assert seconds_until(partial(asked, one, made["key"], 200)) < FOLLOWED_WITHIN_S

        # New apps seen by both at once: each is one app, whose id both boards' ledgers hold.
        threads = [
            threading.Thread(target=ask, args=(board, key, f"https://new{number}.dev"))
            for number in range(5)
            for board in (one, two)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for board in (one, two):
            board.wait_until_counted()
        apps = {app["url"]: app["id"] for app in admin(one, key, "GET", "/apps")}
        assert {"https://known.dev", *(f"https://new{number}.dev" for number in range(5))} == set(apps)
        assert [1, 2, 3, 4, 5, 6] == sorted(apps.values())
        assert {f"new{number}.dev" for number in range(5)} <= set(ranked(one, key)) & set(ranked(two, key))

        renamed, hidden, alias, into = (apps[f"https://new{number}.dev"] for number in range(4))
        admin(one, key, "PUT", f"/apps/{renamed}/name", {"name": "Renamed"})
        admin(one, key, "PUT", f"/apps/{hidden}/visibility", {"visibility": "hidden"})
        admin(one, key, "PUT", f"/apps/{alias}/canonical", {"into": str(into)})
        shown = {"Renamed", "new3.dev", "new4.dev", "known.dev"}
        assert shown == set(ranked(one, key))
        assert seconds_until(lambda: shown == set(ranked(two, key))) < FOLLOWED_WITHIN_S

        admin(two, key, "DELETE", f"/keys/{made['id']}")
        assert asked(two, made["key"], 401)
        assert seconds_until(partial(asked, one, made["key"], 401)) < FOLLOWED_WITHIN_S, "a revoked key is refused"


def admin(board: BoardProcess, key: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.request(method, f"{board.url}/api/v1/admin{path}", headers=headers, json=body, timeout=60)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()["data"]


def ask(board: BoardProcess, key: str, app: str) -> int:
    body = {"model": "tokenboard/echo", "messages": [{"role": "user", "content": "one two"}]}
    headers = {"Authorization": f"Bearer {key}", "HTTP-Referer": app}
    return httpx.post(f"{board.url}/v1/chat/completions", headers=headers, json=body, timeout=60).status_code


def asked(board: BoardProcess, key: str, expected: int) -> bool:
    return ask(board, key, "https://known.dev") == expected


def seconds_until(true: Callable[[], bool]) -> float:
    began = time.monotonic()
    wait_for(true, 30, every_s=0.02)
    return time.monotonic() - began
