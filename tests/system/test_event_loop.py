"""The event loop waits for no store, and no kind of work for another: on a real board, told by what its clients see."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.board import UNLIMITED, BoardProcess, running_board, today, wait_for
from tests.watched import TOLD
from tokenboard.web.pages import PAGES, RESOURCES

CONFIG = """
[spool]
fsync = false
[catalog]
timeout_s = 60
[pages]
visibility = "{visibility}"
"""
ORIGIN = "https://loop.example"
MODEL = "tokenboard/echo"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
UNKNOWN = "tb-nobody-has-this-key"


@contextmanager
def board_with_usage(
    folder: Path, *, visibility: str = "public", module: str = "tests.brisk"
) -> Iterator[tuple[BoardProcess, httpx.Client]]:
    """Run a board that has one app; yield it and a client whose key may do everything."""
    config = folder / "settings.toml"
    config.write_text(CONFIG.format(visibility=visibility))
    # Limits that nobody reaches, so that questions are counted.
    environment = dict.fromkeys(UNLIMITED, "1000000")
    with running_board(folder / "data", config=config, environment=environment, module=module) as board:
        headers = {"Authorization": f"Bearer {board.make_key()}", "HTTP-Referer": ORIGIN}
        with httpx.Client(base_url=board.url, headers=headers, timeout=60) as client:
            assert 200 == chat(client)
            board.wait_until_counted()
            yield board, client


def chat(client: httpx.Client) -> int:
    return client.post("/v1/chat/completions", json=CHAT).status_code


def addresses(document: dict[str, Any], app_id: int, key_id: int) -> list[str]:
    """Return every address that is asked by GET: of the API, as its document names them, and of the pages."""
    values: dict[str, object] = {"app_id": app_id, "app_id:int": app_id, "key_id": key_id, "audit_id": 1, "entry_id": 1}
    values |= {"author": "tokenboard", "slug": "echo", "model": MODEL, "model:path": MODEL}
    api = [path for path, methods in document["paths"].items() if "get" in methods]
    api = [path if path in {"/healthz", "/readyz"} else f"/api/v1{path}" for path in api]
    web = [drawing.path for drawing in RESOURCES]
    for page in PAGES:
        stem = "/index" if page.path == "/" else page.path
        web += [page.path, *(f"{stem}.{form}" for form in page.forms)]
    found = ["/v1/models", "/api/v1/openapi.json", "/docs/api/try", "/docs/api/try/assets/swagger-ui.css", *api, *web]
    for name, value in values.items():
        found = [path.replace(f"{{{name}}}", str(value)) for path in found]
    assert [] == [path for path in found if "{" in path]
    query = {"/api/v1/apps/lookup": f"?url={ORIGIN}", "/api/v1/admin/apps/lookup": f"?url={ORIGIN}"}
    return [path + query.get(path, "") for path in [*found, "/session", "/nowhere", "/api/v1/nowhere"]]


def test_no_address_waits_for_a_store_on_the_event_loop(tmp_path: Path) -> None:
    with board_with_usage(tmp_path, visibility="key", module="tests.watched") as (board, client):
        document = client.get("/api/v1/openapi.json").json()
        (app,) = client.get("/api/v1/admin/apps").json()["data"]
        paths = addresses(document, app["id"], 1)
        for path, secret in product(paths, (None, "", UNKNOWN)):
            authorization = {None: {}, "": {"Authorization": ""}}.get(secret, {"Authorization": f"Bearer {secret}"})
            for _ in ("new", "kept"):
                answer = client.get(path, headers=authorization)
                assert answer.status_code < 500, (path, answer.text[:300])
        made = client.post("/api/v1/admin/keys", json={"label": "new", "scopes": ["data"]}).json()["data"]
        statuses = [
            client.post("/api/v1/usage", json={"events": []}).status_code,
            client.get("/api/v1/apps", headers={"Authorization": f"Bearer {made['key']}"}).status_code,
            client.put(f"/api/v1/admin/apps/{app['id']}/name", json={"name": "Renamed"}).status_code,
            client.delete(f"/api/v1/admin/keys/{made['id']}").status_code,
            client.get("/api/v1/apps", headers={"Authorization": f"Bearer {made['key']}"}).status_code,
            client.post("/session", data={"key": UNKNOWN}).status_code,
            client.post("/session", data={"key": client.headers["Authorization"].split()[1]}).status_code,
            client.get("/", headers={"Authorization": ""}).status_code,
            client.post("/session/end").status_code,
            chat(client),
        ]
        board.run("keys", "create", "--label", "told of by a nudge")
        log = board.log()

    assert [] == [told for told in log.split("\n\n") if TOLD in told]
    assert [400, 200, 200, 200, 401, 401, 303, 200, 303, 200] == statuses


BLOCKING = """
import asyncio, pathlib, sqlite3, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from tests import watched
watched.install()
watched.arm()
database = sqlite3.connect(":memory:")
database.execute("SELECT 1")
async def wait():
    database.execute("SELECT 1")
    database.cursor().execute("SELECT 1").fetchone()
    with ThreadPoolExecutor() as pool:
        pool.submit(time.sleep, 0.01).result()
    pathlib.Path(sys.argv[1]).read_bytes()
asyncio.run(wait())
"""


def test_what_watches_the_event_loop_sees_each_way_to_wait_on_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKING, __file__],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent.parent,
    )
    told = {line.partition(f" {TOLD}")[0] for line in done.stderr.splitlines() if TOLD in line}

    assert {"SQLite", "waiting for a thread", "a file (open)"} == told


def test_while_another_process_holds_the_catalog_everybody_but_its_writers_is_answered(tmp_path: Path) -> None:
    with board_with_usage(tmp_path) as (board, client), ThreadPoolExecutor(20) as threads:
        (app,) = client.get("/api/v1/admin/apps").json()["data"]
        kept = ["/", f"/apps/{app['id']}", "/api/v1/datasets/app-rankings"]
        assert [200] * len(kept) == [client.get(path).status_code for path in kept]

        def rename(number: int) -> int:
            name = {"name": f"Name {number}"}
            return client.put(f"/api/v1/admin/apps/{app['id']}/name", json=name).status_code

        with closing(sqlite3.connect(board.data / "catalog.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writers = [threads.submit(rename, number) for number in range(20)]
            answered = {
                "chat": chat(client),
                "unknown key": client.get("/v1/models", headers={"Authorization": f"Bearer {UNKNOWN}"}).status_code,
                "/readyz": client.get("/readyz").status_code,
                "/api/v1/key": client.get("/api/v1/key").status_code,
                **{path: client.get(path).status_code for path in kept},
            }
            waiting = [not writer.done() for writer in writers]
            other.execute("ROLLBACK")
        written = [writer.result(60) for writer in writers]

    others = dict.fromkeys(answered, 200) | {"unknown key": 401}
    assert (others, [True] * 20, [200] * 20) == (answered, waiting, written)


def test_a_catalog_that_cannot_be_read_leaves_keys_and_apps_in_force_and_readyz_says_so(tmp_path: Path) -> None:
    with board_with_usage(tmp_path) as (board, client):
        page = client.get("/").status_code
        with closing(sqlite3.connect(board.data / "catalog.sqlite", isolation_level=None, timeout=60)) as other:
            other.execute("ALTER TABLE revisions RENAME TO hidden")
            said = wait_for(lambda: unready(client), explain=board.log)
            during = [chat(client), client.get("/").status_code, client.get("/rankings").status_code]
            counted = client.get("/api/v1/admin/counters").json()["data"]
            other.execute("ALTER TABLE hidden RENAME TO revisions")
        wait_for(lambda: client.get("/readyz").status_code == 200, explain=board.log)
        told = board.log().count("the keys could not be read anew")

    assert (200, [200, 200, 200]) == (page, during)
    assert said["checks"]["catalog"].startswith("cannot be read since ")
    assert (True, 1) == (counted["catalog_unread"] >= 1, told)


def unready(client: httpx.Client) -> Any:
    answer = client.get("/readyz")
    return answer.json() if answer.status_code == 503 else None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the process that draws in /proc")
def test_while_sixty_charts_wait_to_be_drawn_everything_else_is_answered(tmp_path: Path) -> None:
    with board_with_usage(tmp_path) as (board, client), ThreadPoolExecutor(60) as threads:
        (app,) = client.get("/api/v1/admin/apps").json()["data"]
        assert 200 == client.get(f"/charts/apps/{app['id']}/tokens.svg").status_code
        drawing = children(board)
        assert 1 == len(drawing)

        def draw(days: int) -> int:
            window = f"start_date={today() - timedelta(days=days + 1)}&end_date={today() - timedelta(days=1)}"
            return client.get(f"/charts/apps/{app['id']}/tokens.svg?{window}").status_code

        os.kill(drawing[0], signal.SIGSTOP)
        try:
            charts: list[Future[int]] = [threads.submit(draw, days) for days in range(1, 61)]
            wait_for(lambda: all(chart.running() for chart in charts))
            answered = [
                client.get(path).status_code
                for path in ("/readyz", "/healthz", "/api/v1/key", "/api/v1/admin/apps", "/models", "/api/v1/apps")
            ]
            waiting = [not chart.done() for chart in charts]
        finally:
            os.kill(drawing[0], signal.SIGCONT)
        drawn = {chart.result(60) for chart in charts}

    assert ([200] * 6, [True] * 60) == (answered, waiting)
    assert drawn <= {200, 500, 503}  # a machine that took longer than a drawing may has ended the process


def children(board: BoardProcess) -> list[int]:
    """Return the processes that the board has started."""
    assert board._process is not None
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, NotADirectoryError):
            continue
        if entry.name.isdigit() and int(fields[1]) == board._process.pid:
            found.append(int(entry.name))
    return found
