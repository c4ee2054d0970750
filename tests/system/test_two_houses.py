"""Two gateways and a board, killed, ended and started under load: no request fails that need not, each counts once."""

import contextlib
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import httpx
import pytest

from tests.board import BoardProcess, running_board, today, wait_for
from tests.effort import EFFORT, examples
from tests.system.feed import rankings
from tests.system.houses import GATEWAYS, two_houses
from tests.system.load import Held, Load, counted
from tests.upstream import OpenAiUpstream

KILLS = examples(5)
"""Of the board; 50 with TOKENBOARD_TEST_EFFORT=10."""
SEED = 20261126
STARTED = today()
REST_S = 0.02
"""Between the requests of a caller where there are seconds of them anyway; where a gateway is killed there is none."""

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes in /proc"),
    pytest.mark.timeout(120 * EFFORT),
]


def ranked(board: BoardProcess, key: str) -> dict[str, tuple[int, int]]:
    """Return tokens and requests of each app in today's rankings."""
    with httpx.Client(base_url=board.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        rows = rankings(client, start_date=str(STARTED), end_date=str(today()), limit=100)
    return {name: (tokens, requests) for name, _, tokens, requests in rows}


class StartLoad(Protocol):
    """Start callers of a board, their ids by a seed."""

    def __call__(self, board: BoardProcess, key: str, seed: int, *, rest_s: float = 0.0) -> Load: ...


@pytest.fixture
def start_load() -> Iterator[StartLoad]:
    """Return what starts callers, which end with the test at the latest."""
    started: list[Load] = []

    def start(board: BoardProcess, key: str, seed: int, *, rest_s: float = 0.0) -> Load:
        started.append(Load(board, key, seed=seed, rest_s=rest_s))
        return started[-1]

    yield start
    for load in started:
        load.give_up()


def test_no_request_for_inference_fails_and_nothing_is_lost_or_doubled_when_the_board_is_killed(
    tmp_path: Path, start_load: StartLoad
) -> None:
    chance = random.Random(SEED)
    with two_houses(tmp_path / "data", module="tests.system.quick_restarts") as houses:
        key = houses.make_key()
        load = start_load(houses, key, SEED, rest_s=REST_S)
        for kill in range(KILLS):
            # In turns while it takes reports and delivers, and at any time, its start included.
            if kill % 2 == 0:
                load.wait_for_report()
            time.sleep(chance.uniform(0.1, 2))
            houses.kill_one("board")
        load.wait_for(20)
        load.end()
        houses.wait_until_counted()
        told = ranked(houses, key)
        assert 0 == houses.stop()
    assert [] == load.failures
    assert len(load.answered) > 20 * KILLS
    assert len(load.acknowledged) > 0
    Held(houses).must_hold(load)
    assert counted(load) == told


def test_a_killed_gateway_takes_only_its_own_open_answers_with_it(tmp_path: Path, start_load: StartLoad) -> None:
    chance = random.Random(SEED)
    with two_houses(tmp_path / "data", module="tests.system.quick_restarts") as houses:
        key = houses.make_key()
        load = start_load(houses, key, SEED)
        for _ in range(examples(3)):
            time.sleep(chance.uniform(0.2, 1))
            houses.kill_one("gateway", chance.randrange(GATEWAYS))
            load.wait_for(20)
        load.end()
        houses.wait_until_counted()
        told = ranked(houses, key)
        assert 0 == houses.stop()
    # Four callers for inference: of each at most one request is open when a process is killed.
    assert 0 < load.cut_off <= 4 * examples(3)
    assert load.cut_off == len(load.failures), "what is not cut off is answered with 200"
    Held(houses).must_hold(load)
    for name, (tokens, requests) in counted(load).items():
        assert told[name][0] >= tokens
        assert told[name][1] >= requests
    beyond = requests_of(told) - requests_of(counted(load))
    assert 0 <= beyond <= load.cut_off


def test_a_killed_supervisor_takes_all_along_in_order_and_the_next_goes_on(
    tmp_path: Path, start_load: StartLoad
) -> None:
    with two_houses(tmp_path / "data") as houses:
        key = houses.make_key()
        loads = []
        for kill in range(examples(1)):
            load = start_load(houses, key, SEED + kill)
            load.wait_for(30)
            ending = threading.Thread(target=houses.kill_supervisor)
            ending.start()
            load.stop_asking()
            ending.join()
            houses.start()
            loads.append(load.end())
        houses.wait_until_counted()
        told = ranked(houses, key)
        assert 0 == houses.stop()
    # It was to its children as if they had been told to end: they answered what they had begun.
    assert [] == [broken for load in loads for broken in load.broken_answers()]
    Held(houses).must_hold(*loads)
    assert counted(*loads) == told


def test_a_signal_lets_open_answers_of_every_gateway_finish_and_delivers_all(
    tmp_path: Path, start_load: StartLoad, upstream: OpenAiUpstream
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(f'[[upstream]]\nname = "scripted"\nbase_url = "{upstream.url}"\nmodels = ["gpt-*"]\n')
    upstream.script.pause = threading.Event()
    with two_houses(tmp_path / "data", config=config) as houses:
        key = houses.make_key()
        load = start_load(houses, key, SEED)
        headers = {"Authorization": f"Bearer {key}", "HTTP-Referer": "https://held.example"}
        body = {"model": "gpt-test", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        with contextlib.ExitStack() as opened:
            # Each on a connection of its own: the kernel has shared eight out among both.
            streams = [
                opened.enter_context(
                    httpx.stream("POST", f"{houses.url}/v1/chat/completions", headers=headers, json=body, timeout=60)
                )
                for _ in range(8)
            ]
            lines = [stream.iter_lines() for stream in streams]
            assert ["data: "] * 8 == [next(line)[:6] for line in lines]
            load.wait_for(30)
            load.stop_asking()
            code: list[int] = []
            ending = threading.Thread(target=lambda: code.append(houses.stop()))
            ending.start()
            wait_for(lambda: refused(houses.url), 20, houses.log)
            upstream.script.pause.set()
            assert ["data: [DONE]"] * 8 == [[each for each in line if each][-1] for line in lines]
            held = [stream.headers["x-generation-id"] for stream in streams]
            ending.join()
        load.give_up()
    assert [0] == code
    assert [] == load.broken_answers()
    load.answered.update(held)
    Held(houses).must_hold(load)


def refused(url: str) -> bool:
    try:
        httpx.get(f"{url}/healthz", timeout=5)
    except httpx.ConnectError:
        return True
    except httpx.HTTPError:
        return False
    return False


def test_a_board_that_does_not_get_up_keeps_nobody_from_inference(tmp_path: Path, start_load: StartLoad) -> None:
    with two_houses(tmp_path / "data") as houses:
        key = houses.make_key()
        assert 0 == houses.stop()
        stopped: list[int] = []
        starting = threading.Thread(target=houses.start)
        starting.start()
        try:
            stopped = wait_for(lambda: houses.pids("board"), 20, houses.log)
            os.kill(stopped[0], signal.SIGSTOP)
            headers = {"Authorization": f"Bearer {key}", "HTTP-Referer": "https://patient.example"}
            body = {"model": "tokenboard/echo", "messages": [{"role": "user", "content": "one two"}]}
            with httpx.Client(base_url=houses.url, headers=headers, timeout=60) as client:
                asked = [client.post("/v1/chat/completions", json=body).status_code for _ in range(10)]
            assert [200] * 10 == asked
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            starting.join()
        houses.wait_until_counted()
        assert {"patient.example": (40, 10)} == ranked(houses, key)
        assert 0 == houses.stop()


def test_what_one_process_left_in_its_spool_is_delivered_once_by_two_houses(
    tmp_path: Path, start_load: StartLoad
) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    single = BoardProcess(
        tmp_path / "data", environment={"FAIL_WHILE": str(broken)}, module="tests.system.failing_ledger"
    )
    single.start()
    key = single.make_key()
    before = start_load(single, key, SEED)
    before.wait_for(50)
    single.kill()
    before.give_up()
    assert parcels_in(single) > 0
    with two_houses(tmp_path / "data") as houses:
        after = start_load(houses, key, SEED + 1)
        after.wait_for(50)
        after.end()
        houses.wait_until_counted()
        told = ranked(houses, key)
        assert 0 == houses.stop()
    assert [] == after.failures
    must_agree(houses, told, before, after)


def test_what_two_houses_left_in_their_journals_is_delivered_once_by_one_process(
    tmp_path: Path, start_load: StartLoad
) -> None:
    with two_houses(tmp_path / "data") as houses:
        key = houses.make_key()
        before = start_load(houses, key, SEED)
        before.wait_for(50)
        # Nothing is collected from here on.
        os.kill(houses.pids("board")[0], signal.SIGSTOP)
        before.wait_for(50)
        houses.kill_all()
        before.give_up()
    with running_board(tmp_path / "data") as single:
        single.wait_until_counted()
        after = start_load(single, key, SEED + 1)
        after.wait_for(50)
        after.end()
        single.wait_until_counted()
        told = ranked(single, key)
        assert 0 == single.stop()
    assert [] == after.failures
    must_agree(single, told, before, after)


def must_agree(board: BoardProcess, told: dict[str, tuple[int, int]], *loads: Load) -> None:
    """Check a stopped board's ledger and what its rankings were against the record of its callers."""
    Held(board).must_hold(*loads)
    beyond = requests_of(told) - requests_of(counted(*loads))
    assert 0 <= beyond <= sum(load.cut_off + len(load.unsure) for load in loads)


def requests_of(apps: dict[str, tuple[int, int]]) -> int:
    return sum(requests for _, requests in apps.values())


def parcels_in(board: BoardProcess) -> int:
    """Return how many parcels wait in the spool of a board that does not run."""
    with contextlib.closing(sqlite3.connect(f"file:{board.data}/spool/board.sqlite?mode=ro", uri=True)) as spool:
        return int(spool.execute("SELECT count(*) FROM parcels").fetchone()[0])
