"""Somebody without a key asks for whatever there is to ask: no request finds a fault, and none stays in memory."""

import json
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from tests.board import BoardProcess, running_board, today
from tests.hostile import Enemy, assault, public_addresses, resident_bytes, spoiled
from tests.system.feed import event, feed

ENEMIES = 4
SWARM = ("/badge/apps/{app_id}.svg", "/badge/apps/{app_id}.json", "/feeds/apps.atom", "/docs.json", "/rankings.csv")
"""Addresses whose answers are small: what is kept beside them is most of what is kept."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoardProcess]:
    with running_board(tmp_path_factory.mktemp("hostile") / "data", module="tests.brisk") as board:
        headers = {"Authorization": f"Bearer {board.make_key()}"}
        day = today() - timedelta(days=1)
        with httpx.Client(base_url=board.url, headers=headers, timeout=30) as client:
            feed(client, board, [each for n in range(8) for each in event(day, f"https://app-{n}.example", 100 + n)])
        yield board


@pytest.mark.timeout(300)
def test_no_request_finds_a_fault_of_ours(hostile: BoardProcess) -> None:
    addresses = public_addresses(hostile)
    assert 60 < len(addresses)
    attacks = [Enemy(addresses, seed).requests(250) for seed in range(ENEMIES)]
    tally = assault(hostile, [spoiled(addresses), *attacks])
    assert [] == tally.faults
    assert {200, 304, 400, 401, 404, 405} <= set(tally.statuses)
    assert "Traceback" not in hostile.log()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scopes", ["data,inference,ingest", "admin"])
def test_no_request_with_a_key_finds_a_fault_of_ours(hostile: BoardProcess, scopes: str) -> None:
    key = hostile.make_key(scopes)
    addresses = [each for each in public_addresses(hostile) if "/keys" not in each]
    attacks = [Enemy(addresses, seed, key=key).requests(100) for seed in range(ENEMIES)]
    tally = assault(hostile, [spoiled(addresses, key), *attacks])
    assert [] == tally.faults
    assert {200, 400, 403, 404} <= set(tally.statuses)
    assert "Traceback" not in hostile.log()


@pytest.mark.timeout(300)
def test_memory_stays_as_it_is_however_odd_the_parameters_hosts_and_headers(hostile: BoardProcess) -> None:
    pid = int(json.loads((hostile.data / "server.json").read_text())["pid"])
    enemies = [Enemy(list(SWARM), seed, days=False) for seed in range(ENEMIES)]
    assault(hostile, [enemy.requests(250) for enemy in enemies])
    before = resident_bytes(pid)
    tally = assault(hostile, [enemy.requests(750) for enemy in enemies])
    assert 500 < tally.statuses[200]
    after = resident_bytes(pid)
    assert after <= 1.05 * before, f"{before:,} bytes became {after:,}"
