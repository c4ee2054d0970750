"""The processes of ``serve``: what each is made of, and that they are one program to whoever uses it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.board import UNLIMITED, BoardProcess, running_board, today, wait_for
from tokenboard.app.priority import NICENESS

BOARD_ONLY = {"numpy", "pyarrow", "sqlalchemy", "alembic", "fastapi", "starlette", "chdb", "clickhouse_connect"}
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoardProcess]:
    with running_board(tmp_path_factory.mktemp("processes"), environment=UNLIMITED, gateways=2) as board:
        yield board


@pytest.fixture(scope="module")
def key(board: BoardProcess) -> str:
    return board.make_key()


def ask(board: BoardProcess, key: str, words: str = "Hello, board!", app: str = "https://cline.bot") -> httpx.Response:
    body = {"model": "tokenboard/echo", "messages": [{"role": "user", "content": words}]}
    headers = {"Authorization": f"Bearer {key}", "HTTP-Referer": app}
    return httpx.post(f"{board.url}/api/v1/chat/completions", json=body, headers=headers, timeout=30)


def rankings(board: BoardProcess, key: str) -> dict[str, str]:
    days = {"start_date": str(today()), "end_date": str(today())}
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.get(f"{board.url}/api/v1/datasets/app-rankings", params=days, headers=headers, timeout=30)
    return {row["app_name"]: row["total_tokens"] for row in answer.json()["data"]}


def processes(board: BoardProcess) -> dict[str, int]:
    """Return the processes of a server by role, as an operator finds them: by their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if str(board.data) in words:
                role = next(word for word in ("serve", "gateway", "board") if word in words)
                name = words[words.index("--name") + 1] if role == "gateway" else role
                found[name] = int(entry.name)
    return found


def test_a_gateway_loads_nothing_of_the_boards() -> None:
    code = "import sys, tokenboard.cli.gateway; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert set() == BOARD_ONLY & set(loaded.split())


def test_each_process_says_its_role_and_a_gateway_stays_small(board: BoardProcess, key: str) -> None:
    for number in range(50):
        assert 200 == ask(board, key, f"word {number}").status_code
    roles = processes(board)
    assert {"serve", "board", "gateway-1", "gateway-2"} == roles.keys()
    for name in ("gateway-1", "gateway-2"):
        resident = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{roles[name]}/status").read_text())
        assert resident is not None
        assert int(resident[1]) * 1024 <= 60 * MIB


def test_the_board_lets_gateways_go_first_within_a_session_and_between_sessions(board: BoardProcess) -> None:
    roles = processes(board)
    given = os.getpriority(os.PRIO_PROCESS, 0)  # by whoever runs the tests
    niceness = {name: os.getpriority(os.PRIO_PROCESS, pid) - given for name, pid in roles.items()}
    lower = min(NICENESS, 19 - given)
    assert {"serve": 0, "gateway-1": 0, "gateway-2": 0, "board": lower} == niceness
    session = Path(f"/proc/{roles['board']}/autogroup")
    if session.exists():  # not every kernel has them
        assert f"nice {NICENESS}" in session.read_text()


def test_what_any_gateway_took_is_in_the_rankings_and_counters_of_all_are_one(board: BoardProcess, key: str) -> None:
    before = int(rankings(board, key).get("night.example", "0"))
    for _ in range(20):
        assert 200 == ask(board, key, app="https://night.example").status_code
    board.wait_until_counted()
    assert before + 20 * 4 == int(rankings(board, key)["night.example"])
    counted = httpx.get(f"{board.url}/api/v1/admin/counters", headers={"Authorization": f"Bearer {key}"}).json()["data"]
    assert counted["recorded.gateway"] == counted["collected.events"] >= 20


def test_a_key_is_good_everywhere_once_it_is_made_and_nowhere_once_it_is_revoked(board: BoardProcess) -> None:
    made = board.make_key(label="short-lived")
    assert [200] * 10 == [ask(board, made).status_code for _ in range(10)]
    listed = board.run("keys", "list")
    number = next(line.split("\t")[0] for line in listed.splitlines() if "short-lived" in line)
    board.run("keys", "revoke", number)
    assert [401] * 10 == [ask(board, made).status_code for _ in range(10)]


def test_pages_and_data_come_through_any_gateway_as_from_the_board(board: BoardProcess, key: str) -> None:
    for _ in range(6):  # a new connection each: to either gateway
        page = httpx.get(f"{board.url}/rankings", follow_redirects=True, timeout=30)
        assert (200, "text/html; charset=utf-8") == (page.status_code, page.headers["content-type"])
    etag = httpx.get(f"{board.url}/api/v1/openapi.json", timeout=30).headers.get("etag")
    if etag:
        again = httpx.get(f"{board.url}/api/v1/openapi.json", headers={"If-None-Match": etag}, timeout=30)
        assert (304, b"") == (again.status_code, again.content)
    missing = httpx.get(f"{board.url}/nothing/here", timeout=30)
    assert 404 == missing.status_code
    assert 200 == httpx.head(f"{board.url}/rankings", follow_redirects=True, timeout=30).status_code


def test_usage_metered_elsewhere_counts_once_whichever_gateway_took_it(board: BoardProcess, key: str) -> None:
    line = {"id": "twice", "ts": f"{today()}T00:00:01Z", "model": "m", "prompt_tokens": 5, "completion_tokens": 2}
    headers = {"Authorization": f"Bearer {key}"}
    answers = [
        httpx.post(f"{board.url}/api/v1/usage", json=[line], headers=headers, timeout=30).json()["data"]
        for _ in range(6)
    ]
    assert (1, 5) == (sum(each["accepted"] for each in answers), sum(each["duplicates"] for each in answers))


def test_without_its_board_a_gateway_goes_on_answers_and_says_so(board: BoardProcess, key: str) -> None:
    before = int(rankings(board, key).get("alone.example", "0"))
    was = processes(board)["board"]
    os.kill(was, signal.SIGKILL)
    assert [200] * 5 == [ask(board, key, app="https://alone.example").status_code for _ in range(5)]
    assert 200 == httpx.get(f"{board.url}/readyz/gateway", timeout=10).status_code
    assert 200 == httpx.get(f"{board.url}/healthz", timeout=10).status_code
    wait_for(lambda: processes(board).get("board", was) != was, 30)
    wait_for(lambda: httpx.get(f"{board.url}/readyz", timeout=30).status_code == 200, 60, every_s=0.1)
    board.wait_until_counted()
    assert before + 5 * 4 == int(rankings(board, key)["alone.example"])


def test_a_folder_may_be_served_by_one_process_and_by_several_in_turn(tmp_path: Path) -> None:
    with running_board(tmp_path, environment=UNLIMITED) as single:
        key = single.make_key()
        assert {"status": "ready"} == httpx.get(f"{single.url}/readyz/gateway", timeout=10).json()
        assert 200 == ask(single, key).status_code
        single.kill()
    for gateways in (2, 0):
        with running_board(tmp_path, environment=UNLIMITED, gateways=gateways) as board:
            assert 200 == ask(board, key).status_code
    with running_board(tmp_path, environment=UNLIMITED) as single:
        single.wait_until_counted()
        assert {"cline.bot": "12"} == rankings(single, key)


def test_a_second_server_on_the_folder_is_refused_whatever_its_processes(board: BoardProcess) -> None:
    for arguments in (["serve", "--port", "0"], ["serve", "--single", "--port", "0"], ["board", "--port", "0"]):
        done = subprocess.run(
            board.command(*arguments), capture_output=True, text=True, check=False, timeout=60, cwd=board.data
        )
        assert (1, "") == (done.returncode, done.stdout)
        assert f"a server already runs on {board.data}" in done.stderr
    assert 200 == httpx.get(f"{board.url}/readyz", timeout=10).status_code


@pytest.mark.parametrize("name", ["../elsewhere", "", "a/b", "UPPER", "x" * 65])
def test_a_name_that_is_no_folder_of_the_spool_is_refused_for_nobody_would_collect_there(
    name: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tokenboard", "--data", str(tmp_path / "data"), "gateway", "--name", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert (2, True) == (done.returncode, "a name is 1 to 64 of a-z, 0-9 and -" in " ".join(done.stderr.split()))
    assert [] == list(tmp_path.iterdir())
