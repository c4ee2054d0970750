"""A disk without room, and a spool that cannot be read: no upstream is asked, the spool is named, it ends by itself."""

import contextlib
import json
import resource
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.board import BoardProcess, now_text, running_board, wait_for
from tests.upstream import OpenAiUpstream, openai_upstream

CONFIG = """
[spool]
fsync = false

[[upstream]]
name = "up"
base_url = "{url}"
models = ["*"]
"""
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BoardProcess, httpx.Client, OpenAiUpstream]]:
    """Return a board, its operator's client and its upstream, whose queues are larger than its log."""
    with openai_upstream() as there, watched_board(tmp_path_factory.mktemp("full"), there) as (board, client):
        yield board, client, there


def fill(client: httpx.Client) -> None:
    """Make the journal larger than the server's log; it begins a file anew after each fault."""
    for _ in range(300):
        assert 200 == client.post("/v1/chat/completions", json=CHAT).status_code


@contextlib.contextmanager
def watched_board(folder: Path, there: OpenAiUpstream) -> Iterator[tuple[BoardProcess, httpx.Client]]:
    config = folder / "settings.toml"
    config.write_text(CONFIG.format(url=there.url))
    with running_board(folder / "data", config=config, module="tests.brisk") as board:
        headers = {"Authorization": f"Bearer {board.make_key()}"}
        with httpx.Client(base_url=board.url, headers=headers, timeout=30) as client:
            yield board, client


@contextlib.contextmanager
def no_room(board: BoardProcess) -> Iterator[None]:
    """Let no file of the server grow beyond a little more than its log: the kernel refuses, as on a full disk.

    What waits, in the journal and in the spool, takes more than that already.
    """
    assert board._process is not None
    pid = board._process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, ((board.data / "server.log").stat().st_size + 16_384, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def counters(client: httpx.Client) -> dict[str, int]:
    return dict(client.get("/api/v1/admin/counters").json()["data"])


def checks(client: httpx.Client) -> tuple[int, dict[str, str]]:
    answer = client.get("/readyz")
    return answer.status_code, dict(answer.json()["checks"])


Watched = tuple[BoardProcess, httpx.Client, OpenAiUpstream]


def test_a_full_disk_costs_one_upstream_call_and_ends_by_itself(watched: Watched) -> None:
    board, client, there = watched
    fill(client)
    board.wait_until_counted()
    asked, before = len(there.asked), counters(client)
    event = {"id": "e", "ts": now_text(), "model": "m", "prompt_tokens": 1, "completion_tokens": 0}
    with no_room(board):
        for _ in range(30):
            answer = client.post("/v1/chat/completions", json=CHAT)
            assert (503, "5") == (answer.status_code, answer.headers["retry-after"])
            assert 503 == answer.json()["error"]["code"]
        assert asked + 1 == len(there.asked)
        # The board's own queue is another file: it finds out by itself, and from then on says so at once.
        assert 503 == client.post("/api/v1/usage", json=[event]).status_code
        answer = client.post("/api/v1/usage", json=[event])
        assert (503, "5") == (answer.status_code, answer.headers["retry-after"])
        assert "spool_unavailable" == answer.json()["error"]["metadata"]["reason"]
        status, told = checks(client)
        assert (503, "ok") == (status, told["ledger"])
        assert (True, True) == (told["spool"].startswith("cannot be written: "), "by itself" in told["spool"]), told
        counted = counters(client)
        assert (1, 30) == (counted["unrecorded.gateway"], counted["dropped.spool_unavailable"])
        assert ("the spool is of no use" in board.log(), "Traceback" in board.log()) == (True, False)
    wait_for(lambda: checks(client)[0] == 200, 30, board.log, every_s=0.05)
    assert 200 == client.post("/v1/chat/completions", json=CHAT).status_code
    assert 202 == client.post("/api/v1/usage", json=[event]).status_code
    board.wait_until_counted()
    after = counters(client)
    assert 1 == after["recorded.gateway"] - before["recorded.gateway"]
    assert 2 == after["delivered.events"] - before["delivered.events"]


def test_a_stream_under_way_when_the_disk_becomes_full_is_not_ended_as_if_it_were_whole(watched: Watched) -> None:
    board, client, there = watched
    fill(client)
    board.wait_until_counted()
    before = counters(client).get("unrecorded.gateway", 0)
    there.script.pause = threading.Event()
    got: list[bytes] = []
    with client.stream("POST", "/v1/chat/completions", json={**CHAT, "stream": True}) as answer:
        assert 200 == answer.status_code
        pieces = answer.iter_raw()
        got.append(next(pieces))
        with no_room(board):
            there.script.pause.set()
            with pytest.raises(httpx.RemoteProtocolError):
                got.extend(pieces)
    said = b"".join(got)
    error = json.loads(said.rstrip().rpartition(b"data: ")[2])["error"]
    assert (False, 503) == (b"[DONE]" in said, error["code"])
    assert 1 == counters(client)["unrecorded.gateway"] - before
    wait_for(lambda: checks(client)[0] == 200, 30, board.log, every_s=0.05)


def test_a_spool_that_cannot_be_read_is_told_by_its_name_and_is_no_good_end(watched: Watched) -> None:
    board, client, _ = watched
    board.wait_until_counted()
    rename(board, "batch", "gone")
    client.post("/v1/chat/completions", json=CHAT)  # for the drain to look; it can be written, if nobody looked before
    wait_for(lambda: checks(client)[0] == 503, 20, board.log, every_s=0.05)
    told = checks(client)[1]
    assert ("ok", True) == (told["ledger"], told["spool"].startswith("cannot be read: no such table: batch")), told
    # Inference goes on: its usage waits in the journal, as if the board were away.
    assert 200 == client.post("/v1/chat/completions", json=CHAT).status_code
    assert 200 == client.get("/readyz/gateway").status_code
    assert ("the spool cannot be emptied" in board.log(), "delivery to the ledger fails" in board.log()) == (
        True,
        False,
    )
    assert (1, True) == (board.stop(), "hint:" in board.log())
    rename(board, "gone", "batch")
    board.start()
    board.wait_until_counted()
    assert 0 == board.stop()


def rename(board: BoardProcess, table: str, name: str) -> None:
    with contextlib.closing(sqlite3.connect(board.data / "spool" / "board.sqlite", isolation_level=None)) as file:
        file.execute(f"ALTER TABLE {table} RENAME TO {name}")
